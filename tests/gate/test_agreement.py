"""The heart of it: two independent routes, one set of numbers."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given

from mbv2cli import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.errors import DisagreementError
from mbv2cli.plan import arithmetic, torchsummary_sizes
from mbv2cli.report.summary import as_torchsummary
from mbv2cli.report.summary.report import SummaryReport, confirmed, planned
from mbv2cli.specs import RunSpec
from mbv2cli.specs.reader import ModelSpec, Request
from tests.strategies import block_specs, input_specs, network_specs

RULES = [name for name, rule in inspect.getmembers(arithmetic, inspect.isfunction)]
SMALL = InputSpec(size=(32, 48))


def report_of(spec: ModelSpec, input_: InputSpec) -> SummaryReport:
    return planned(Request(spec.noun, spec, input_), RunSpec(device="cpu"))


@given(block_specs(), input_specs)
def test_plan_and_forward_agree_on_every_layer_of_a_block(
    spec: BlockSpec, input_: InputSpec
) -> None:
    assert_agreement(report_of(spec, input_))


@given(network_specs(), input_specs)
def test_plan_and_forward_agree_on_every_layer_of_a_network(
    spec: NetworkSpec, input_: InputSpec
) -> None:
    assert_agreement(report_of(spec, input_))


def assert_agreement(report: SummaryReport) -> None:
    """Compare here too, so that the test does not rest on the comparison that it tests."""
    forward = confirmed(report).forward
    assert forward is not None
    seen = [
        (row.name, call.path, call.output_shape, row.params, call.buffers, call.macs)
        for row, call in zip(forward.table.rows, forward.calls, strict=True)
    ]
    assert seen == [
        (layer.name, layer.path, layer.output_shape, layer.params, layer.buffers, layer.macs)
        for layer in report.plan.layers
        if not layer.is_functional
    ]
    assert forward.output_shape == report.plan.output_shape
    assert forward.table.text == as_torchsummary.render(report)


@pytest.mark.parametrize("rule", RULES)
def test_breaking_any_cost_rule_is_noticed(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(arithmetic, rule)
    monkeypatch.setattr(arithmetic, rule, lambda *sizes: right(*sizes) + 1)
    with pytest.raises(DisagreementError, match=r"planned .*, seen "):
        confirmed(report_of(NetworkSpec(), SMALL))


def test_breaking_torchsummary_s_arithmetic_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchsummary_sizes, "BYTES_PER_ELEMENT", 4.1)
    with pytest.raises(DisagreementError, match="input size in MB"):
        confirmed(report_of(BlockSpec(), InputSpec()))


def test_the_first_differing_layer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    right = arithmetic.norm_params
    monkeypatch.setattr(arithmetic, "norm_params", lambda channels: right(channels) + 1)
    with pytest.raises(DisagreementError, match="parameters of BatchNorm2d-2: planned 37, seen 36"):
        confirmed(report_of(BlockSpec(), SMALL))
