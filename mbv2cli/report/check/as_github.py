"""Check results as GitHub's workflow commands: annotations on the lines of the cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mbv2cli.gate.drift import Outcome
from mbv2cli.report.check.words import closing_line, failures


def render(outcomes: Sequence[Outcome], file: Path | None) -> str:
    """Return an error for each case that fails, and a closing line."""
    lines = [_annotation(outcome, file) for outcome in outcomes if not outcome.holds]
    return "".join(f"{line}\n" for line in (*lines, closing_line(outcomes)))


def _annotation(outcome: Outcome, file: Path | None) -> str:
    case = outcome.result.case
    properties = {
        "file": None if file is None else str(file),
        "line": case.line,
        "title": f"mbv2: {case.name}",
    }
    words = ",".join(
        f"{key}={_property(str(value))}" for key, value in properties.items() if value is not None
    )
    return f"::error {words}::" + _data("\n".join(failures(outcome)))


def _data(text: str) -> str:
    """Escape as actions/toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
