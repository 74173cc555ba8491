"""Pictures inside a page: in fewer signs than in their own file, and the same drawing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from mbv2cli.costs.memory import LAYERWISE
from mbv2cli.inspection import Model
from mbv2cli.report.draw.pictures import draw_cost, draw_memory, draw_roofline, draw_shapes
from mbv2cli.report.html.svg import figure
from mbv2cli.report.picture import Heading
from tests.report.draw.geometry import OWN, model_named

STYLE: Final = {
    "fill": "",
    "stroke": "none",
    "stroke-dasharray": "none",
    "stroke-linejoin": "round",
    "stroke-linecap": "butt",
    "text-anchor": "start",
    "font-size": "",
    "font-weight": "",
    "href": "",
    "id": "",
    "clip-path": "",
}
PICTURES: Final[Mapping[str, Callable[[Heading, Model], bytes]]] = {
    "shapes": lambda heading, model: draw_shapes(heading, model, ".svg"),
    "cost": lambda heading, model: draw_cost(heading, model, LAYERWISE, "float32", ".svg"),
    "memory": lambda heading, model: draw_memory(heading, model, LAYERWISE, "float32", ".svg"),
    "roofline": lambda heading, model: draw_roofline(heading, model, "float32", ".svg"),
}


def drawn(parent: ET.Element, around: Mapping[str, str]) -> Iterator[tuple[object, ...]]:
    """Yield each shape and text with all that it takes from the elements around it."""
    for element in parent:
        tag = element.tag.rpartition("}")[2]
        own = {key.rpartition("}")[2]: text for key, text in element.attrib.items()}
        own |= dict(re.findall(r"([\w-]+): ([^;]+)", own.get("style", "")))
        found = {**around, **own}
        path = found.get("d", "")
        if tag not in ("path", "rect", "text", "use"):
            yield from drawn(element, {**found, "id": ""})
        elif not path or len(numbers(path)) > 2:  # a path to one place is nothing
            where = [found.get(key, "") for key in ("d", "x", "y", "transform", "stroke-width")]
            style = [found.get(key, default).replace("one-", "") for key, default in STYLE.items()]
            yield (tag, element.text and element.text.strip(), *map(numbers, where), *style)


def numbers(text: str) -> list[float]:
    """Return the numbers of an attribute to a hundredth; none for a turn by 0 degrees."""
    found = [round(float(one), 2) for one in re.findall(r"-?\d+\.?\d*", text)]
    return [] if text.startswith("rotate(-0 ") else found


@pytest.mark.parametrize("what", PICTURES)
def test_a_page_shows_what_the_file_shows_in_half_the_signs(what: str) -> None:
    content = PICTURES[what](*model_named(OWN))
    text = figure(content, "one", "A picture")
    short = ET.fromstring(text.partition("</svg>")[0].partition("\n")[2] + "</svg>")  # noqa: S314
    svg = ET.fromstring(content)  # noqa: S314  (our own)
    assert len(text) < len(content) / 2
    assert sorted(drawn(short, short.attrib), key=str) == sorted(drawn(svg, {}), key=str)
