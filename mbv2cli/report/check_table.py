"""Check results for people: a line a case, below it a line for each expectation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mbv2cli.checks.cases import CaseResult
from mbv2cli.report.check_text import actual_text, closing_line, headroom_text, limit_text


def render(results: Sequence[CaseResult]) -> str:
    """Return the results as plain text, failed cases whole, and a closing line."""
    rows = [row for result in results for row in _rows(result)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = (_line(row, widths) for row in rows)
    return "".join(f"{line}\n" for line in (*lines, "", closing_line(results)))


def _rows(result: CaseResult) -> Iterator[tuple[str, str, str, str, str]]:
    yield "ok" if result.holds else "FAIL", result.case.name, "", "", ""
    for verdict in result.verdicts:
        yield (
            "" if verdict.holds else "FAIL",
            f"  {verdict.what}",
            actual_text(verdict),
            limit_text(verdict),
            headroom_text(verdict),
        )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    verdict, what, actual, limit, headroom = row
    if not actual:
        return f"{verdict:<{widths[0]}} {what}"
    return (
        f"{verdict:<{widths[0]}} {what:<{widths[1]}} {actual:>{widths[2]}}  "
        f"{limit:<{widths[3]}} {headroom:>{widths[4]}}"
    ).rstrip()
