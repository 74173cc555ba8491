"""Pages of the HTML format, read back: elements, tables, data."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any, NamedTuple

VOID = {"meta", "br", "input"}


class Cell(NamedTuple):
    """A cell of a table: its text, and its amount as it is written."""

    text: str
    amount: str | None


class Row(NamedTuple):
    """A row of the body of a table; ``depth`` is None for a row that is no group."""

    depth: str | None
    cells: tuple[Cell, ...]


def amount_in(text: str) -> str | None:
    """Return the number that a text is, without its commas."""
    plain = text.replace(",", "")
    return plain if re.fullmatch(r"-?\d+(\.\d+)?", plain) else None


class PageParser(HTMLParser):
    """Reads a page. Raises `AssertionError` where an end tag is missing or has no start tag."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.attributes: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.tables: dict[str, list[Row]] = {}
        self.headings: dict[str, list[str]] = {}
        self._caption = ""
        self._pieces: list[str] = []
        self._row: tuple[str | None, list[Cell]] = (None, [])
        self._amount: str | None = None
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert len(found) == len(attrs)
        self.elements.append(tag)
        self.attributes += found
        if tag == "br":
            self._pieces.append(" ")
        if tag in VOID:
            return
        self.open.append(tag)
        if tag in ("td", "th", "caption"):
            self._pieces, self._amount = [], found.get("data-value")
        if tag == "tr":
            self._row = (found.get("data-depth"), [])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += dict(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        text = "".join(self._pieces)
        if tag == "caption":
            self._caption = text
            self.tables[text], self.headings[text] = [], []
        elif tag in ("td", "th") and "thead" in self.open:
            self.headings[self._caption].append(text)
        elif tag in ("td", "th"):
            self._row[1].append(Cell(text, self._amount or amount_in(text)))
        elif tag == "tr" and "tbody" in self.open:
            self.tables[self._caption].append(Row(self._row[0], tuple(self._row[1])))

    def handle_data(self, data: str) -> None:
        self._pieces.append(data)
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    @property
    def data(self) -> Any:
        """The values that the script reads."""
        return json.loads(self.texts["script"][0])

    def column(self, caption: str, heading: str, depth: str | None = None) -> list[Cell]:
        """Return the cells of a column, of the rows of one depth."""
        place = self.headings[caption].index(heading)
        return [row.cells[place] for row in self.tables[caption] if row.depth == depth]
