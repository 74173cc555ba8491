"""The formats of the summary, and who writes each: only that one is loaded."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from mbv2cli.report.summary import SummaryReport
from mbv2cli.report.summary_view import View


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
                from mbv2cli.report import summary_table

                return summary_table.render(report, view)
            case SummaryFormat.JSON:
                from mbv2cli.report import summary_json

                return summary_json.render(report)
            case SummaryFormat.CSV:
                from mbv2cli.report import summary_csv

                return summary_csv.render(report, view)
            case SummaryFormat.MARKDOWN:
                from mbv2cli.report import summary_markdown

                return summary_markdown.render(report, view)
            case SummaryFormat.TORCHSUMMARY:
                from mbv2cli.report import summary_torchsummary

                return summary_torchsummary.render(report)
            case _:
                assert_never(self)
