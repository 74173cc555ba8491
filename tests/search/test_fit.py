from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbv2cli import NetworkSpec, UserError, plan_of
from mbv2cli.costs.figures import FLASH, MACS, PARAMS, PEAK, TFLM, Counting
from mbv2cli.gate.limits import Limits
from mbv2cli.search.fit import MAX_MEMBERS, NEAR, VARIED, Fit, fit, read_fit_space, space_text
from mbv2cli.search.space import read_space_file
from mbv2cli.specs.reader import Setting, read_request
from mbv2cli.specs.run import InputSpec

WIDTHS, SIZES, PADDINGS = (0.1, 0.25, 0.35, 0.5), (64, 80, 96), ("same", "torch")


def found_within(top: int = 5, **limits: Any) -> Fit:
    given = [
        Setting("classes", "10", "--classes"),
        Setting("width_mult", list(WIDTHS), "--width-mult"),
        Setting("size", [str(size) for size in SIZES], "--size"),
        Setting("expand", "6", "--expand"),
    ]
    return fit(read_fit_space("network", given), Limits.model_validate(limits), top)


def brute_force(tflm: int, flash: int) -> list[tuple[int, int, float, int]]:
    """Return MACs, parameters, width and size of what fits, each padding tried."""
    fits = set()
    for width, size, padding in product(WIDTHS, SIZES, PADDINGS):
        spec = NetworkSpec(width_mult=width, classes=10, expand=6, padding=padding)
        plan = plan_of(spec, InputSpec(size=(size, size)))
        if plan.figure(TFLM) <= tflm and plan.figure(FLASH) <= flash:
            fits.add((-plan.figure(MACS), plan.figure(PARAMS), width, size))
    return sorted(fits)


@settings(max_examples=6, deadline=None)
@given(tflm=st.integers(60, 400), flash=st.integers(80, 800))
def test_the_best_are_those_of_brute_force(tflm: int, flash: int) -> None:
    tflm, flash = tflm * 1024, flash * 1024
    found = found_within(3, max_tflm=tflm, max_flash=flash)
    best = [
        (-one.macs, one.params, one.plan.spec.width_mult, one.plan.input_shape[2])  # type: ignore[union-attr]  # networks
        for one in found.best
    ]
    assert best == brute_force(tflm, flash)[:3]
    assert all(one.holds for one in found.best)


@pytest.mark.parametrize("tflm", [100, 150, 200, 250])
def test_a_near_miss_has_more_macs_and_is_just_over(tflm: int) -> None:
    found = found_within(5, max_tflm=f"{tflm}KiB", max_flash="700KiB")
    overs = [one.over for one in found.near]
    assert overs == sorted(overs)
    assert all(1 < over <= NEAR for over in overs)
    assert all(one.macs > found.best[0].macs for one in found.near)


def test_a_network_is_listed_once_with_its_first_padding_that_fits() -> None:
    best = found_within(50, max_tflm="9MiB").best
    assert len(best) == len(WIDTHS) * len(SIZES)
    assert all("padding=same" in one.target for one in best)


def test_what_is_far_beyond_is_no_near_miss() -> None:
    (widest,) = found_within(1, max_tflm="9MiB", max_flash="9MiB").best
    spec = NetworkSpec(width_mult=0.5, classes=10, expand=6, padding="torch")
    torch = plan_of(spec, InputSpec(size=(96, 96)))
    limit = widest.verdicts[0].actual - 1
    assert torch.figure(PEAK, Counting(dtype="int8")) <= NEAR * limit < torch.figure(TFLM) / NEAR
    assert {one.plan.spec.padding for one in found_within(9, max_tflm=limit).near} == {"same"}


def test_some_limit_has_near_misses() -> None:
    smallest = found_within(1, max_tflm="400KiB").best[0].verdicts[0].actual
    near = found_within(1, max_tflm=smallest - 1).near
    assert [one.verdicts[0].headroom for one in near] == [-1]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_bound_is_never_above_the_arena(data: st.DataObject) -> None:
    space = read_fit_space("network", [])
    member = [data.draw(st.integers(0, len(axis.values) - 1)) for axis in space.varied]
    request = read_request(space.target(member))
    plan = plan_of(request.spec, request.input)
    assert plan.figure(PEAK, Counting(dtype="int8")) <= plan.figure(TFLM)


def test_the_culprit_is_a_layer_of_the_network() -> None:
    for one in found_within(board="stm32f746").best:
        assert one.culprit in {layer.path for layer in one.plan.layers}


def test_the_space_is_that_of_the_file(tmp_path: Any) -> None:
    space = read_fit_space("network", [])
    assert {axis.key for axis in space.varied} == set(VARIED)
    assert space.size < MAX_MEMBERS
    file = tmp_path / "space.toml"
    file.write_text(space_text())
    assert read_space_file(file) == space


@pytest.mark.parametrize(
    ("target", "settings", "size"),
    [
        ("network", [Setting("size", "96", "--size")], 13 * 3 * 2),
        ("network:padding=same,size=64", [], 13 * 3),
        ("hf_035_96", [Setting("padding", "torch", "--padding")], 3),
    ],
)
def test_what_is_given_is_not_varied(target: str, settings: list[Setting], size: int) -> None:
    assert read_fit_space(target, settings).size == size


@pytest.mark.parametrize(
    ("target", "key", "value", "words"),
    [
        ("block", "size", "96", "mbv2 fit varies a network"),
        ("network", "dropout", "0:0.9:0.01", "plans at most 5,000"),
        ("network", "stage", "3", "is not a key of a network"),
    ],
)
def test_mistakes(target: str, key: str, value: str, words: str) -> None:
    with pytest.raises(UserError) as error:
        read_fit_space(target, [Setting(key, value, f"--{key}")])
    assert words in str(error.value)


def test_networks_with_too_many_blocks_together_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mbv2cli.search.fit.MAX_SEGMENTS", 200)
    with pytest.raises(UserError, match="24 networks of the space have more than 200 blocks"):
        found_within(max_tflm="1MiB")


def test_what_no_rule_counts_is_left_out_and_named() -> None:
    given = [Setting("act", ["relu6", "gelu"], "--act"), Setting("size", "64", "--size")]
    space = read_fit_space("network", [*given, Setting("padding", "same", "--padding")])
    found = fit(space, Limits.model_validate({"max_tflm": "9MiB"}), 3)
    assert found.unknown == ("gelu",)
    assert len(found.best) == 3
    assert all(one.plan.spec.act == "relu6" for one in found.best)


def test_the_nearest_breaks_its_limits_by_the_smallest_factor() -> None:
    found = found_within(3, max_tflm="9KiB", max_flash="1KiB")
    assert (found.best, found.near) == ((), ())
    assert found.nearest
    overs = []
    for width, size, padding in product(WIDTHS, SIZES, PADDINGS):
        spec = NetworkSpec(width_mult=width, classes=10, expand=6, padding=padding)
        plan = plan_of(spec, InputSpec(size=(size, size)))
        overs.append(max(plan.figure(TFLM) / (9 * 1024), plan.figure(FLASH) / 1024))
    assert found.nearest.over == min(overs)
    assert found_within(3, max_tflm="9MiB").nearest is None


def test_no_ratio_is_tried_where_stages_give_hidden_channels() -> None:
    space = read_fit_space("mobilenet_v3_small", [])
    assert [axis.key for axis in space.varied] == ["width_mult", "padding", "size"]
