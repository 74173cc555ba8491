"""The summary on a terminal: bold containers, functional operations dimmed, folded if narrow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from mbv2cli.report.summary import table
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.summary.table import Line, Table


def header(report: SummaryReport) -> Group:
    """Return what is known before the forward pass has run."""
    return _texts(table.header(report))


def body(report: SummaryReport) -> Group:
    """Return the table and the closing figures."""
    return Group(_TerminalTable(report), _texts(table.footer(report)))


def _texts(lines: Iterable[Line]) -> Group:
    return Group(*(Text(line.text, style=line.style) for line in lines))


@dataclass(frozen=True, slots=True)
class _TerminalTable:
    """Shows whole module paths if they fit, else short ones. Folds cells if these do not fit."""

    report: SummaryReport

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for short_paths in (False, True):
            shown = table.table(self.report, short_paths=short_paths, ascii_only=options.ascii_only)
            lines = shown.lines
            if Text(lines[0].text).cell_len <= options.max_width:
                for text, style in lines:
                    yield Segment(text, console.get_style(style) if style else None)
                    yield Segment.line()
                return
        yield _folded(shown)


def _folded(shown: Table) -> RenderableType:
    from rich.table import Table as FoldingTable

    folded = FoldingTable(box=None, padding=(0, 1), pad_edge=False, collapse_padding=True)
    for title, number in zip(shown.titles, shown.is_number, strict=True):
        folded.add_column(title, justify="right" if number else "left", overflow="fold")
    for row, style in zip(shown.rows, shown.styles, strict=True):
        folded.add_row(*row, style=style)
    return folded
