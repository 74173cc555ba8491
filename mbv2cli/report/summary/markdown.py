"""The summary as Markdown, to paste into a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from mbv2cli.costs.layers import By
from mbv2cli.report.summary.document import rows_of
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.summary.rows import GroupRow, LayerRow
from mbv2cli.report.summary.verdict import short_verdict
from mbv2cli.report.summary.view import cell, is_number
from mbv2cli.report.text import bracketed, code, described, origin_text, prose, total_text
from mbv2cli.shown import first_three
from mbv2cli.specs.reader import Request
from mbv2cli.specs.units import bytes_texts

_NOUNS: Final[Mapping[By | None, str]] = {
    None: "layers and operations",
    By.BLOCK: "blocks",
    By.STAGE: "stages",
    By.KIND: "kinds of operation",
}
_CODE: Final = frozenset({"path", "block", "input_shape", "output_shape"})
"""Columns that are written as code."""


def as_markdown(report: SummaryReport) -> str:
    """Return a table of figures and, folded away, one of the layers or groups."""
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: SummaryReport) -> Iterator[str]:
    request = report.request
    yield f"**{code(described(request))}**"
    yield ""
    if isinstance(request, Request) and request.origin:
        yield prose(origin_text(request.origin))
        yield ""
    yield from _figures(report)
    yield ""
    view, rows = report.view, rows_of(report)
    yield f"<details><summary>{len(rows)} {_NOUNS[view.by]}</summary>"
    yield ""
    yield _line(
        view.title(column, report.convention, report.run.dtype).replace("\n", " ")
        for column in view.shown_columns
    )
    yield _line("---:" if is_number(column) else "---" for column in view.shown_columns)
    for row in rows:
        yield _line(_cell(row, column) for column in view.shown_columns)
    yield ""
    yield "</details>"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(row: LayerRow | GroupRow, column: str) -> str:
    text = cell(row, column)
    if column == "name" and isinstance(row, LayerRow) and row.functional:
        return f"*{prose(text)}*"
    return code(text) if column in _CODE else prose(text)


def _figures(report: SummaryReport) -> Iterator[str]:
    model, sizes = report.model, report.sizes
    yield "| | |"
    yield "| --- | ---: |"
    for title, shapes in (
        ("Input shape", model.graph.input_shapes),
        ("Output shape", model.output_shapes),
    ):
        yield f"| {title}{'s' * (len(shapes) > 1)} | `{', '.join(map(bracketed, shapes))}` |"
    least = "at least " if report.packed else ""
    yield f"| Total params | {least}{model.totals.params:,} |"
    yield f"| Trainable params | {model.totals.trainable_params:,} |"
    yield f"| Non-trainable params | {least}{model.totals.non_trainable_params:,} |"
    if report.packed:
        yield f"| Not in the totals: packed weights | {prose(first_three(report.packed))} |"
    if model.graph.unused:
        yield f"| Not in the totals: unused | {prose(first_three(model.graph.unused))} |"
    convention = report.convention
    yield f"| {convention.unit} ({convention.name}) | {total_text(report.macs)} |"
    peaks = bytes_texts(use.peak_bytes(report.run.dtype) for use in report.memory)
    for use, peak in zip(report.memory, peaks, strict=True):
        yield f"| Peak memory ({use.rule.name}, {report.run.dtype}) | {peak} |"
    for title, megabytes in sizes.titled if sizes else ():
        yield f"| {title} | {megabytes:,.2f} |"
    if report.doubt:
        yield f"| torchsummary | {prose(report.doubt)} |"
    yield f"| Forward pass | {prose(short_verdict(report))} |"
