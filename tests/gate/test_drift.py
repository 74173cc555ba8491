from __future__ import annotations

import math
import operator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from mbv2cli import InputSpec, NetworkSpec, UserError
from mbv2cli.costs.figures import PARAMS, TFLM, Better, Counting
from mbv2cli.gate.cases import planned_result
from mbv2cli.gate.differences import FigureChange
from mbv2cli.gate.drift import Allowance, Cause, Drift, drift, read_tolerance
from mbv2cli.gate.lock import read_lock
from mbv2cli.gate.locked import LockedCase
from mbv2cli.report.check.sentences import drift_lines
from tests.gate.test_comparison import case_of
from tests.gate.test_lock import config_of, locked
from tests.strategies import input_specs, network_specs

GROWTH = {
    "params": "100",
    "macs": "5M",
    "peak": "4MiB",
    "tflm": "1MiB",
    "flash": "1KiB",
    "activations": "1M",
}


def drift_of(folder: Path, before: str, after: str, tolerance: object = None) -> Drift | None:
    lock = read_lock(locked(folder, before))
    case = config_of(folder, after).cases[0]
    allowed = read_tolerance(tolerance, "tolerance") if tolerance is not None else {}
    return drift(lock[case.name], planned_result(case), allowed)


def test_a_drift_tells_every_figure_and_the_first_layer(tmp_path: Path) -> None:
    found = drift_of(tmp_path, "[case.a]\nexpand = 6\n", "[case.a]\nexpand = 4\n")
    assert found is not None
    changes = {change.what: (change.before, change.after) for change in found.found.figures}
    assert found.found.output == ("output", (1, 64, 224, 224), (1, 64, 224, 224))
    assert changes["params"] == (1568, 1088)
    assert changes["macs"] == (68_640_768, 45_760_512)
    first = found.found.differing_layers[0]
    assert first.before is not None
    assert first.after is not None
    assert first.before.output_shape == (1, 18, 224, 224)
    assert first.after.output_shape == (1, 12, 224, 224)
    assert not found.holds


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("target = 'network'", "target = 'network'\ndropout = 0", [("dropout", 0.2, 0.0)]),
        ("act = 'relu'", "act = 'silu'", [("act", "relu", "silu")]),
        ("dtype = 'int8'", "dtype = 'float16'", [("dtype", "int8", "float16")]),
        ("", "peak_rule = 'eager'", [("peak_rule", "layerwise", "eager")]),
        ("size = 96", "size = '96x64'", [("size", (96, 96), (96, 64))]),
        ("", "batch = 2", [("batch", 1, 2)]),
        (
            "target = 'network'\nstages = 't1c16/t6c24'",
            "target = 'network'\nstages = 't1c16/t6c24d2'",
            [("stages[1].dilation", 1, 2)],
        ),
    ],
)
def test_every_field_that_changes_is_a_drift_that_names_it(
    tmp_path: Path, before: str, after: str, changes: list[tuple[str, object, object]]
) -> None:
    found = drift_of(tmp_path, f"[case.a]\n{before}\n", f"[case.a]\n{after}\n")
    assert found is not None
    assert list(found.found.fields) == changes
    assert found.cause is Cause.CHANGED
    assert not found.holds
    assert " -> " in next(drift_lines(found))
    measured = {"dtype", "peak_rule", "size", "batch"}
    tolerant = replace(found, tolerance=read_tolerance("1000%", "tolerance"))
    assert tolerant.holds is (changes[0][0] not in measured)


@pytest.mark.parametrize(
    ("change", "cause", "words"),
    [
        ({"stages": {}}, Cause.EDITED, "the lock was edited"),
        ({"spec": {"expand": 6}}, Cause.EDITED, "the lock was edited"),
        ({"figures": {"params": 0}}, Cause.RECOUNTED, "mbv2 counts differently now"),
        ({"graph": "v0:"}, Cause.RECOUNTED, "mbv2 counts differently now"),
        ({"spec": {"expand": 0}}, Cause.NOT_A_MODEL, "is not a model"),
        ({"input": (1,)}, Cause.NOT_A_MODEL, "is not a model"),
    ],
)
def test_a_lock_that_was_edited_is_told_as_what_it_is(
    tmp_path: Path, change: dict[str, Any], cause: Cause, words: str
) -> None:
    lock = read_lock(locked(tmp_path, "[case.stem]\nexpand = 6\n"))["stem"]
    if "figures" in change:
        change = {"figures": {**lock.figures, **change["figures"]}}
    result = planned_result(config_of(tmp_path).cases[0])
    found = drift(lock.model_copy(update=change), result, {})
    assert found is not None
    assert (found.cause, found.holds) == (cause, False)
    (sentence,) = drift_lines(found)
    assert words in sentence
    tolerant = replace(found, tolerance=read_tolerance("5%", "tolerance"))
    assert tolerant.holds is (cause is Cause.EDITED or "graph" in change)


@pytest.mark.parametrize(
    ("tolerance", "expand", "holds"),
    [
        ("10%", 6.3, True),
        ("1%", 6.3, False),
        ("0%", 4, True),
        (GROWTH, 6.3, True),
        ({"params": "10%"}, 6.3, False),
        (None, 4, False),
    ],
)
def test_tolerance_is_for_growth(
    tmp_path: Path, *, tolerance: object, expand: float, holds: bool
) -> None:
    found = drift_of(
        tmp_path, "[case.a]\nexpand = 6\n", f"[case.a]\nexpand = {expand}\n", tolerance
    )
    assert found is not None
    assert found.holds is holds


def test_no_tolerance_lets_a_shape_change(tmp_path: Path) -> None:
    found = drift_of(tmp_path, "[case.a]\nout = 64\n", "[case.a]\nout = 63\n", "100%")
    assert found is not None
    assert not found.holds


@pytest.mark.parametrize("acts", [("relu", "gelu"), ("gelu", "relu"), ("gelu", "leaky_relu")])
def test_no_tolerance_lets_a_figure_change_that_is_a_lower_bound(
    tmp_path: Path, acts: tuple[str, str]
) -> None:
    """TensorFlow Lite Micro has no kernel of GELU, so nobody knows the arena."""
    before, after = (f"[case.a]\ntarget = 'network:act={act},size=32'\n" for act in acts)
    found = drift_of(tmp_path, before, after, "100%")
    assert found is not None
    assert [one.figure for one in found.found.figures if not found.allows(one)] == [TFLM]
    assert not found.holds


def test_a_lower_bound_that_stays_is_unchanged(tmp_path: Path) -> None:
    case = "[case.a]\ntarget = 'network:act=gelu,size=32'\n"
    found = drift_of(tmp_path, case, f"{case}dropout = 0\n", "0%")
    assert found is not None
    assert found.holds


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 200))
def test_a_percentage_is_of_what_was(before: int, after: int, percent: int) -> None:
    def change(before: int, after: int) -> FigureChange:
        return FigureChange(PARAMS, before, after, Counting(), Counting())

    allowance = read_tolerance(f"{percent}%", "tolerance")["params"]
    allowed = after * 100 <= before * (100 + percent)
    assert allowance.allows(change(before, after)) == allowed
    assert Allowance(amount=5).allows(change(before, before + 5))
    assert not Allowance(amount=5).allows(change(before, before + 6))


@st.composite
def variants(draw: st.DrawFn) -> tuple[NetworkSpec, NetworkSpec]:
    """Draw a network, and the same with one or two fields changed."""
    spec, other = draw(network_specs()), draw(network_specs())
    own, others = (one.model_dump(by_alias=True) for one in (spec, other))
    changed = draw(st.sets(st.sampled_from(["act", "dropout", "width_mult", "head"]), min_size=1))
    try:
        return spec, NetworkSpec.model_validate({**own, **{key: others[key] for key in changed}})
    except UserError:  # a head after the end
        reject()


@given(variants(), input_specs, st.integers(0, 60), st.integers(0, 60))
def test_a_larger_tolerance_never_fails_what_a_smaller_one_passes(
    specs: tuple[NetworkSpec, NetworkSpec], input_: InputSpec, one: int, other: int
) -> None:
    found = drift_of_specs(*specs, input_)
    if found is None:
        return
    none, small, large = (
        replace(found, tolerance=read_tolerance(tolerance, "tolerance") if tolerance else {})
        for tolerance in ("", f"{min(one, other)}%", f"{max(one, other)}%")
    )
    assert none.holds <= small.holds <= large.holds
    assert not none.holds


@given(variants(), variants(), input_specs, st.sampled_from(["0%", "5%", "50%", GROWTH]))
def test_a_smaller_growth_never_fails_where_a_larger_one_passes(
    specs: tuple[NetworkSpec, NetworkSpec],
    others: tuple[NetworkSpec, NetworkSpec],
    input_: InputSpec,
    tolerance: object,
) -> None:
    """The receptive field is better where it is larger: its growth is what it loses."""
    found, other = (drift_of_specs(specs[0], spec, input_) for spec in (specs[1], others[1]))
    if found is None or other is None or found.found.output != other.found.output:
        return
    allowed = read_tolerance(tolerance, "tolerance")
    found, other = replace(found, tolerance=allowed), replace(other, tolerance=allowed)
    if other.holds and all(map(operator.le, worsening(found), worsening(other))):
        assert found.holds or any(one.is_of_measurement for one in found.found.fields)


def worsening(found: Drift) -> list[float]:
    """Return the growth of each figure. One that nobody knows may be of any size."""
    changes = [(one.figure, one.change) for one in found.found.figures]
    return [
        math.inf if change is None else change if figure.better is Better.SMALLER else -change
        for figure, change in changes
    ]


def drift_of_specs(spec: NetworkSpec, other: NetworkSpec, input_: InputSpec) -> Drift | None:
    results = [planned_result(case_of(one, input_)) for one in (spec, other)]
    return drift(LockedCase.of(results[0]), results[1], {})


@pytest.mark.parametrize("change", ["", "expand = 6.01", "dropout = 0"])
def test_a_change_without_a_figure_passes_alone_if_it_passes_with_another(
    tmp_path: Path, change: str
) -> None:
    before = "[case.a]\ntarget = 'network'\n"
    found = drift_of(tmp_path, before, f"{before}act = 'relu'\n{change}\n", "5%")
    assert found is not None
    assert found.holds


@pytest.mark.parametrize(
    "value", ["much", "-2%", "2 %%", [], True, -1, {"prams": "2%"}, 0.5, {"receptive_field": "2%"}]
)
def test_what_is_no_tolerance(value: object) -> None:
    with pytest.raises(UserError, match="tolerance"):
        read_tolerance(value, "tolerance")


def test_every_figure_of_which_less_is_better_may_have_a_tolerance() -> None:
    tolerable = ["params", "macs", "peak", "tflm", "flash", "activations", "layers"]
    assert list(read_tolerance("2%", "tolerance")) == tolerable
    assert list(read_tolerance(dict.fromkeys(tolerable, "1k"), "tolerance")) == tolerable
