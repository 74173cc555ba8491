"""Pictures of matplotlib inside a page."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

from mbv2cli.report.html.skeleton import shown_text

_SVG: Final = "{http://www.w3.org/2000/svg}"
_LINK: Final = "{http://www.w3.org/1999/xlink}href"
_REFERENCE: Final = re.compile(r"url\(#([\w-]+)\)")


def figure(picture: bytes, name: str, label: str) -> str:
    """Return an SVG file of matplotlib as a figure of a page, with ``label`` below it.

    ``name`` starts each id, so that a page can have several pictures.
    """
    svg = ET.fromstring(picture)  # noqa: S314  (our own)
    for parent in list(svg.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    for element in svg.iter():
        element.tag = element.tag.removeprefix(_SVG)
        element.attrib.update(_renamed(dict(element.attrib), name))
        element.attrib.pop(_LINK, None)
    width, height = svg.attrib["viewBox"].split()[2:]
    # what matplotlib's style element says of every line
    svg.attrib.update({"stroke-linejoin": "round", "stroke-linecap": "butt"})
    svg.attrib.update({"role": "img", "aria-label": label, "width": width, "height": height})
    text = ET.tostring(svg, encoding="us-ascii").decode()
    return f"<figure>\n{text}\n<figcaption>{shown_text(label)}</figcaption>\n</figure>"


def _renamed(attributes: dict[str, str], name: str) -> dict[str, str]:
    """Return the attributes that name an element or refer to one, under new names."""
    found = {
        key: _REFERENCE.sub(rf"url(#{name}-\1)", value)
        for key, value in attributes.items()
        if "url(#" in value
    }
    if "id" in attributes:
        found["id"] = f"{name}-{attributes['id']}"
    if _LINK in attributes:
        found["href"] = f"#{name}-{attributes[_LINK][1:]}"
    return found
