"""The formats of outcomes, and who writes each: only that one is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import assert_never

from mbv2cli.gate.drift import Outcome


class CheckFormat(StrEnum):
    """A format and its renderer."""

    TABLE = "table"
    JSON = "json"
    GITHUB = "github"
    JUNIT = "junit"
    MARKDOWN = "markdown"

    def render(self, outcomes: Sequence[Outcome], file: Path | None) -> str:
        """Return ``outcomes`` in this format; ``file`` is where the cases were read."""
        match self:
            case CheckFormat.TABLE:
                from mbv2cli.report.check import as_table

                return as_table.render(outcomes)
            case CheckFormat.JSON:
                from mbv2cli.report.check import as_json

                return as_json.render(outcomes)
            case CheckFormat.GITHUB:
                from mbv2cli.report.check import as_github

                return as_github.render(outcomes, file)
            case CheckFormat.JUNIT:
                from mbv2cli.report.check import as_junit

                return as_junit.render(outcomes, file)
            case CheckFormat.MARKDOWN:
                from mbv2cli.report.check import as_markdown

                return as_markdown.render(outcomes)
            case _:
                assert_never(self)
