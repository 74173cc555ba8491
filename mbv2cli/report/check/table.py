"""Check results for people: as a page, and as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from mbv2cli.gate.drift import Drift
from mbv2cli.gate.outcomes import CheckReport, Outcome
from mbv2cli.report.check.sentences import (
    actual_text,
    broken_text,
    closing_lines,
    drift_lines,
    failures,
    headroom_text,
    limit_text,
    removed_text,
    tolerance_text,
    warnings,
)
from mbv2cli.report.differences import figure_change_text
from mbv2cli.report.page import BAD, BOLD, DIM, GOOD, WARNING, Column, Line, Page, Table, page
from mbv2cli.report.text import NOT_COUNTED, code, compact, prose
from mbv2cli.specs.units import amount_texts

_INDENT: Final = " " * 6
_HANGING: Final = " " * 8
_FAIL: Final = "FAIL"


class _Row(NamedTuple):
    """An expectation or a locked figure."""

    holds: bool
    what: str
    actual: str
    expected: str
    distance: str


def as_table(report: CheckReport) -> Page:
    """Return a heading for each case, below it a row for each figure, and closing lines."""
    rows: list[_Row] = []
    notes: dict[int, list[Line]] = {}
    for outcome in report.outcomes:
        notes.setdefault(len(rows) - 1, []).append(_heading(outcome))
        rows += _rows(outcome)
        notes.setdefault(len(rows) - 1, []).extend(_notes(report, outcome))
    last = notes.setdefault(len(rows) - 1, [])
    last += [_removed(report, name) for name in report.removed]
    verdict, *unchecked = closing_lines(report)
    closing = (
        Line(),
        Line(verdict, GOOD if report.holds else BAD),
        *(Line(sentence, WARNING) for sentence in unchecked),
    )
    return page((_table(rows, notes), *closing) if rows else (*notes[-1], *closing))


def _table(rows: list[_Row], notes: dict[int, list[Line]]) -> Table:
    """Return the rows; the headings of the cases are notes below the row before."""
    marks = ["" if row.holds else _FAIL for row in rows]
    return Table(
        [
            Column("", [f"{mark:<4}" for mark in marks], styles=[BAD] * len(rows)),
            Column(
                "Case and figure",
                [f" {row.what}" for row in rows],
                narrow=[f" {_short(row.what)}" for row in rows],
            ),
            Column("Actual", [row.actual for row in rows], is_number=True, rank=-1),
            Column("Expected", [row.expected for row in rows], rank=1),
            Column("Distance", [row.distance for row in rows], is_number=True, rank=2),
        ],
        notes=notes,
    )


def _short(what: str) -> str:
    """Return the name of a figure without its word: the rule and the dtype of a peak."""
    return what.removeprefix("peak (").removesuffix(")") if what.startswith("peak (") else what


def _heading(outcome: Outcome) -> Line:
    name = outcome.result.case.name
    if not outcome.holds:
        return Line(f"{_FAIL} {name}", BAD, _INDENT)
    style = WARNING if outcome.checks_nothing else f"{BOLD} {GOOD}"
    return Line(f"{'ok':<4} {name}", style, _INDENT)


def _notes(report: CheckReport, outcome: Outcome) -> Iterator[Line]:
    """Yield the lines below the rows of a case: its drift, then what was not checked."""
    if outcome.result.failure:
        yield Line(f"{_INDENT}{outcome.result.failure}", BAD, _HANGING)
    for verdict in outcome.result.verdicts:
        if not verdict.is_known:
            yield Line(f"{_INDENT}{broken_text(verdict)}", BAD, _HANGING)
    if outcome.drift:
        for sentence in (*drift_lines(outcome.drift), tolerance_text(report, outcome.drift)):
            yield Line(f"{_INDENT}{sentence}", "", _HANGING)
    if outcome.requires_lock and outcome.lacks_lock:
        yield Line(f"{_INDENT}{list(failures(report, outcome))[-1]}", BAD, _HANGING)
    for sentence in warnings(report, outcome):
        yield Line(f"{_INDENT}{sentence}", WARNING, _HANGING)
    board = outcome.result.case.expected.board
    if board:
        yield Line(f"{_INDENT}{board.name}: {NOT_COUNTED}", DIM, _HANGING)


def _removed(report: CheckReport, name: str) -> Line:
    text = removed_text(report, name)
    if report.requires_lock:
        return Line(f"{_FAIL} {text}", BAD, _INDENT)
    return Line(f"{_INDENT}{text}", WARNING, _HANGING)


def as_markdown(report: CheckReport) -> str:
    """Return the closing lines and a table of every expectation and locked figure."""
    return "".join(f"{line}\n" for line in _markdown_lines(report))


def _markdown_lines(report: CheckReport) -> Iterator[str]:
    verdict, *unchecked = closing_lines(report)
    yield f"**mbv2 check: {verdict}**"
    for sentence in unchecked:
        yield ""
        yield prose(f"{sentence[0].upper()}{sentence[1:]}.")
    yield ""
    yield "| | case | figure | actual | expected | |"
    yield "| --- | --- | --- | ---: | ---: | ---: |"
    for outcome in report.outcomes:
        name = code(outcome.result.case.name)
        for row in _rows(outcome):
            mark = "ok" if row.holds else f"**{_FAIL}**"
            cells = (mark, name, prose(row.what), row.actual, code(row.expected), row.distance)
            yield f"| {' | '.join(cells)} |"
        told = [line.text.strip() for line in _notes(report, outcome)]
        if told:
            mark = "" if outcome.holds else f"**{_FAIL}**"
            yield f"| {mark} | {name} | {'<br>'.join(map(prose, told))} | | | |"
    for removed in report.removed:
        mark = f"**{_FAIL}**" if report.requires_lock else ""
        yield f"| {mark} | {code(removed)} | {prose(removed_text(report, removed))} | | | |"


def _rows(outcome: Outcome) -> Iterator[_Row]:
    for verdict in outcome.result.verdicts:
        yield _Row(
            verdict.holds,
            verdict.what,
            actual_text(verdict),
            limit_text(verdict),
            headroom_text(verdict),
        )
    if outcome.drift:
        yield from _locked_rows(outcome.drift)


def _locked_rows(drift: Drift) -> Iterator[_Row]:
    output = drift.found.output
    yield _Row(
        drift.allows_output,
        output.field,
        compact(output.after),
        f"locked {compact(output.before)}",
        "" if drift.found.output_differs else "unchanged",
    )
    for change in drift.found.figures:
        before, after = amount_texts((change.before, change.after), change.unit)
        yield _Row(
            drift.allows(change),
            change.what,
            after,
            f"locked {before}",
            figure_change_text(change),
        )
