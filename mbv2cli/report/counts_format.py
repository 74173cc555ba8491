"""The formats of the counts, and who writes each: only that one is loaded."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from mbv2cli.report.counts import CountsReport


class CountsFormat(StrEnum):
    """A format and its renderer."""

    TABLE = "table"
    JSON = "json"

    def render(self, report: CountsReport) -> str:
        """Return ``report`` in this format, as plain text."""
        match self:
            case CountsFormat.TABLE:
                from mbv2cli.report import counts_text

                return counts_text.render(report)
            case CountsFormat.JSON:
                from mbv2cli.report import counts_json

                return counts_json.render(report)
            case _:
                assert_never(self)
