"""The counts for people: a line a convention, and below it what it adds."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mbv2cli.plan.conventions import Count
from mbv2cli.report.counts.report import CountsReport
from mbv2cli.report.target_text import heading


class _Line(NamedTuple):
    what: str
    number: str
    unit: str = ""
    reported_by: str = ""


def render(report: CountsReport) -> str:
    """Return both tables, aligned, and the quirks, as plain text of at most 80 columns."""
    lines = [*_lines("MACs as", report.macs), _Line("", ""), *_lines("Params as", report.params)]
    what = max(len(line.what) for line in lines)
    number = max(len(line.number) for line in lines)
    unit = max(len(line.unit) for line in lines)
    rows = (
        f"{line.what:<{what}} {line.number:>{number}} {line.unit:<{unit}} {line.reported_by}"
        for line in lines
    )
    quirks = [
        f"{count.convention.name}: {count.convention.quirk}."
        for count in report.macs
        if count.convention.quirk
    ]
    text = (heading(report.request), "", *rows, "", *map(_wrapped, quirks))
    return "".join(f"{row.rstrip()}\n" for row in text)


def _wrapped(sentence: str) -> str:
    return textwrap.fill(sentence, 80, subsequent_indent="  ")


def _lines(title: str, counts: Iterable[Count]) -> Iterator[_Line]:
    yield _Line(title, "count", "unit", "reported by")
    for count in counts:
        convention = count.convention
        yield _Line(convention.name, f"{count.total:,}", convention.unit, convention.reported_by)
        for what, amount in count.added:
            yield _Line(f"  {what}", f"{amount:+,}")
