"""The formats of the summary, and who writes each."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from mbv2cli.report import summary_csv, summary_json, summary_markdown, summary_torchsummary
from mbv2cli.report.summary import SummaryReport


class SummaryFormat(StrEnum):
    """A format and its renderer."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    TORCHSUMMARY = "torchsummary"

    def render(self, report: SummaryReport) -> str:
        """Return ``report`` in this format, as plain text."""
        match self:
            case SummaryFormat.TABLE:
                from mbv2cli.report import summary_table  # brings rich, which costs time

                return summary_table.render(report)
            case SummaryFormat.JSON:
                return summary_json.render(report)
            case SummaryFormat.CSV:
                return summary_csv.render(report)
            case SummaryFormat.MARKDOWN:
                return summary_markdown.render(report)
            case SummaryFormat.TORCHSUMMARY:
                return summary_torchsummary.render(report)
            case _:
                assert_never(self)
