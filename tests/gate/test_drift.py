from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, UserError
from mbv2cli.gate.cases import planned_result
from mbv2cli.gate.comparison import FieldChange, compare, first_difference
from mbv2cli.gate.drift import Allowance, Drift, drift, read_tolerance
from mbv2cli.gate.lock import digest, read_lock
from mbv2cli.inspection import ModelSpec, plan_of
from tests.gate.test_lock import config_of, locked
from tests.strategies import block_specs, input_specs, network_specs

GROWTH = {"params": "100", "macs": "5M", "peak": "4MiB", "flash": "1KiB", "activations": "1M"}


def drift_of(folder: Path, before: str, after: str, tolerance: object = None) -> Drift | None:
    lock = read_lock(locked(folder, before))
    case = config_of(folder, after).cases[0]
    allowed = read_tolerance(tolerance, "tolerance") if tolerance is not None else {}
    return drift(lock[case.name], planned_result(case), allowed)


def test_a_drift_tells_every_figure_and_the_first_layer(tmp_path: Path) -> None:
    found = drift_of(tmp_path, "[case.a]\nexpand = 6\n", "[case.a]\nexpand = 4\n")
    assert found is not None
    changes = {change.what: (change.before, change.after) for change in found.changes}
    assert changes["output"] == ((1, 64, 224, 224), (1, 64, 224, 224))
    assert changes["params"] == (1568, 1088)
    assert changes["macs"] == (68_640_768, 45_760_512)
    assert found.first_layer is not None
    assert found.first_layer.before is not None
    assert found.first_layer.after is not None
    assert found.first_layer.before.output_shape == (1, 18, 224, 224)
    assert found.first_layer.after.output_shape == (1, 12, 224, 224)
    assert not found.holds


def test_layers_may_drift_without_a_figure(tmp_path: Path) -> None:
    found = drift_of(tmp_path, "[case.a]\nact = 'relu'\n", "[case.a]\nact = 'silu'\n")
    assert found is not None
    assert not any(change.changed for change in found.changes)
    assert not found.holds


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


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 200))
def test_a_percentage_is_of_what_was(before: int, after: int, percent: int) -> None:
    allowance = read_tolerance(f"{percent}%", "tolerance")["params"]
    assert allowance.allows(before, after) == (after * 100 <= before * (100 + percent))
    assert Allowance(amount=5).allows(before, before + 5)
    assert not Allowance(amount=5).allows(before, before + 6)


@pytest.mark.parametrize(
    "value", ["much", "-2%", "2 %%", [], True, -1, {"prams": "2%"}, 0.5, {"receptive_field": "2%"}]
)
def test_what_is_no_tolerance(value: object) -> None:
    with pytest.raises(UserError, match="tolerance"):
        read_tolerance(value, "tolerance")


def test_every_figure_of_which_less_is_better_may_have_a_tolerance() -> None:
    tolerable = ["params", "macs", "peak", "flash", "activations", "layers"]
    assert list(read_tolerance("2%", "tolerance")) == tolerable
    assert list(read_tolerance(dict.fromkeys(tolerable, "1k"), "tolerance")) == tolerable


def test_a_lock_of_an_mbv2_that_counted_differently_is_a_drift(tmp_path: Path) -> None:
    lock = read_lock(locked(tmp_path))["stem"]
    other = lock.model_copy(update={"figures": {**lock.figures, "params": 0}, "graph": "v0:"})
    found = drift(other, planned_result(config_of(tmp_path).cases[0]), {})
    assert found is not None
    assert found.first_layer is None
    assert not found.holds


@pytest.mark.parametrize(
    ("key", "value", "layer", "fields"),
    [
        ("dropout", 0.3, "classifier.0", {"p"}),
        ("act", "silu", "features.0.2", {"type", "function"}),
        ("act", "leaky_relu", "features.0.2", {"type", "function", "parameter"}),
        ("output_stride", 16, "features.14.conv.1.0", {"output_shape", "stride", "macs"}),
        ("classes", 10, "classifier.1", {"output_shape", "params", "trainable_params", "macs"}),
        ("stages", "t1c16/t6c24s2d2", "features.2.conv.1.0", {"padding", "dilation"}),
        ("stages", "t1c16/t6c24s2k5", "features.2.conv.1.0", {"padding", "kernel"}),
    ],
)
def test_a_drift_names_the_fields_of_the_first_layer(
    key: str, value: object, layer: str, fields: set[str]
) -> None:
    stages = {"stages": "t1c16/t6c24s2"} if key == "stages" else {}
    before = plan_of(NetworkSpec.model_validate(stages))
    after = plan_of(NetworkSpec.model_validate({key: value}))
    found = first_difference(before, after)
    assert found is not None
    assert found.after is not None
    assert found.after.path == layer
    changed = {change.name for change in found.changes}
    assert changed >= fields
    assert changed <= fields | {"params", "trainable_params", "macs"}


def test_other_inputs_are_a_difference() -> None:
    """A shortcut that takes another value: no shape and no number differs."""
    before, after = (plan_of(BlockSpec(in_channels=8, out_channels=8)) for _ in range(2))
    *ops, add = after.graph.ops
    rewired = add._replace(inputs=(1, add.inputs[1]))
    after.__dict__["graph"] = replace(after.graph, ops=(*ops, rewired))
    found = first_difference(before, after)
    assert found is not None
    assert found.changes == (
        FieldChange("inputs", "input, BatchNorm2d conv.3", "Conv2d conv.0.0, BatchNorm2d conv.3"),
    )
    assert compare("a", before, "b", after).differs


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[ModelSpec, ModelSpec]:
    """Draw two specs that differ in one field at most."""
    kind: st.SearchStrategy[ModelSpec] = draw(st.sampled_from([block_specs(), network_specs()]))
    one, other = draw(kind), draw(kind)
    values, others = (spec.model_dump(by_alias=True) for spec in (one, other))
    key = draw(st.sampled_from(sorted(values)))
    try:
        return one, type(one).model_validate({**values, key: others[key]})
    except UserError:
        reject()


@given(neighbours(), input_specs)
def test_lock_drift_and_comparison_agree_on_whether_graphs_differ(
    specs: tuple[ModelSpec, ModelSpec], input_: InputSpec
) -> None:
    before, after = (plan_of(spec, input_) for spec in specs)
    differs = digest(before) != digest(after)
    assert differs is (before.graph.ops != after.graph.ops)
    assert differs is (first_difference(before, after) is not None)
    assert differs is compare("a", before, "b", after).differs
    assert differs is compare("b", after, "a", before).differs


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"width_mult": 1.0}, {"width_mult": 1.001}),
        ({"stages": "t1c16/t6c24n2"}, {"stages": "t1c16/t6c24/t6c24"}),
    ],
)
def test_specs_of_the_same_graph_have_no_layer_that_differs(
    one: dict[str, object], other: dict[str, object]
) -> None:
    before, after = (plan_of(NetworkSpec.model_validate(values)) for values in (one, other))
    assert digest(before) == digest(after)
    assert first_difference(before, after) is None
    assert not compare("a", before, "b", after).differs
