"""The summary as Markdown, to paste into a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from mbv2cli.costs.layers import By
from mbv2cli.report.summary.document import rows_of
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.summary.rows import GroupRow, LayerRow
from mbv2cli.report.summary.view import cell, is_number
from mbv2cli.report.text import bracketed, described
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
    yield f"**`{described(report.request)}`**"
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
        return f"*{text.replace('_', chr(92) + '_')}*"
    return f"`{text}`" if text and column in _CODE else text


def _figures(report: SummaryReport) -> Iterator[str]:
    plan, sizes, forward = report.plan, report.sizes, report.forward
    yield "| | |"
    yield "| --- | ---: |"
    yield f"| Input shape | `{bracketed(plan.input_shape)}` |"
    yield f"| Output shape | `{bracketed(plan.output_shape)}` |"
    yield f"| Total params | {plan.totals.params:,} |"
    yield f"| Trainable params | {plan.totals.trainable_params:,} |"
    yield f"| Non-trainable params | {plan.totals.non_trainable_params:,} |"
    convention = report.convention
    yield f"| {convention.unit} ({convention.name}) | {report.macs.total:,} |"
    peaks = bytes_texts(use.peak_bytes(report.run.dtype) for use in report.memory)
    for use, peak in zip(report.memory, peaks, strict=True):
        yield f"| Peak memory ({use.rule.name}, {report.run.dtype}) | {peak} |"
    yield f"| Input size (MB) | {sizes.input_mb:,.2f} |"
    yield f"| Forward/backward pass size (MB) | {sizes.forward_backward_mb:,.2f} |"
    yield f"| Params size (MB) | {sizes.params_mb:,.2f} |"
    yield f"| Estimated Total Size (MB) | {sizes.total_mb:,.2f} |"
    verdict = "not run" if forward is None else f"agrees ({forward.device}, {forward.dtype})"
    yield f"| Forward pass | {verdict} |"
