"""`mbv2 counts`: MACs and parameters under every convention."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pydantic import Field

from mbv2cli.costs.conventions import MAC_CONVENTIONS, PARAM_CONVENTIONS, Count, count
from mbv2cli.inspection import plan_of
from mbv2cli.report.document import Part, RequestDocument, request_fields
from mbv2cli.report.text import heading
from mbv2cli.specs.reader import Request


@dataclass(frozen=True, slots=True)
class CountsReport:
    """The counts of a request under every convention."""

    request: Request
    macs: tuple[Count, ...]
    params: tuple[Count, ...]


def counted(request: Request) -> CountsReport:
    """Return the counts of ``request``. Loads no torch."""
    ops = plan_of(request.spec, request.input).graph.ops
    return CountsReport(
        request,
        macs=tuple(count(convention, ops) for convention in MAC_CONVENTIONS),
        params=tuple(count(convention, ops) for convention in PARAM_CONVENTIONS),
    )


class _Line(NamedTuple):
    what: str
    number: str
    unit: str = ""
    reported_by: str = ""


def as_table(report: CountsReport) -> str:
    """Return a line for each convention and below it what it adds, in at most 80 columns."""
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
    for one in counts:
        convention = one.convention
        yield _Line(convention.name, f"{one.total:,}", convention.unit, convention.reported_by)
        for what, amount in one.added:
            yield _Line(f"  {what}", f"{amount:+,}")


class AddedPart(Part):
    """An amount that a convention counts on top of the first one."""

    what: str = Field(description="What is counted on top, or left out if negative.")
    amount: int = Field(description="The amount.")


class CountPart(Part):
    """The count under one convention."""

    convention: str = Field(description="Name of the convention.")
    key: str = Field(description="Name of the convention for `--convention`.")
    total: int = Field(description="The count of the whole batch, additions included.")
    unit: str = Field(description="What the tools call the count.")
    reported_by: str = Field(description="Tools that report this number.")
    quirk: str = Field(description="A peculiarity of the tools; empty if there is none.")
    added: tuple[AddedPart, ...] = Field(description="What is counted on top of the first one.")


class CountsDocument(RequestDocument):
    """What `mbv2 counts --format json` prints."""

    command: Literal["counts"] = Field("counts", description="`counts`.")
    macs: tuple[CountPart, ...] = Field(description="MACs or FLOPs under every convention.")
    params: tuple[CountPart, ...] = Field(description="Parameters under every convention.")


def as_json(report: CountsReport) -> str:
    """Return the document, indented."""
    return CountsDocument(
        **request_fields(report.request), macs=_parts(report.macs), params=_parts(report.params)
    ).text


def _parts(counts: Iterable[Count]) -> tuple[CountPart, ...]:
    return tuple(
        CountPart(
            convention=count.convention.name,
            key=count.convention.key,
            total=count.total,
            unit=count.convention.unit,
            reported_by=count.convention.reported_by,
            quirk=count.convention.quirk,
            added=tuple(map(AddedPart.model_validate, count.added)),
        )
        for count in counts
    )
