from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli import InputSpec, NetworkSpec, plan_of
from mbv2cli.gate.expectations import Expectations, PeakRule
from mbv2cli.gate.limits import AmountVerdict, Verdict, verdicts
from mbv2cli.plan import Plan
from mbv2cli.plan.memory import MEMORY_RULES
from mbv2cli.plan.parts import model_figures
from tests.strategies import input_specs, network_specs

AMOUNTS = [
    "max_params",
    "max_macs",
    "max_peak",
    "max_flash",
    "max_activations",
    "max_layers",
    "min_receptive_field",
]


def verdict_on(spec: NetworkSpec, input_: InputSpec, **expected: Any) -> AmountVerdict:
    (verdict,) = verdicts_on(plan_of(spec, input_), expected)
    assert isinstance(verdict, AmountVerdict)
    return verdict


def verdicts_on(plan: Plan, expected: dict[str, Any]) -> tuple[Verdict, ...]:
    figures = model_figures(plan.spec, plan.input_shape)
    return verdicts(Expectations.model_validate(expected), plan, figures, "float32")


@given(network_specs(), input_specs, st.sampled_from(AMOUNTS))
def test_the_limit_itself_holds_and_one_beyond_does_not(
    spec: NetworkSpec, input_: InputSpec, key: str
) -> None:
    actual = verdict_on(spec, input_, **{key: 0}).actual
    tighter = actual + 1 if key.startswith("min") else actual - 1
    assert verdict_on(spec, input_, **{key: actual}).holds
    assert not verdict_on(spec, input_, **{key: tighter}).holds
    assert verdict_on(spec, input_, **{key: tighter}).headroom == -1


@pytest.mark.parametrize(
    ("rule", "peak"), [("layerwise", 6_021_120), ("eager", 11_038_720), ("training", 78_345_984)]
)
def test_the_peak_follows_its_rule(rule: str, peak: int) -> None:
    verdict = verdict_on(NetworkSpec(), InputSpec(), max_peak=0, peak_rule=rule)
    assert (verdict.actual, verdict.what) == (peak, f"peak ({rule}, float32)")


def test_a_peak_may_follow_every_rule_that_there_is() -> None:
    assert get_args(PeakRule) == tuple(rule.name for rule in MEMORY_RULES)


def test_feature_maps_are_those_that_detectors_tap() -> None:
    assert model_figures(NetworkSpec(), (1, 3, 224, 224)).feature_maps == {
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
