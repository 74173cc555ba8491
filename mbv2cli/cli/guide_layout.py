"""Lays out a guide for a terminal. Rich's Markdown cuts words and numbers where a line is short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Markdown, MarkdownElement, TableElement
from rich.measure import Measurement
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from mbv2cli.report.page import Line, wrapped

_READABLE: Final = 22
"""The columns that a cell of a sentence needs at least, unless it is shorter."""

_UNLIMITED: Final = 1_000
_GAP: Final = 2
"""The columns between two cells."""


class _Code(CodeBlock):
    """A block of code whose long lines go on below, at a break between words."""

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        lines = str(self.text).rstrip().split("\n")
        parts = (part for line in lines for part in _parts(line, options.max_width - 2))
        yield Syntax("\n".join(parts), self.lexer_name, theme=self.theme, padding=1)


def _parts(line: str, width: int) -> Iterator[str]:
    """Yield a line of code in parts that fit; those after the first are indented."""
    indent = " " * (len(line) - len(line.lstrip(" ")) + 4)
    for pieces in wrapped(Line(line, "", indent), width):
        yield "".join(piece.text for piece in pieces).rstrip()


class _Table(TableElement):
    """A table or, where its columns do not fit side by side, the cells of each row as lines."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        head = self.header.row if self.header else None
        body = self.body.rows if self.body else []
        titles, *rows = ([one.content for one in row.cells] for row in (head, *body) if row)
        widths = _least_widths(console, options, [titles, *rows])
        if sum(widths) + _GAP * (len(widths) - 1) > options.max_width:
            yield from _stacked(titles, rows)
        else:
            yield _side_by_side(titles, rows, widths)


def _least_widths(
    console: Console, options: ConsoleOptions, rows: Sequence[Sequence[Text]]
) -> list[int]:
    """Return the width that each column needs to be read. The first column is never wrapped."""
    first, *others = [
        [Measurement.get(console, options.update(max_width=_UNLIMITED), cell) for cell in cells]
        for cells in zip(*rows, strict=True)
    ]
    widths = [max(cell.maximum for cell in first)]
    for cells in others:
        readable = min(_READABLE, max(cell.maximum for cell in cells))
        widths.append(max(readable, *(cell.minimum for cell in cells)))
    return widths


def _side_by_side(
    titles: Sequence[Text], rows: Sequence[Sequence[Text]], widths: Sequence[int]
) -> Table:
    table = Table(
        box=box.SIMPLE, pad_edge=False, collapse_padding=True, style="markdown.table.border"
    )
    for title, width in zip(titles, widths, strict=True):
        table.add_column(_styled(title), min_width=width)
    for row in rows:
        table.add_row(*row)
    return table


def _stacked(titles: Sequence[Text], rows: Sequence[Sequence[Text]]) -> RenderResult:
    """Yield the first cell of each row and, below it, the other cells behind their titles."""
    yield Text()
    for first, *others in rows:
        yield Text.assemble(first)
        for title, cell in zip(titles[1:], others, strict=True):
            if cell.plain:
                named = (title, ": ", cell) if len(others) > 1 else (cell,)
                yield Padding(Text.assemble(*named), (0, 0, 0, _GAP))


def _styled(title: Text) -> Text:
    title = title.copy()
    title.stylize("markdown.table.header")
    return title


class Guide(Markdown):
    """The Markdown of a guide."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "fence": _Code,
        "code_block": _Code,
        "table_open": _Table,
    }
