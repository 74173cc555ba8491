from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from matplotlib.figure import Figure

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, plan_of
from mbv2cli.inspection import ModelSpec, Plan
from mbv2cli.report.draw.feature_maps import drawing_of, picture_of
from mbv2cli.report.picture import Heading
from mbv2cli.report.text import described
from mbv2cli.specs.reader import Request, read_request
from tests.report.draw.geometry import TARGETS, assert_no_line_crosses_a_text, texts_of
from tests.strategies import block_specs, network_specs


def drawn(spec: ModelSpec, input_: InputSpec) -> Figure:
    heading = Heading(described(Request("", spec, input_)))
    return picture_of(drawing_of(plan_of(spec, input_), heading))


@given(block_specs())
@settings(max_examples=15)
def test_no_text_of_any_block_lies_over_another(spec: BlockSpec) -> None:
    picture = drawn(spec, InputSpec(size=(64, 48)))
    texts_of(picture)
    assert_no_line_crosses_a_text(picture)


@given(network_specs())
@settings(max_examples=10)
def test_no_text_of_any_network_lies_over_another(spec: NetworkSpec) -> None:
    texts_of(drawn(spec, InputSpec(size=(64, 48))))


def numbers_of(plan: Plan) -> set[str]:
    """Return the numbers of a plan that a picture may show: sides, channels, MACs."""
    stages: dict[str, int] = {}
    for layer in plan.layers:
        stages[layer.stage] = stages.get(layer.stage, 0) + layer.macs
    macs = {*stages.values(), *(layer.macs for layer in plan.layers)}
    sides = {side for shape in plan.graph.shapes for side in shape}
    return {f"{count:,}" for count in macs} | set(map(str, sides))


@pytest.mark.parametrize("target", TARGETS)
def test_no_text_lies_over_another_and_every_number_is_the_plan_s(target: str) -> None:
    request = read_request(target)
    plan = plan_of(request.spec, request.input)
    picture = drawn(request.spec, request.input)
    shown = texts_of(picture)
    assert_no_line_crosses_a_text(picture)
    macs = [text for text in shown if "MACs" in text]
    shapes = [text for text in shown if re.fullmatch(r"\d+(×\d+×\d+)?", text)]
    assert len(macs) + 1 == len(shapes) >= 3
    for text in (*macs, *shapes):
        assert set(re.findall(r"[\d,]+", text)) <= numbers_of(plan)
