"""Lays out a guide for a terminal. Rich's Markdown cuts words and numbers where a line is short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final, NamedTuple, Self

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
_GAP: Final = 3
"""The columns that a table takes for each column, beside its cells."""

_INDENT: Final = 2


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
        columns = [_Column.of(console, cells) for cells in zip(titles, *rows, strict=True)]
        columns[0] = columns[0]._replace(least=columns[0].most)  # names are not wrapped
        left = options.max_width - _GAP * len(columns) - sum(one.least for one in columns)
        if left < 0:
            yield from _stacked(titles, rows)
        else:
            yield _side_by_side(titles, rows, _widened(columns, left))


class _Column(NamedTuple):
    """The width that a column needs to be read, and the width of its longest cell."""

    least: int
    most: int

    @classmethod
    def of(cls, console: Console, cells: Sequence[Text]) -> Self:
        """Return the widths of a column."""
        options = console.options.update(max_width=_UNLIMITED)
        found = [Measurement.get(console, options, cell) for cell in cells]
        most = max(cell.maximum for cell in found)
        return cls(max(min(_READABLE, most), *(cell.minimum for cell in found)), most)


def _widened(columns: Sequence[_Column], left: int) -> list[int]:
    """Return the widths of the columns: what is left goes to those that lack most."""
    widths = [one.least for one in columns]
    for _ in range(left):
        lack = [one.most - width for one, width in zip(columns, widths, strict=True)]
        if max(lack) > 0:
            widths[lack.index(max(lack))] += 1
    return widths


def _side_by_side(
    titles: Sequence[Text], rows: Sequence[Sequence[Text]], widths: Sequence[int]
) -> Table:
    table = Table(
        box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0), style="markdown.table.border"
    )
    for title, width in zip(titles, widths, strict=True):
        table.add_column(_styled(title), width=width)
    for row in rows:
        table.add_row(*row)
    return table


def _stacked(titles: Sequence[Text], rows: Sequence[Sequence[Text]]) -> RenderResult:
    """Yield the cells of each row below each other, behind their titles."""
    yield Text()
    for first, *others in rows:
        yield Text.assemble(titles[0], ": ", first)
        for title, cell in zip(titles[1:], others, strict=True):
            if cell.plain:
                yield Padding(Text.assemble(title, ": ", cell), (0, 0, 0, _INDENT))


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
