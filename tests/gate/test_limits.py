from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli import InputSpec, NetworkSpec, UserError
from mbv2cli.costs.figures import figure_named, graded_figures
from mbv2cli.costs.memory import MEMORY_RULES
from mbv2cli.gate.limits import (
    AmountVerdict,
    Expectations,
    Verdict,
    fits,
    limit_key,
    pattern_text,
    verdicts,
)
from mbv2cli.inspection import Plan, plan_of
from mbv2cli.specs.base import keys
from tests.strategies import input_specs, network_specs

AMOUNTS = [limit_key(figure) for figure in graded_figures()]


def verdict_on(spec: NetworkSpec, input_: InputSpec, **expected: Any) -> AmountVerdict:
    (verdict,) = verdicts_on(plan_of(spec, input_), expected)
    assert isinstance(verdict, AmountVerdict)
    return verdict


def verdicts_on(plan: Plan, expected: dict[str, Any]) -> tuple[Verdict, ...]:
    return verdicts(Expectations.model_validate(expected), plan, "float32")


@given(network_specs(), input_specs, st.sampled_from(AMOUNTS))
def test_the_limit_itself_holds_and_one_beyond_does_not(
    spec: NetworkSpec, input_: InputSpec, key: str
) -> None:
    first = verdict_on(spec, input_, **{key: 0})
    actual, is_known = first.actual, not first.uncounted
    tighter = actual + 1 if key.startswith("min") else actual - 1
    assert verdict_on(spec, input_, **{key: actual}).holds is is_known
    assert not verdict_on(spec, input_, **{key: tighter}).holds
    assert verdict_on(spec, input_, **{key: tighter}).headroom == -1


def test_an_arena_that_is_not_known_keeps_no_limit() -> None:
    verdict = verdict_on(NetworkSpec(act="gelu"), InputSpec(), max_tflm="1GiB")
    assert (verdict.holds, verdict.uncounted) == (False, ("gelu",))
    assert 0 < verdict.actual < verdict_on(NetworkSpec(), InputSpec(), max_tflm=0).actual


@pytest.mark.parametrize(
    ("rule", "peak"), [("layerwise", 6_021_120), ("eager", 11_038_720), ("training", 78_345_984)]
)
def test_the_peak_follows_its_rule(rule: str, peak: int) -> None:
    verdict = verdict_on(NetworkSpec(), InputSpec(), max_peak=0, peak_rule=rule)
    assert (verdict.actual, verdict.what) == (peak, f"peak ({rule}, float32)")


def test_a_peak_may_follow_every_rule_that_there_is() -> None:
    for rule in MEMORY_RULES:
        assert Expectations.model_validate({"peak_rule": rule.name}).peak_rule == rule.name


def test_feature_maps_are_those_that_detectors_tap() -> None:
    assert plan_of(NetworkSpec()).feature_maps == {
        2: (1, 16, 112, 112),
        4: (1, 24, 56, 56),
        8: (1, 32, 28, 28),
        16: (1, 96, 14, 14),
        32: (1, 320, 7, 7),
    }


def test_a_stride_that_is_not_there_does_not_hold() -> None:
    expected = {"features": {"64": "1x320x7x7", "32": "*x320x7x*"}}
    found = verdicts_on(plan_of(NetworkSpec()), expected)
    assert [verdict.holds for verdict in found] == [False, True]


def test_every_graded_figure_has_a_limit_in_the_order_of_the_registry() -> None:
    assert list(keys(Expectations)) == [
        "max_params",
        "max_macs",
        "max_peak",
        "peak_rule",
        "max_tflm",
        "max_flash",
        "max_activations",
        "max_layers",
        "min_receptive_field",
        "board",
        "output",
        "features",
    ]


def test_the_help_of_every_limit_says_what_is_allowed_and_how_it_is_written() -> None:
    fields = keys(Expectations)
    assert fields["max_params"].description == "At most this many parameters, such as 2M."
    for figure in graded_figures():
        bound = "At most" if limit_key(figure).startswith("max") else "At least"
        description = fields[limit_key(figure)].description or ""
        assert description.startswith(f"{bound} this many {figure.description}, such as ")


def test_a_figure_that_is_not_graded_has_no_limit() -> None:
    with pytest.raises(ValueError, match="buffers has no limit"):
        limit_key(figure_named("buffers"))


def limit(key: str, value: object) -> object:
    return getattr(Expectations.model_validate({key: value}), key)


@pytest.mark.parametrize(
    ("text", "count"),
    [("2000", 2000), ("300k", 300_000), ("2M", 2_000_000), ("1.5G", 1_500_000_000), (7, 7)],
)
def test_counts(text: object, count: int) -> None:
    assert limit("max_params", text) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("512KiB", 524_288),
        ("25MiB", 26_214_400),
        ("1.5MB", 1_500_000),
        ("320kB", 320_000),
        ("1 GiB", 2**30),
        ("100", 100),
        ("100B", 100),
        ("2kB", 2000),
    ],
)
def test_bytes(text: object, count: int) -> None:
    assert limit("max_peak", text) == count


@pytest.mark.parametrize(
    "text", ["", "k", "2KiB", "-1", "1e-3", "1.0000001k", "nan", True, 1.5, -3]
)
def test_what_is_no_count(text: object) -> None:
    with pytest.raises(UserError, match="max_params must be a count such as 2000"):
        limit("max_params", text)


@pytest.mark.parametrize("text", ["", "2Q", "KiB", "-5MiB", "0.3B", [3]])
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(UserError, match="max_peak must be bytes such as 512KiB"):
        limit("max_peak", text)


@given(st.lists(st.one_of(st.none(), st.integers(1, 9999)), min_size=1, max_size=5))
def test_a_pattern_is_read_as_it_is_written(sizes: list[int | None]) -> None:
    assert limit("output", pattern_text(tuple(sizes))) == tuple(sizes)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=5), st.data())
def test_a_star_fits_every_size(shape: list[int], data: st.DataObject) -> None:
    hidden = data.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    pattern = tuple(None if hide else size for size, hide in zip(shape, hidden, strict=True))
    assert fits(tuple(shape), pattern)
    assert not fits((*shape, 1), pattern)
    if not all(hidden):
        assert not fits(tuple(size + 1 for size in shape), pattern)


@pytest.mark.parametrize("text", ["1x", "axb", "1x-2", "", 3])
def test_what_is_no_shape(text: object) -> None:
    with pytest.raises(UserError, match="output must be a shape such as 1x64x224x224"):
        limit("output", text)
