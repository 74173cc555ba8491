"""Tables of a page: plain ones, and tables that sort by a column and fold by group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from mbv2cli.report.html.skeleton import TOO_LARGE, class_of, paragraphs, shown_text, size_of
from mbv2cli.report.page import Line

LEAF: Final = -1
"""The depth of a row that is no group."""

_ALIGNED: Final = 12
"""The columns that ``page.css`` can align from the table; cells of later ones say it themselves."""


class Cell(NamedTuple):
    """A text, the amount that it stands for, and its style in the words of `report.page`."""

    text: str
    amount: float | None = None
    style: str = ""


class Heading(NamedTuple):
    """The title of a column. Numbers are aligned on the right; code has letters of one width."""

    title: str
    is_number: bool = False
    is_code: bool = False


class Row(NamedTuple):
    """The cells of a row. The rows of a group follow its own row, down to the next of its depth.

    A group that is in no other has depth 0.
    """

    cells: Sequence[Cell]
    depth: int = LEAF
    style: str = ""


class Table(NamedTuple):
    """A table; its caption says what a row is."""

    caption: str
    headings: Sequence[Heading]
    rows: Sequence[Row]


def plain_table(table: Table) -> str:
    """Return a table as HTML."""
    return _table(table, "plain")


def sortable_table(table: Table) -> str:
    """Return a table as HTML that sorts by each column and folds each group."""
    return _table(table, "sortable")


def first_rows(table: Table, room: int) -> str:
    """Return a sortable table of the first rows, as many as take at most ``room`` bytes.

    A sentence below it counts the others.
    """
    sizes = accumulate(size_of(_row(row, table.headings)) + 1 for row in table.rows)
    number = sum(size <= room for size in sizes)
    text = sortable_table(table._replace(rows=table.rows[:number]))
    left = len(table.rows) - number
    if not left:
        return text
    sentence = (
        f"{left:,} more rows are not here, because they {TOO_LARGE}. --format json has every row."
    )
    return f"{text}\n{paragraphs([Line(sentence)])}"


def _table(table: Table, kind: str) -> str:
    caption = shown_text(table.caption)
    headings = "".join(map(_heading, table.headings))
    rows = "\n".join(_row(row, table.headings) for row in table.rows)
    classes = _classes([kind, *_columns(table.headings)])
    return (
        f'<div class="wide" role="region" aria-label="{caption}" tabindex="0">\n'
        f"<table{classes}>\n<caption>{caption}</caption>\n"
        f"<thead><tr>{headings}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>"
    )


def _columns(headings: Sequence[Heading]) -> Iterator[str]:
    """Yield the classes of a table whose columns hold numbers or code: ``n3``, ``c4``."""
    for number, heading in enumerate(headings[:_ALIGNED], start=1):
        yield from (f"{name}{number}" for name in _names(heading))


def _names(heading: Heading) -> list[str]:
    return ["n"] * heading.is_number + ["c"] * heading.is_code


def _heading(heading: Heading) -> str:
    title = "<br>".join(map(shown_text, heading.title.split("\n")))
    return f'<th scope="col"{_classes(["n"] if heading.is_number else [])}>{title}</th>'


def _row(row: Row, headings: Sequence[Heading]) -> str:
    """Return a row. Without a scope, a heading is that of its row: other cells are beside it."""
    depth = "" if row.depth == LEAF else f' data-depth="{row.depth}"'
    own = [[] if number < _ALIGNED else _names(one) for number, one in enumerate(headings)]
    first, *others = map(_cell, row.cells, own)
    scope = "" if row.depth == LEAF else ' scope="rowgroup"'
    cells = f"<th{scope}{first}</th>" + "".join(f"<td{other}</td>" for other in others)
    return f"<tr{depth}{_classes([class_of(row.style)])}>{cells}</tr>"


def _cell(cell: Cell, names: Sequence[str]) -> str:
    """Return the rest of the first tag of a cell, and its text.

    An amount stands beside the text if the text is another number, or none. A cell without a text
    has no amount: zeros that say nothing are last in any order.
    """
    is_said = not cell.text or cell.amount is None or str(cell.amount) == cell.text.replace(",", "")
    amount = "" if is_said else f' data-value="{cell.amount}"'
    return f"{_classes([*names, class_of(cell.style)])}{amount}>{shown_text(cell.text)}"


def _classes(names: Iterable[str]) -> str:
    text = " ".join(filter(None, names))
    return f' class="{text}"' if text else ""
