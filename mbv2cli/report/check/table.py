"""Check results for people: as plain text, and as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from mbv2cli.gate.drift import Outcome
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

_LOCKED: Final = "locked"


class _Row(NamedTuple):
    """An expectation or a locked figure."""

    holds: bool
    what: str
    actual: str
    limit: str
    percent: str


def as_table(report: CheckReport) -> str:
    """Return a line for each case and below it one for each figure, then a closing line."""
    rows = [row for outcome in report.outcomes for row in _rows(outcome)]
    what, actual, limit, percent = (
        max((len(str(row[column])) for row in rows), default=0) for column in range(1, 5)
    )
    lines: list[str] = []
    for outcome in report.outcomes:
        lines.append(f"{'ok' if outcome.holds else 'FAIL':<4} {outcome.result.case.name}")
        for row in _rows(outcome):
            cells = f"{row.what:<{what}} {row.actual:>{actual}}  {row.limit:<{limit}}"
            mark = "" if row.holds else "FAIL"
            lines.append(f"{mark:<4}   {cells} {row.percent:>{percent}}".rstrip())
        if outcome.drift:
            head, *fields = first_layer_lines(outcome.drift)
            lines += [f"       {head}", *(f"         {field}" for field in fields)]
    return "".join(f"{line}\n" for line in (*lines, "", closing_line(report)))


def as_markdown(report: CheckReport) -> str:
    """Return the closing line and a table of every expectation and locked figure."""
    return "".join(f"{line}\n" for line in _markdown_lines(report))


def _markdown_lines(report: CheckReport) -> Iterator[str]:
    yield f"**mbv2 check: {closing_line(report)}**"
    yield ""
    yield "| | case | figure | actual | limit | |"
    yield "| --- | --- | --- | ---: | ---: | ---: |"
    for outcome in report.outcomes:
        name = code(outcome.result.case.name)
        for row in _rows(outcome):
            mark = "ok" if row.holds else "**FAIL**"
            limit = row.limit if row.limit == _LOCKED else f"`{row.limit}`"
            yield f"| {mark} | {name} | {row.what} | {row.actual} | {limit} | {row.percent} |"
        if outcome.drift:
            yield f"| | {name} | {'<br>'.join(first_layer_lines(outcome.drift))} | | | |"


def _rows(outcome: Outcome) -> Iterator[_Row]:
    for verdict in outcome.result.verdicts:
        yield _Row(
            verdict.holds,
            verdict.what,
            actual_text(verdict),
            limit_text(verdict),
            headroom_text(verdict),
        )
    for change in outcome.drift.changes if outcome.drift else ():
        yield _Row(change.holds, change.what, change_text(change), _LOCKED, growth_text(change))
