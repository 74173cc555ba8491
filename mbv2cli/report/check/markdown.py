"""Check results as Markdown, for a pull request or a job's summary."""

from __future__ import annotations

from collections.abc import Iterator

from mbv2cli.report.check.sentences import (
    CheckReport,
    actual_text,
    change_text,
    closing_line,
    first_layer_lines,
    growth_text,
    headroom_text,
    limit_text,
)
from mbv2cli.report.text import code


def as_markdown(report: CheckReport) -> str:
    """Return the closing line and a table of every expectation and locked figure."""
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: CheckReport) -> Iterator[str]:
    yield f"**mbv2 check: {closing_line(report)}**"
    yield ""
    yield "| | case | figure | actual | limit | |"
    yield "| --- | --- | --- | ---: | ---: | ---: |"
    for outcome in report.outcomes:
        name = code(outcome.result.case.name)
        for verdict in outcome.result.verdicts:
            yield (
                f"| {_mark(holds=verdict.holds)} | {name} | {verdict.what} "
                f"| {actual_text(verdict)} | `{limit_text(verdict)}` | {headroom_text(verdict)} |"
            )
        if outcome.drift:
            for change in outcome.drift.changes:
                yield (
                    f"| {_mark(holds=change.holds)} | {name} | {change.what} "
                    f"| {change_text(change)} | locked | {growth_text(change)} |"
                )
            yield f"| | {name} | {'<br>'.join(first_layer_lines(outcome.drift))} | | | |"


def _mark(*, holds: bool) -> str:
    return "ok" if holds else "**FAIL**"
