from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli import UserError
from mbv2cli.gate.cases import planned_result
from mbv2cli.gate.drift import Allowance, Drift, drift, read_tolerance
from mbv2cli.gate.lock import read_lock
from tests.gate.test_lock import config_of, locked

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
