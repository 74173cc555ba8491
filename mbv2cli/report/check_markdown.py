"""Check results as Markdown, for a pull request or a job's summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mbv2cli.checks.cases import CaseResult
from mbv2cli.report.check_text import actual_text, closing_line, headroom_text, limit_text


def render(results: Sequence[CaseResult]) -> str:
    """Return the closing line and a table of all expectations."""
    return "".join(f"{line}\n" for line in _lines(results))


def _lines(results: Sequence[CaseResult]) -> Iterator[str]:
    yield f"**mbv2 check: {closing_line(results)}**"
    yield ""
    yield "| | case | figure | actual | limit | headroom |"
    yield "| --- | --- | --- | ---: | ---: | ---: |"
    for result in results:
        for verdict in result.verdicts:
            yield (
                f"| {'ok' if verdict.holds else '**FAIL**'} | `{result.case.name}` "
                f"| {verdict.what} | {actual_text(verdict)} | `{limit_text(verdict)}` "
                f"| {headroom_text(verdict)} |"
            )
