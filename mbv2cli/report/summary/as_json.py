"""The summary as JSON."""

from __future__ import annotations

from mbv2cli.report.summary.document import SummaryDocument
from mbv2cli.report.summary.report import SummaryReport


def render(report: SummaryReport) -> str:
    """Return the document, indented."""
    return SummaryDocument.of(report).text
