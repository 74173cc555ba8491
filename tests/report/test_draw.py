from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, plan_of
from mbv2cli.inspection import ModelSpec, Plan
from mbv2cli.report.draw.feature_maps import draw, drawing_of, picture_of
from mbv2cli.report.picture import Heading
from mbv2cli.report.text import described
from mbv2cli.specs.reader import Request, read_request
from tests.process import mbv2_here
from tests.strategies import block_specs, network_specs

TARGETS = (
    *("block", "block:in=24,out=24", "block:expand=1", "block:stride=2", "block:dilation=3"),
    *("network", "network:width_mult=0.35,size=96", "network:stages=t1c8k5/t3c16s2k7n9,classes=0"),
    *("mcunet_035_144", "deeplab_os16"),
)


def texts_of(spec: ModelSpec, input_: InputSpec) -> Iterator[tuple[str, Any]]:
    """Yield each text of a picture and its box in points."""
    plan = plan_of(spec, input_)
    picture = picture_of(drawing_of(plan, Heading(described(Request("", spec, input_)))))
    canvas = FigureCanvasAgg(picture)
    canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib's
    for text in picture.findobj(Text):
        if text.get_text():
            yield text.get_text(), text.get_window_extent()
    yield "", picture.bbox


def assert_nothing_overlaps(spec: ModelSpec, input_: InputSpec) -> None:
    *texts, (_, whole) = texts_of(spec, input_)
    for text, box in texts:
        assert whole.x0 <= box.x0 <= box.x1 <= whole.x1, text
        assert whole.y0 <= box.y0 <= box.y1 <= whole.y1, text
    for (one, box), (other, another) in combinations(texts, 2):
        assert not (
            min(box.x1, another.x1) > max(box.x0, another.x0)
            and min(box.y1, another.y1) > max(box.y0, another.y0)
        ), (one, other)


@pytest.mark.parametrize("target", TARGETS)
def test_no_text_lies_over_another_and_none_is_cut(target: str) -> None:
    request = read_request(target)
    assert_nothing_overlaps(request.spec, request.input)


@given(block_specs())
@settings(max_examples=15)
def test_no_text_of_any_block_lies_over_another(spec: BlockSpec) -> None:
    assert_nothing_overlaps(spec, InputSpec(size=(64, 48)))


@given(network_specs())
@settings(max_examples=10)
def test_no_text_of_any_network_lies_over_another(spec: NetworkSpec) -> None:
    assert_nothing_overlaps(spec, InputSpec(size=(64, 48)))


def numbers_of(plan: Plan) -> set[str]:
    """Return the numbers of a plan that a picture may show: sides, channels, MACs."""
    stages: dict[str, int] = {}
    for layer in plan.layers:
        stages[layer.stage] = stages.get(layer.stage, 0) + layer.macs
    macs = {*stages.values(), *(layer.macs for layer in plan.layers)}
    sides = {side for shape in plan.graph.shapes for side in shape}
    return {f"{count:,}" for count in macs} | set(map(str, sides))


@pytest.mark.parametrize("target", TARGETS)
def test_every_number_in_the_picture_is_the_plan_s(target: str) -> None:
    request = read_request(target)
    plan = plan_of(request.spec, request.input)
    picture = ET.fromstring(draw(drawing_of(plan, Heading("")), ".svg"))  # noqa: S314  (our own)
    shown = [text.text or "" for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    macs = [text for text in shown if "MACs" in text]
    shapes = [text for text in shown if re.fullmatch(r"\d+(×\d+×\d+)?", text)]
    assert len(macs) + 1 == len(shapes) >= 3
    for text in (*macs, *shapes):
        assert set(re.findall(r"[\d,]+", text)) <= numbers_of(plan)


def test_the_same_model_is_the_same_file(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        assert mbv2_here("draw", "network", "--output", str(tmp_path / name)) == (0, "", "")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert mbv2_here("draw", "--output", str(tmp_path / "a.png")).code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--output is missing"),
        (("--output", "block.pdf"), "--output must end in .svg or .png, not 'block.pdf'"),
        (("nework", "--output", "a.svg"), "did you mean 'network'?"),
        (("--output", "no/such/a.svg"), "cannot write no/such/a.svg"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], words: str) -> None:
    result = mbv2_here("draw", *arguments)
    assert (result.code, result.stdout) == (2, "")
    assert words in result.stderr
