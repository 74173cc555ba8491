"""The summary as JSON."""

from __future__ import annotations

from mbv2cli.report.summary import SummaryReport
from mbv2cli.report.summary_document import SummaryDocument


def render(report: SummaryReport) -> str:
    """Return the document, indented."""
    return SummaryDocument.of(report).text
