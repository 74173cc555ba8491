"""`mbv2 compare` as a page for a browser: both models side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mbv2cli.gate.comparison import Comparison, GroupPair
from mbv2cli.gate.differences import LayerPair
from mbv2cli.report.compare import (
    LAYER,
    CompareReport,
    closing,
    mark,
    other_changes,
    rows_heading,
    totals,
)
from mbv2cli.report.differences import change_text, told_changes, value_text
from mbv2cli.report.html.skeleton import FRAME, MOST_BYTES, HtmlPage, Section, page_text
from mbv2cli.report.html.table import Cell, Heading, Row, Table, first_rows, plain_table
from mbv2cli.report.page import GOOD, WARNING, Line

_COLUMNS: Final[Mapping[str, Heading]] = {
    "type": Heading("Type"),
    "output_shape": Heading("Output shape", is_code=True),
    "params": Heading("Params", is_number=True),
    "macs": Heading("MACs", is_number=True),
}
"""The fields of a layer that stand side by side."""

_GROUP_COLUMNS: Final[Mapping[str, Heading]] = {"layers": Heading("Layers", is_number=True)} | {
    name: heading for name, heading in _COLUMNS.items() if name != "type"
}


def as_html(report: CompareReport, command: str) -> str:
    """Return what differs, the figures, the fields and every row that differs.

    ``command`` makes the page.
    """
    comparison = report.comparison
    page = HtmlPage(
        f"{comparison.before.name} and {comparison.after.name}",
        (
            Line(closing(comparison), WARNING if comparison.differs else GOOD),
            Line(f"A: {comparison.before.name}"),
            Line(f"B: {comparison.after.name}"),
        ),
        tuple(_sections(report)),
    )
    room = MOST_BYTES - len(page_text(page, command)) - FRAME
    return page_text(page._replace(sections=(*page.sections, *_rows(report, room))), command)


def _sections(report: CompareReport) -> Iterator[Section]:
    comparison = report.comparison
    yield Section("Figures", plain_table(_figures(comparison)))
    if comparison.found.fields:
        yield Section("Fields that differ", plain_table(_fields(comparison)))


def _rows(report: CompareReport, room: int) -> Iterator[Section]:
    """Yield the rows that differ, as many as take at most ``room`` bytes."""
    table = _layers(report) if report.by == LAYER else _groups(report)
    if table.rows:
        yield Section(f"{report.by.capitalize()}s that differ", first_rows(table, room))


def _figures(comparison: Comparison) -> Table:
    amounts = [(None, None), *((one.before, one.after) for one in comparison.found.figures)]
    rows = [
        Row(
            (
                Cell(one.what),
                Cell(one.before, before, _style(one.before, one.after)),
                Cell(one.after, after, _style(one.before, one.after)),
                Cell(one.difference),
                Cell(one.change),
            )
        )
        for one, (before, after) in zip(totals(comparison), amounts, strict=True)
    ]
    titles = ("A", "B", "B - A", "Change")
    headings = [Heading("Figure"), *(Heading(title, is_number=True) for title in titles)]
    return Table("Every figure of both models", headings, rows)


def _fields(comparison: Comparison) -> Table:
    rows = [
        Row(
            (
                Cell(change.field),
                Cell(value_text(change.before)),
                Cell(value_text(change.after)),
            )
        )
        for change in comparison.found.fields
    ]
    headings = (Heading("Field"), Heading("A"), Heading("B"))
    return Table("Fields of the model, its input and its counting", headings, rows)


def _layers(report: CompareReport) -> Table:
    pairs = report.comparison.found.differing_layers
    columns = _differing(pairs, _COLUMNS)
    rows = []
    for pair in pairs:
        last = pair.layers[-1]
        others = other_changes(list(told_changes(pair)))
        if len({layer.type for layer in pair.layers}) > 1:  # a field of one type only follows
            others = [one for one in others if None not in (one.before, one.after)]
        rows.append(
            Row(
                (
                    Cell(last.path or last.type, None, _mark_style(pair)),
                    *_both(pair, columns),
                    Cell(_only(pair) or ", ".join(map(change_text, others))),
                )
            )
        )
    headings = [Heading("Path", is_code=True), *_in_turn(columns), Heading("Other fields")]
    return Table(rows_heading(report, len(rows)), headings, rows)


def _groups(report: CompareReport) -> Table:
    columns = _differing(report.groups, _GROUP_COLUMNS)
    rows = [
        Row(
            (
                Cell(pair.name, None, _mark_style(pair)),
                *_both(pair, columns),
                Cell(_only(pair) or f"{pair.differing:,} layers differ"),
            )
        )
        for pair in report.groups
    ]
    headings = [
        Heading(report.by.capitalize(), is_code=True),
        *_in_turn(columns),
        Heading("Layers"),
    ]
    return Table(rows_heading(report, len(rows)), headings, rows)


def _differing(
    pairs: Sequence[LayerPair] | Sequence[GroupPair], columns: Mapping[str, Heading]
) -> Mapping[str, Heading]:
    """Return the columns in which a row differs."""
    return {
        name: heading
        for name, heading in columns.items()
        if any(_values(pair, name)[0] != _values(pair, name)[1] for pair in pairs)
    }


def _in_turn(columns: Mapping[str, Heading]) -> Iterator[Heading]:
    for heading in columns.values():
        for side in "AB":
            yield heading._replace(title=f"{side}\n{heading.title}")


def _only(pair: LayerPair | GroupPair) -> str:
    """Return which model alone has a row; "" if both have it."""
    return {"-": "only in A", "+": "only in B"}.get(mark(pair.before, pair.after), "")


def _mark_style(pair: LayerPair | GroupPair) -> str:
    return WARNING if _only(pair) else ""


def _both(pair: LayerPair | GroupPair, columns: Mapping[str, Heading]) -> Iterator[Cell]:
    """Yield the fields of A and of B in turn; "" where a model does not have the row."""
    for name, heading in columns.items():
        values = _values(pair, name)
        style = _style(*values)
        for value in values:
            text = "" if value is None else value_text(value)
            yield Cell(text, value if heading.is_number else None, style)


def _values(pair: LayerPair | GroupPair, name: str) -> tuple[Any, Any]:
    before, after = (getattr(one, name, None) for one in (pair.before, pair.after))
    return before, after


def _style(before: object, after: object) -> str:
    return "" if before == after else WARNING
