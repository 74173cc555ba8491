"""A page for people: lines and tables with styles. Every command shows its results as one.

In a pipe or a file, a table has every column. On a terminal, a table leaves out columns that do
not fit and says which. A sentence is wrapped between words. No number is broken or cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from mbv2cli.shown import shown

BOLD: Final = "bold"
DIM: Final = "dim"
GOOD: Final = "green"
BAD: Final = "bold red"
WARNING: Final = "yellow"

_SENTENCE_WIDTH: Final = 80
"""The columns after which a sentence is wrapped where no terminal sets a width."""

_BREAK: Final = re.compile(r" (?=\S)(?![\d, ]*\])(?!(?:[kMGT]|[KMGT]iB|[MG]?B|%)(?!\w))")
"""Where a line may be broken: not inside a shape, and not between a number and its unit."""

_NARROW: Final = "[ -\u02ffα–…≤≥─-█]*"
"""Texts of one column a sign: Latin letters, and the signs of our own tables."""


class Line(NamedTuple):
    """A line and its style, in the words of rich. ``indent`` starts the lines that it wraps to."""

    text: str = ""
    style: str = ""
    indent: str = ""


class Column(NamedTuple):
    """The title and the cells of a column. Numbers are aligned on the right.

    A title may have several lines. Columns of a low ``rank`` are shown first. The first of them
    and each of rank 0 are always shown. ``narrow`` has shorter cells for a narrow terminal.
    ``styles`` has a style for each cell, in place of the style of its row.
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
        return max(map(_width, (*self.title.split("\n"), *self.cells)))


class Table(NamedTuple):
    """Columns of cells, in the order in which they are shown.

    ``styles`` has a style for each row; ``notes`` has the lines below a row, by its number.
    ``narrow`` has lines for a terminal on which the columns of rank 0 do not fit together.
    """

    columns: Sequence[Column]
    styles: Sequence[str] = ()
    notes: Mapping[int, Sequence[Line]] = MappingProxyType({})
    narrow: Sequence[Line] = ()


Block: TypeAlias = Line | Table


class Page(NamedTuple):
    """Lines and tables, one below the other."""

    blocks: tuple[Block, ...]

    @property
    def text(self) -> str:
        """The page as plain text, for pipes and files."""
        lines = ("".join(text for text, *_ in pieces) for pieces in fitted(self))
        return "".join(f"{line}\n" for line in lines)


def page(blocks: Iterable[Block]) -> Page:
    """Return the page of these blocks."""
    return Page(tuple(blocks))


def plain(text: str) -> Line:
    """Return a line under a heading."""
    return Line(f"  {text}", "", "  ")


def detail(text: str) -> Line:
    """Return a dim line under a heading."""
    return Line(f"  {text}", DIM, "  ")


def fitted(page: Page, width: int | None = None) -> Iterator[Sequence[Line]]:
    """Yield each line of a page, as pieces that have a style each.

    ``width`` is that of the terminal; None for a pipe or a file.
    """
    for block in page.blocks:
        if isinstance(block, Line):
            yield from wrapped(block, width)
        elif width is not None and block.narrow and _needs(block.columns) > width:
            for line in block.narrow:
                yield from wrapped(line, width)
        else:
            yield from _table_lines(block, width)


def wrapped(line: Line, width: int | None) -> Iterator[Sequence[Line]]:
    """Yield a line in parts that fit, broken between words and not inside a number."""
    width = width or _SENTENCE_WIDTH
    words = line.text.lstrip(" ")
    text, *more = _BREAK.split(shown(words))
    text = " " * (len(line.text) - len(words)) + text
    for word in more:
        if _width(text) + 1 + _width(word) <= width:
            text = f"{text} {word}"
        else:
            yield (Line(text, line.style),)
            text = line.indent + word
    yield (Line(text, line.style),)


def _table_lines(table: Table, width: int | None) -> Iterator[Sequence[Line]]:
    columns = list(map(_as_text, table.columns))
    fitting = dict(enumerate(columns)) if width is None else _that_fit(columns, width)
    height = max(column.title.count("\n") for column in fitting.values()) + 1
    rows = zip(*(_pieces(column, height) for column in fitting.values()), strict=True)
    styles = chain([""] * height, table.styles or [""] * len(table.columns[0].cells))
    for number, (row, style) in enumerate(zip(rows, styles, strict=True), start=-height):
        yield _joined(row, style)
        for note in table.notes.get(number, ()):
            yield from wrapped(note, width)
    hidden = [
        column.title.replace("\n", " ")
        for number, column in enumerate(columns)
        if number not in fitting
    ]
    if hidden:
        text = f"Not shown in {width} columns: {', '.join(hidden)}."
        yield from wrapped(Line(text, DIM), width)


def _needs(columns: Sequence[Column]) -> int:
    """Return the width that the columns of rank 0 need together."""
    return _together(map(_narrowed, (one for one in columns if one.rank == 0)))


def _narrowed(column: Column) -> Column:
    return column if column.narrow is None else column._replace(cells=column.narrow)


def _together(columns: Iterable[Column]) -> int:
    """Return the width of columns with a space between them."""
    return sum(column.width + 1 for column in columns) - 1


def _as_text(column: Column) -> Column:
    narrow = None if column.narrow is None else list(map(shown, column.narrow))
    return column._replace(cells=list(map(shown, column.cells)), narrow=narrow)


def _that_fit(columns: Sequence[Column], width: int) -> dict[int, Column]:
    """Return the columns that fit in ``width`` together, by their numbers, in their order.

    Narrow cells take the place of the others where the columns that are always shown do not fit,
    or where more columns fit then.
    """
    chosen = _chosen(columns, width)
    if len(chosen) == len(columns):
        return chosen
    narrow = _chosen([*map(_narrowed, columns)], width)
    return max(chosen, narrow, key=lambda one: (_together(one.values()) <= width, len(one)))


def _chosen(columns: Sequence[Column], width: int) -> dict[int, Column]:
    """Return the columns that fit; those of a low rank are chosen first."""
    chosen: dict[int, Column] = {}
    left = width + 1
    for number in sorted(range(len(columns)), key=lambda number: columns[number].rank):
        column = columns[number]
        if column.narrow is not None and column.width + 1 > left:
            column = _narrowed(column)
        if not chosen or column.rank == 0 or column.width + 1 <= left:
            chosen[number] = column
            left -= column.width + 1
    return {number: chosen[number] for number in sorted(chosen)}


def _pieces(column: Column, height: int) -> Iterator[Line]:
    """Yield the ``height`` lines of the title and the cells, each filled to the same width."""
    widest = column.width
    title = column.title.split("\n")
    texts = chain([""] * (height - len(title)), title, column.cells)
    styles = chain([BOLD] * height, column.styles or [""] * len(column.cells))
    for text, style in zip(texts, styles, strict=True):
        gap = " " * (widest - _width(text))
        yield Line(gap + text if column.is_number else text + gap, style)


def _joined(row: Sequence[Line], style: str) -> list[Line]:
    """Return the cells of a row with a space between them and none at the end."""
    pieces: list[Line] = []
    for text, own, _ in row:
        pieces += [Line(text, own or style), Line(" ", style)]
    while pieces and not pieces[-1].text.strip(" "):
        pieces.pop()
    return [*pieces[:-1], *(last._replace(text=last.text.rstrip(" ")) for last in pieces[-1:])]


def _width(text: str) -> int:
    """Return the columns that a text takes on a terminal."""
    if text.isascii() or re.fullmatch(_NARROW, text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
