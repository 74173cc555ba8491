"""The counts as JSON."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from mbv2cli import __version__
from mbv2cli.plan.conventions import Count
from mbv2cli.report.counts import CountsReport
from mbv2cli.report.document import SCHEMA_VERSION, Part
from mbv2cli.spec import BlockSpec, InputSpec, NetworkSpec


class AddedPart(Part):
    """Something that a convention counts on top."""

    what: str = Field(description="What is counted on top; left out, if negative.")
    amount: int = Field(description="How much that is.")


class CountPart(Part):
    """The count under one convention."""

    convention: str = Field(description="Name of the convention.")
    total: int = Field(description="The count, additions included, of the whole batch.")
    unit: str = Field(description="What the tools call it.")
    reported_by: str = Field(description="Who reports this number.")
    added: tuple[AddedPart, ...] = Field(description="What it has on top of the first one.")


class CountsDocument(Part):
    """What `mbv2 counts --format json` prints."""

    schema_version: int = Field(description=f"{SCHEMA_VERSION}: the version of these fields.")
    mbv2_version: str = Field(description="Version of mbv2.")
    target: str = Field(description="The target as it was given.")
    kind: str = Field(description="`block` or `network`.")
    spec: BlockSpec | NetworkSpec = Field(description="Every field of what was counted.")
    input: InputSpec = Field(description="`size` (height, width) and `batch`.")
    macs: tuple[CountPart, ...] = Field(description="MACs or FLOPs under every convention.")
    params: tuple[CountPart, ...] = Field(description="Parameters under every convention.")


def render(report: CountsReport) -> str:
    """Return the document, indented."""
    request = report.request
    document = CountsDocument(
        schema_version=SCHEMA_VERSION,
        mbv2_version=__version__,
        target=request.target,
        kind=request.kind,
        spec=request.spec,
        input=request.input,
        macs=_parts(report.macs),
        params=_parts(report.params),
    )
    return document.model_dump_json(indent=2, by_alias=True) + "\n"


def _parts(counts: Iterable[Count]) -> tuple[CountPart, ...]:
    return tuple(
        CountPart(
            convention=count.convention.name,
            total=count.total,
            unit=count.convention.unit,
            reported_by=count.convention.reported_by,
            added=tuple(map(AddedPart.model_validate, count.added)),
        )
        for count in counts
    )
