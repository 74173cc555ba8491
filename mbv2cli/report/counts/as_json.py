"""The counts as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from mbv2cli.plan.conventions import Count
from mbv2cli.report.counts.report import CountsReport
from mbv2cli.report.document import Part, RequestDocument, request_fields


class AddedPart(Part):
    """Something that a convention counts on top."""

    what: str = Field(description="What is counted on top; left out, if negative.")
    amount: int = Field(description="How much that is.")


class CountPart(Part):
    """The count under one convention."""

    convention: str = Field(description="Name of the convention.")
    key: str = Field(description="The same for the command line: `--convention` takes it.")
    total: int = Field(description="The count, additions included, of the whole batch.")
    unit: str = Field(description="What the tools call it.")
    reported_by: str = Field(description="Who reports this number.")
    quirk: str = Field(description="What else to know of it; empty: nothing.")
    added: tuple[AddedPart, ...] = Field(description="What it has on top of the first one.")


class CountsDocument(RequestDocument):
    """What `mbv2 counts --format json` prints."""

    command: Literal["counts"] = Field("counts", description="`counts`.")
    macs: tuple[CountPart, ...] = Field(description="MACs or FLOPs under every convention.")
    params: tuple[CountPart, ...] = Field(description="Parameters under every convention.")


def render(report: CountsReport) -> str:
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
