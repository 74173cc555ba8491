"""The picture of a search on a page: where its texts are."""

from __future__ import annotations

import re
from itertools import combinations
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest

from mbv2cli.report.picture import text_width
from tests.process import mbv2_here

SIZES = ("network", "--width-mult", "0.35:1.4:0.15", "--size", "96:224:32")
SWEEPS = (
    ("--in", "1:64:1", "--max-params", "700", "--max-macs", "30M"),
    (*SIZES, "--pareto", "params,-receptive_field", "--max-params", "6.2M"),
    (*SIZES, "--pareto", "macs,-peak", "--max-macs", "600M", "--max-peak", "9MiB"),
    (*SIZES, "--pareto", "tflm,flash", "--where", "tflm >= 300KiB", "--max-tflm", "320KiB"),
)


class Box(NamedTuple):
    """The rectangle of a text."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


def box_of(element: ET.Element) -> Box:
    text = element.text or ""
    x, y = (float(element.attrib[key]) for key in "xy")
    wide = text_width(text, 12)
    left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[element.attrib["text-anchor"]]
    if "transform" in element.attrib:  # from below to above
        return Box(text, x - 10, y - wide / 2, x + 2, y + wide / 2)
    return Box(text, left, y - 10, left + wide, y + 2)


@pytest.mark.parametrize("arguments", SWEEPS)
def test_no_text_is_cut_or_lies_over_another(arguments: tuple[str, ...]) -> None:
    result = mbv2_here("sweep", *arguments, "--format", "html")
    assert (result.code, result.stderr) == (0, "")
    found = re.search(r'<svg class="scatter".*?</svg>', result.stdout, re.DOTALL)
    assert found
    boxes = list(map(box_of, ET.fromstring(found[0]).iter("text")))  # noqa: S314  (our own)
    assert len(boxes) > 8
    for box in boxes:
        assert 0 <= box.left < box.right <= 760, box
        assert 0 <= box.top < box.bottom <= 460, box
    for one, other in combinations(boxes, 2):
        assert min(one.right, other.right) <= max(one.left, other.left) or min(
            one.bottom, other.bottom
        ) <= max(one.top, other.top), (one, other)


def test_members_at_one_place_are_counted() -> None:
    spaces = ("network", "--act", "relu,relu6,silu", "--pareto", "macs,peak")
    result = mbv2_here("sweep", *spaces, "--format", "html")
    assert result.stdout.count("KiB; 2 more members are here</title>") == 3
