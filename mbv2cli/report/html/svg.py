"""Pictures of matplotlib inside a page, in fewer signs than in their own file.

What is left out says nothing: ids without a reference, groups of one element, default values,
digits beyond a hundredth of a point. What neighbours have in common is said once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import Final
from xml.etree import ElementTree as ET

from mbv2cli.report.html.skeleton import shown_text

_SVG: Final = "{http://www.w3.org/2000/svg}"
_LINK: Final = "{http://www.w3.org/1999/xlink}href"
_REFERENCE: Final = re.compile(r"url\(#([\w-]+)\)")
_NUMBER: Final = re.compile(r"-?\d+\.\d+")
_STEP_OF_PATH: Final = re.compile(r"([A-Za-z])([^A-Za-z]*)")

_ROOT: Final = {"stroke-linejoin": "round", "stroke-linecap": "butt", "text-anchor": "start"}
"""What a picture says once: the style element of matplotlib, and the values that it repeats."""

_OWN: Final = frozenset({"d", "href", "id", "opacity", "transform", "x", "y"})
"""Attributes that an element does not take from the group around it."""


def figure(picture: bytes, name: str, label: str) -> str:
    """Return an SVG file of matplotlib as a figure of a page, with ``label`` below it.

    ``name`` starts each id, so that a page can have several pictures.
    """
    svg = ET.fromstring(picture)  # noqa: S314  (our own)
    font = _font_of(picture)
    for element in svg.iter():
        element.tag = element.tag.removeprefix(_SVG)
        element.text = element.text if element.tag == "text" else None
        element.tail = None
        _rewrite(element, name, {**_ROOT, **font})
    width, height = svg.attrib["viewBox"].split()[2:]
    svg[:] = _in_groups(list(_drawn(svg, frozenset(_references(svg)))))
    svg.attrib.clear()
    svg.attrib.update({"viewBox": f"0 0 {width} {height}", "width": width, "height": height})
    svg.attrib.update({"role": "img", "aria-label": label, **_ROOT, **font})
    text = ET.tostring(svg, encoding="us-ascii").decode().replace(" />", "/>")
    return f"<figure>\n{text}\n<figcaption>{shown_text(label)}</figcaption>\n</figure>"


def _font_of(picture: bytes) -> dict[str, str]:
    """Return the font family of the texts of a picture, which all have the same."""
    found = re.search(rb"font-family: ([^;]+)", picture)
    return {"font-family": found[1].decode()} if found else {}


def _rewrite(element: ET.Element, name: str, root: dict[str, str]) -> None:
    """Write an element in short: its style as attributes, and ids that start with ``name``."""
    found = dict(element.attrib)
    style = found.pop("style", "")
    found |= dict(re.findall(r"([\w-]+): ([^;]+)", style))
    for key, value in found.items():
        found[key] = _NUMBER.sub(_short, _REFERENCE.sub(rf"url(#{name}-\1)", value))
    if "d" in found:
        found["d"] = _short_path(found["d"])
    if "id" in found:
        found["id"] = f"{name}-{found['id']}"
    if _LINK in found:
        found["href"] = f"#{name}-{found.pop(_LINK)[1:]}"
    if found.get("transform", "").startswith("rotate(-0 "):
        del found["transform"]
    element.attrib = {key: value for key, value in found.items() if value != root.get(key)}


def _short(number: re.Match[str]) -> str:
    """Return a number with at most two digits after the point."""
    text = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _short_path(path: str) -> str:
    """Return a path in which a letter that follows itself, or L after M, is left out."""
    pieces, before = [], ""
    for letter, numbers in _STEP_OF_PATH.findall(path):
        pieces += [" " if letter == before else letter, " ".join(numbers.split())]
        before = "L" if letter == "M" else letter
    return "".join(pieces)


def _references(svg: ET.Element) -> Iterator[str]:
    """Yield each id that an element refers to."""
    for element in svg.iter():
        for value in element.attrib.values():
            yield from _REFERENCE.findall(value)
        yield element.attrib.get("href", "").removeprefix("#")


def _drawn(elements: Iterable[ET.Element], ids: Collection[str]) -> Iterator[ET.Element]:
    """Yield what is drawn, without groups and definitions around it.

    Only those that others refer to keep their id.
    """
    for element in elements:
        if element.attrib.get("id") not in ids:
            element.attrib.pop("id", None)
        if element.tag == "g":
            yield from (_inside(element, child) for child in _drawn(element, ids))
        elif element.tag == "defs":
            yield from _drawn(element, ids)
        elif element.tag not in ("metadata", "style") and not _is_empty(element):
            yield element


def _inside(group: ET.Element, child: ET.Element) -> ET.Element:
    """Return an element with what it takes from the group that it was in."""
    if "id" not in child.attrib:
        child.attrib = {**group.attrib, **child.attrib}
    return child


def _is_empty(element: ET.Element) -> bool:
    """Return whether an element is a path to one place, which matplotlib has behind markers."""
    return element.tag == "path" and element.attrib["d"].count(" ") == 1


def _in_groups(elements: Sequence[ET.Element]) -> Iterator[ET.Element]:
    """Yield the elements, those in a row that have the same clip path and style in groups.

    Elements that others refer to come first.
    """
    named = [one for one in elements if "id" in one.attrib]
    yield from [_group("defs", {}, named)] * bool(named)
    drawn = (one for one in elements if "id" not in one.attrib)
    for clip, clipped in groupby(drawn, lambda one: one.attrib.pop("clip-path", None)):
        groups = [_styled(style, list(alike)) for style, alike in groupby(clipped, _style)]
        inside = list(chain.from_iterable(groups))
        yield from inside if clip is None else [_group("g", {"clip-path": clip}, inside)]


def _styled(style: dict[str, str], alike: Sequence[ET.Element]) -> Sequence[ET.Element]:
    """Return elements that have the same style; several as one group that has it."""
    if len(alike) == 1 or not style:
        return alike
    for element in alike:
        element.attrib = {key: value for key, value in element.attrib.items() if key in _OWN}
    return [_group("g", style, alike)]


def _style(element: ET.Element) -> dict[str, str]:
    return {key: value for key, value in element.attrib.items() if key not in _OWN}


def _group(tag: str, attributes: dict[str, str], elements: Iterable[ET.Element]) -> ET.Element:
    group = ET.Element(tag, attributes)
    group.extend(elements)
    return group
