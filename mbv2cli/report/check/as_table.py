"""Outcomes for people: a line a case, below it a line for each expectation and locked figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mbv2cli.gate.drift import Outcome
from mbv2cli.report.check.words import (
    actual_text,
    change_text,
    closing_line,
    first_layer_lines,
    growth_text,
    headroom_text,
    limit_text,
)


class _Row(NamedTuple):
    """A figure; its cells stand below each other."""

    mark: str
    what: str
    actual: str
    limit: str
    percent: str


def render(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as plain text, and a closing line."""
    rows = [row for outcome in outcomes for row in _rows(outcome)]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(5)]
    lines: list[str] = []
    for outcome in outcomes:
        lines.append(f"{_mark(holds=outcome.holds) or 'ok':<4} {outcome.result.case.name}")
        lines += [_line(row, widths) for row in _rows(outcome)]
        if outcome.drift:
            head, *fields = first_layer_lines(outcome.drift)
            lines += [f"       {head}", *(f"         {field}" for field in fields)]
    return "".join(f"{line}\n" for line in (*lines, "", closing_line(outcomes)))


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
