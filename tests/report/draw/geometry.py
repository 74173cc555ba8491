"""Where the texts of a picture are, and the models that every kind of picture is tested with."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from itertools import combinations, pairwise
from typing import Any
from xml.etree import ElementTree as ET

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from torch import Tensor, cat, nn

from mbv2cli.inspection import Model, Observed, plan_of
from mbv2cli.nn.own import run_instance
from mbv2cli.report.draw.pictures import heading_of
from mbv2cli.report.picture import Heading
from mbv2cli.specs.module import TensorSpec
from mbv2cli.specs.reader import read_request

TARGETS = (
    *("block", "block:in=24,out=24", "block:expand=1", "block:stride=2", "block:dilation=3"),
    *("block:in=1,out=1,expand=1,size=1", "block:in=4096,out=4096,expand=10,size=7,stride=2x1"),
    *("network", "network:width_mult=0.35,size=96", "network:stages=t1c8k5/t3c16s2k7n9,classes=0"),
    *("mcunet_035_144", "deeplab_os16"),
)
OWN = "a module of one's own"
MODELS = (*TARGETS, OWN)


class Up(nn.Module):
    """Joins an image with a larger one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2)
        self.conv = nn.Conv2d(channels, 8, 3, padding=1)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        y: Tensor = self.conv(cat([self.up(x), other], 1))
        return y


def repeated(count: int) -> nn.Sequential:
    """Return blocks that are alike."""
    return nn.Sequential(*(nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU()) for _ in range(count)))


class Net(nn.Module):
    """Has values that skip modules, blocks that are alike, two outputs and hostile names."""

    def __init__(self) -> None:
        super().__init__()
        self.add_module("<script>$\\frac$", nn.Conv2d(3, 8, 3, padding=1))
        self.down = nn.Conv2d(8, 8, 3, padding=1, stride=2)
        self.stages = repeated(3)
        self.add_module("W" * 150, nn.BatchNorm2d(8))
        self.up = Up(16)
        self.add_module("\u202e\x1b[31m層", nn.Conv2d(8, 8, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first, down, stages, norm, up, last = self.children()
        wide = first(x)
        narrow = norm(stages(down(wide)))
        y: Tensor = up(narrow, wide)
        return last(y), narrow.mean((2, 3))


@cache
def own_model() -> Observed:
    """Return the model of a module of one's own."""
    return Observed(run_instance(Net(), (TensorSpec((1, 3, 16, 16)),)).graph)


def model_named(name: str) -> tuple[Heading, Model]:
    """Return a model of ``MODELS``, and the heading of its pictures."""
    if name == OWN:
        return Heading("my_model.py:Net()"), own_model()
    request = read_request(name)
    return heading_of(request), plan_of(request.spec, request.input)


def texts_of(picture: Figure) -> list[str]:
    """Return the texts of a picture as a reader sees them, in the order in which they were written.

    Asserts that no text lies over another one, and that none is cut at an edge.
    """
    boxes, whole = list(_boxes(picture)), picture.bbox
    for text, box in boxes:
        assert whole.x0 <= box.x0 <= box.x1 <= whole.x1, text
        assert whole.y0 <= box.y0 <= box.y1 <= whole.y1, text
    for (one, box), (other, another) in combinations(boxes, 2):
        assert not (
            min(box.x1, another.x1) > max(box.x0, another.x0)
            and min(box.y1, another.y1) > max(box.y0, another.y0)
        ), (one, other)
    return [text.replace(r"\$", "$") for text, _ in boxes]


def _boxes(picture: Figure) -> Iterator[tuple[str, Any]]:
    """Yield each text of a picture and its box in points."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        picture.draw_without_rendering()
        for text in picture.findobj(Text):
            if text.get_visible() and text.get_text():
                yield text.get_text(), text.get_window_extent()


def assert_no_line_crosses_a_text(picture: Figure) -> None:
    """Assert that no line, and no edge of a rectangle, passes through the box of a text."""
    boxes = list(_boxes(picture))
    for corners in _corners(picture):
        for (a, b), (c, d) in pairwise(corners):
            low, left, high, right = min(b, d), min(a, c), max(b, d), max(a, c)
            for text, box in boxes:
                is_apart = left > box.x1 or right < box.x0 or low > box.y1 or high < box.y0
                assert is_apart, text


def lines_of(picture: Figure) -> Iterator[Any]:
    """Yield the corners of each line of a picture."""
    for line in picture.findobj(Line2D):
        corners = line.get_transform().transform(line.get_xydata())
        if len(corners) > 1:
            yield corners


def _corners(picture: Figure) -> Iterator[Any]:
    """Yield the corners of each line and of each rectangle of a picture."""
    yield from lines_of(picture)
    for one in picture.findobj(Rectangle):
        yield one.get_transform().transform(one.get_path().vertices)


def svg_texts(picture: bytes) -> list[str]:
    """Return the texts of an SVG in the order in which they were written."""
    root = ET.fromstring(picture)  # noqa: S314  (our own)
    return [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
