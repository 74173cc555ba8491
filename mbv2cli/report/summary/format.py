"""The formats of the summary, and who writes each: only that one is loaded."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.summary.view import View


class SummaryFormat(StrEnum):
    """A format and its renderer."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    TORCHSUMMARY = "torchsummary"

    def render(self, report: SummaryReport, view: View) -> str:
        """Return ``report`` in this format, as plain text; JSON and torchsummary's have no view."""
        match self:
            case SummaryFormat.TABLE:
                from mbv2cli.report.summary import as_table

                return as_table.render(report, view)
            case SummaryFormat.JSON:
                from mbv2cli.report.summary import as_json

                return as_json.render(report)
            case SummaryFormat.CSV:
                from mbv2cli.report.summary import as_csv

                return as_csv.render(report, view)
            case SummaryFormat.MARKDOWN:
                from mbv2cli.report.summary import as_markdown

                return as_markdown.render(report, view)
            case SummaryFormat.TORCHSUMMARY:
                from mbv2cli.report.summary import as_torchsummary

                return as_torchsummary.render(report)
            case _:
                assert_never(self)
