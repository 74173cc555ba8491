"""A page for people: lines and tables with styles. Every command shows its results as one.

In a pipe or a file, a table has every column. On a terminal, a table leaves out columns that do
not fit and says which. A sentence is wrapped between words. No number is broken or cut.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, NamedTuple, TypeAlias
from unicodedata import east_asian_width

BOLD: Final = "bold"
DIM: Final = "dim"
GOOD: Final = "green"
BAD: Final = "bold red"
WARNING: Final = "yellow"

_SENTENCE_WIDTH: Final = 80
"""The columns after which a sentence is wrapped where no terminal sets a width."""


class Line(NamedTuple):
    """A line and its style, in the words of rich. ``indent`` starts the lines that it wraps to."""

    text: str = ""
    style: str = ""
    indent: str = ""


class Column(NamedTuple):
    """The title and the cells of a column. Numbers are aligned on the right.

    Columns of a low ``rank`` are shown first; those of rank 0 are always shown. ``narrow`` has
    shorter cells for a narrow terminal. ``styles`` has a style for each cell, in place of the
    style of its row.
    """

    title: str
    cells: Sequence[str]
    is_number: bool = False
    rank: int = 0
    narrow: Sequence[str] | None = None
    styles: Sequence[str] = ()

    @property
    def width(self) -> int:
        """The columns that the widest cell takes on a terminal."""
        return max(map(_width, (self.title, *self.cells)))


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of cells, in the order in which they are shown.

    ``styles`` has a style for each row; ``notes`` has the lines below a row, by its number.
    """

    columns: Sequence[Column]
    styles: Sequence[str] = ()
    notes: Mapping[int, Sequence[Line]] = field(default_factory=dict)


Block: TypeAlias = Line | Table


@dataclass(frozen=True, slots=True)
class Page:
    """Lines and tables, one below the other."""

    blocks: tuple[Block, ...]

    @property
    def text(self) -> str:
        """The page as plain text, for pipes and files."""
        lines = ("".join(text for text, *_ in pieces).rstrip() for pieces in fitted(self))
        return "".join(f"{line}\n" for line in lines)


def page(blocks: Iterable[Block]) -> Page:
    """Return the page of these blocks."""
    return Page(tuple(blocks))


def fitted(page: Page, width: int | None = None) -> Iterator[Sequence[Line]]:
    """Yield each line of a page, as pieces that have a style each.

    ``width`` is that of the terminal; None for a pipe or a file.
    """
    for block in page.blocks:
        if isinstance(block, Line):
            yield from _wrapped(block, width)
        else:
            yield from _table_lines(block, width)


def _wrapped(line: Line, width: int | None) -> Iterator[Sequence[Line]]:
    width = width or _SENTENCE_WIDTH
    if len(line.text) <= width or len(line.text.split()) == 1:
        yield (line,)
        return
    texts = textwrap.wrap(
        line.text,
        width,
        subsequent_indent=line.indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for text in texts:
        yield (Line(text, line.style),)


def _table_lines(table: Table, width: int | None) -> Iterator[Sequence[Line]]:
    shown = table.columns if width is None else _that_fit(table.columns, width)
    cells = zip(*map(_pieces, shown), strict=True)
    styles = chain([BOLD], table.styles or [""] * len(table.columns[0].cells))
    for number, (row, style) in enumerate(zip(cells, styles, strict=True), start=-1):
        yield _joined(row, style)
        for note in table.notes.get(number, ()):
            yield from _wrapped(note, width)
    hidden = [column.title for column in table.columns if not _is_among(column, shown)]
    if hidden:
        text = f"Not shown in {width} columns: {', '.join(hidden)}."
        yield from _wrapped(Line(text, DIM), width)


def _is_among(column: Column, shown: Iterable[Column]) -> bool:
    return any(one.title == column.title for one in shown)


def _that_fit(columns: Sequence[Column], width: int) -> list[Column]:
    """Return the columns of the lowest ranks that fit in ``width`` together, in their order."""
    chosen: dict[int, Column] = {}
    left = width + 1
    for number in sorted(range(len(columns)), key=lambda number: columns[number].rank):
        column = columns[number]
        if column.narrow is not None and column.width + 1 > left:
            column = column._replace(cells=column.narrow)
        if column.rank == 0 or column.width + 1 <= left:
            chosen[number] = column
            left -= column.width + 1
    return [chosen[number] for number in sorted(chosen)]


def _pieces(column: Column) -> Iterator[Line]:
    """Yield the title and the cells, filled with spaces to the same width."""
    widest = column.width
    styles = chain([""], column.styles or [""] * len(column.cells))
    for text, style in zip((column.title, *column.cells), styles, strict=True):
        gap = " " * (widest - _width(text))
        yield Line(gap + text if column.is_number else text + gap, style)


def _joined(row: Sequence[Line], style: str) -> list[Line]:
    """Return the cells of a row with a space between them."""
    pieces: list[Line] = []
    for text, own, _ in row:
        pieces += [Line(text, own or style), Line(" ", style)]
    return pieces[:-1]


def _width(text: str) -> int:
    """Return the columns that a text takes on a terminal: two for each wide sign."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)
