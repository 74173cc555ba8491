"""Check results for people: a line for each case, below it one for each figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

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


class _Row(NamedTuple):
    """The cells of a figure."""

    mark: str
    what: str
    actual: str
    limit: str
    percent: str


def as_table(report: CheckReport) -> str:
    """Return the outcomes as plain text, and a closing line."""
    rows = [row for outcome in report.outcomes for row in _rows(outcome)]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(5)]
    lines: list[str] = []
    for outcome in report.outcomes:
        lines.append(f"{_mark(holds=outcome.holds) or 'ok':<4} {outcome.result.case.name}")
        lines += [_line(row, widths) for row in _rows(outcome)]
        if outcome.drift:
            head, *fields = first_layer_lines(outcome.drift)
            lines += [f"       {head}", *(f"         {field}" for field in fields)]
    return "".join(f"{line}\n" for line in (*lines, "", closing_line(report)))


def _rows(outcome: Outcome) -> Iterator[_Row]:
    for verdict in outcome.result.verdicts:
        yield _Row(
            _mark(holds=verdict.holds),
            verdict.what,
            actual_text(verdict),
            limit_text(verdict),
            headroom_text(verdict),
        )
    if outcome.drift:
        for change in outcome.drift.changes:
            mark = _mark(holds=change.holds)
            yield _Row(mark, change.what, change_text(change), "locked", growth_text(change))


def _mark(*, holds: bool) -> str:
    return "" if holds else "FAIL"


def _line(row: _Row, widths: Sequence[int]) -> str:
    _mark_width, what, actual, limit, percent = widths
    return (
        f"{row.mark:<4}   {row.what:<{what}} {row.actual:>{actual}}  "
        f"{row.limit:<{limit}} {row.percent:>{percent}}"
    ).rstrip()
