"""Check results as GitHub's workflow commands: annotations on the lines of the cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mbv2cli.checks.cases import CaseResult
from mbv2cli.report.check_text import broken_text, closing_line


def render(results: Sequence[CaseResult], file: Path | None) -> str:
    """Return an error for each broken expectation, and a closing line."""
    lines = [line for result in results for line in _annotations(result, file)]
    return "".join(f"{line}\n" for line in (*lines, closing_line(results)))


def _annotations(result: CaseResult, file: Path | None) -> Iterator[str]:
    place = {"file": str(file) if file else None, "line": result.case.line}
    properties = {**place, "title": f"mbv2: {result.case.name}"}
    words = ",".join(
        f"{key}={_property(str(value))}" for key, value in properties.items() if value is not None
    )
    for verdict in result.verdicts:
        if not verdict.holds:
            yield f"::error {words}::{_data(f'{result.case.name}: {broken_text(verdict)}')}"


def _data(text: str) -> str:
    """Escape as actions/toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
