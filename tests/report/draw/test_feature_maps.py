from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

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


def test_each_side_of_a_box_is_to_scale() -> None:
    spec = BlockSpec(in_channels=24, out_channels=48, stride=(1, 2))
    picture = drawn(spec, InputSpec(size=(64, 32)))
    sides = [np.ptp(one.get_xy(), axis=0) for one in picture.findobj(Polygon)]
    fronts, tops = sides[::3], sides[1::3]
    shapes = [
        (width / 110 * 144, height / 130 * 64, slant / 0.28 / 130 * 64)
        for (width, height), (_, slant) in zip(fronts, tops, strict=True)
    ]
    expected = [(24, 64, 32), (144, 64, 32), (144, 64, 16), (48, 64, 16)]
    assert np.array(shapes) == pytest.approx(np.array(expected))


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
