"""Check results as Markdown, for a pull request or a job's summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
from mbv2cli.report.markdown_text import code


def render(outcomes: Sequence[Outcome]) -> str:
    """Return the closing line and a table of all expectations and drifts."""
    return "".join(f"{line}\n" for line in _lines(outcomes))


def _lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield f"**mbv2 check: {closing_line(outcomes)}**"
    yield ""
    yield "| | case | figure | actual | limit | |"
    yield "| --- | --- | --- | ---: | ---: | ---: |"
    for outcome in outcomes:
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
