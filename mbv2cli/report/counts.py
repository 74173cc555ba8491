"""`mbv2 counts`: MACs and parameters under every convention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple

from pydantic import Field

from mbv2cli.costs.conventions import MAC_CONVENTIONS, PARAM_CONVENTIONS, Count, count
from mbv2cli.inspection import Model
from mbv2cli.report.document import Part, RequestDocument, request_fields
from mbv2cli.report.page import BOLD, DIM, Column, Line, Page, Table, page
from mbv2cli.report.text import INDENT, heading, total_text
from mbv2cli.specs.requests import AnyRequest


@dataclass(frozen=True, slots=True)
class CountsReport:
    """The counts of a request under every convention."""

    request: AnyRequest
    macs: tuple[Count, ...]
    params: tuple[Count, ...]


def counted(request: AnyRequest, model: Model) -> CountsReport:
    """Return the counts of the ``model`` of a request."""
    ops = model.graph.ops
    return CountsReport(
        request,
        macs=tuple(count(convention, ops) for convention in MAC_CONVENTIONS),
        params=tuple(count(convention, ops) for convention in PARAM_CONVENTIONS),
    )


class _Row(NamedTuple):
    """A convention, or an amount that it counts on top of the first convention."""

    what: str
    amount: str
    unit: str = ""
    reported_by: str = ""
    style: str = ""
    notes: tuple[str, ...] = ()


def as_table(report: CountsReport) -> Page:
    """Return a row for each convention and below it what it adds."""
    macs, params = _table("MACs, by convention", report.macs), _table("Params", report.params)
    return page((*heading(report.request), Line(), macs, Line(), params))


def _table(title: str, counts: Iterable[Count]) -> Table:
    rows = list(chain.from_iterable(map(_rows, counts)))
    what, amounts, unit, reported_by, styles, notes = zip(*rows, strict=True)
    return Table(
        [
            Column(title, what, styles=styles),
            Column("Count", amounts, is_number=True, styles=styles),
            Column("Unit", unit, rank=2),
            Column("Reported by", reported_by, rank=1),
        ],
        notes={
            row: [Line(f"  {note}", DIM, "  ") for note in some]
            for row, some in enumerate(notes)
            if some
        },
        narrow=(
            Line(title, BOLD),
            *(Line(f"{row.what}: {row.amount}", row.style, INDENT) for row in rows),
        ),
    )


def _rows(count: Count) -> Iterator[_Row]:
    """Yield the row of a convention and those of its additions. The last has the quirk."""
    convention = count.convention
    rows = [
        _Row(convention.name, total_text(count), convention.unit, convention.reported_by, BOLD),
        *(_Row(f"  {what}", f"{amount:+,}") for what, amount in count.added),
    ]
    yield from rows[:-1]
    yield rows[-1]._replace(notes=tuple(filter(None, (convention.quirk, _unknown(count)))))


def _unknown(count: Count) -> str:
    names = ", ".join(count.unknown)
    return f"Not counted, because the convention has no rule: {names}." if names else ""


class AddedPart(Part):
    """An amount that a convention adds to the first convention."""

    what: str = Field(
        description="What the convention adds, or leaves out if the amount is negative."
    )
    amount: int = Field(description="The amount of the whole batch.")


class CountPart(Part):
    """The count under one convention."""

    convention: str = Field(description="Name of the convention.")
    key: str = Field(description="Name of the convention for `--convention`.")
    total: int = Field(description="The count of the whole batch, with the additions.")
    unknown: tuple[str, ...] = Field(
        description="Functions that the convention has no rule for: the count is then at least "
        "`total`."
    )
    unit: str = Field(description="What these tools call the count, such as `MACs` or `flops`.")
    reported_by: str = Field(description="Tools that report this number.")
    quirk: str = Field(
        description="What is special in these tools, as sentences; empty if nothing is."
    )
    added: tuple[AddedPart, ...] = Field(
        description="The amounts that the convention adds to the first convention."
    )


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
            unknown=count.unknown,
            unit=count.convention.unit,
            reported_by=count.convention.reported_by,
            quirk=count.convention.quirk,
            added=tuple(map(AddedPart.model_validate, count.added)),
        )
        for count in counts
    )
