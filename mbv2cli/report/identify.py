"""`mbv2 identify`: which MobileNetV2 a target is, and where it differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import tomli_w
from pydantic import Field

from mbv2cli.errors import UserError
from mbv2cli.identify.faults import Fault
from mbv2cli.identify.identity import Identity
from mbv2cli.report.document import Document, Part
from mbv2cli.report.page import BAD, BOLD, GOOD, WARNING, Line, Page, page
from mbv2cli.report.text import INDENT
from mbv2cli.specs import BlockSpec, NetworkSpec

_SHOWN = 20
"""How many differences the table shows; JSON has every one."""


@dataclass(frozen=True, slots=True)
class IdentifyReport:
    """What a target is. ``expected`` is the target that it should be, with the differences."""

    target: str
    identity: Identity
    expected: str | None = None
    broken: tuple[Fault, ...] = ()


def as_table(report: IdentifyReport) -> Page:
    """Return what the target is, the differences, and what is not structure."""
    return page(_lines(report))


def _lines(report: IdentifyReport) -> Iterator[Line]:
    identity = report.identity
    if report.expected is not None:
        yield from _expected(report, report.expected)
    elif identity.names:
        first, *others = identity.names
        also = f" (the same network: {', '.join(others)})" if others else ""
        yield Line(f"{report.target} is {first}{also}.", BOLD, INDENT)
    elif identity.nearest:
        yield from _near(report.target, identity.nearest, identity.distance)
    elif identity.is_proved:
        yield Line(f"{report.target} is a MobileNetV2 of its own.", BOLD, INDENT)
    else:
        yield Line(f"{report.target} is not a MobileNetV2.", BOLD, INDENT)
        yield Line(f"It has {identity.contents}.", "", INDENT)
    if identity.is_proved and not identity.names:
        yield Line("--format toml writes its spec.", "", INDENT)
    yield from (Line(f"Not compared: {remark}.", "", INDENT) for remark in identity.remarks)
    yield _verdict(report)


def _expected(report: IdentifyReport, expected: str) -> Iterator[Line]:
    if report.broken:
        yield from _near(report.target, expected, report.broken)
    else:
        yield Line(f"{report.target} is {expected}.", BOLD, INDENT)


def _near(target: str, name: str, faults: Sequence[Fault]) -> Iterator[Line]:
    places = f"{len(faults)} place{'s' * (len(faults) != 1)}"
    yield Line(f"{target} differs from {name} in {places}:", BOLD, INDENT)
    for fault in faults[:_SHOWN]:
        yield Line(f"  {fault}", BAD, INDENT)
    if len(faults) > _SHOWN:
        yield Line(f"  {len(faults) - _SHOWN} more; --format json has every one.", "", INDENT)


def _verdict(report: IdentifyReport) -> Line:
    if report.identity.is_proved:
        number = report.identity.compared
        text = f"Plan and graph agree: the same {number} operations on the same values."
        return Line(text, GOOD, INDENT)
    return Line("Observed only: no spec has this graph as its plan.", WARNING, INDENT)


def as_toml(report: IdentifyReport) -> str:
    """Return the spec as a file that is a TARGET. Raises `UserError` if no spec is proved."""
    spec = report.identity.spec
    if spec is None or not report.identity.is_proved:
        raise UserError(
            f"--format toml: no spec has the graph of {report.target} as its plan; "
            "--format table says where it differs"
        )
    values = spec.model_dump(by_alias=True, exclude_defaults=True, mode="json")
    if isinstance(spec, BlockSpec):
        values = {"target": "block", **values}
    return tomli_w.dumps(values)


class FaultPart(Part):
    """A difference."""

    place: str = Field(description="Path of the module.")
    what: str = Field(description="What is other there.")


class IdentifyDocument(Document):
    """What `mbv2 identify --format json` prints."""

    command: Literal["identify"] = Field("identify", description="`identify`.")
    target: str = Field(description="The target, as given.")
    names: tuple[str, ...] = Field(
        description="Targets that are this network, presets first; empty if there is none."
    )
    spec: BlockSpec | NetworkSpec | None = Field(
        description="The spec whose planned graph is that of the target, or the nearest one; null "
        "if there is none."
    )
    agrees: bool = Field(description="Whether the planned graph of `spec` is that of the target.")
    faults: tuple[FaultPart, ...] = Field(description="Differences from `spec`.")
    nearest: str | None = Field(
        description="The nearest preset; null if `names` has one, or if none is near."
    )
    distance: tuple[FaultPart, ...] = Field(description="Differences from `nearest`.")
    expected: str | None = Field(description="The target of `--expect`; null without it.")
    broken: tuple[FaultPart, ...] = Field(description="Differences from `expected`.")
    contents: str = Field(description="Numbers of convolutions, additions and linear layers.")
    remarks: tuple[str, ...] = Field(description="What is not compared.")


def as_json(report: IdentifyReport) -> str:
    """Return the document, indented."""
    identity = report.identity
    return IdentifyDocument(
        target=report.target,
        names=identity.names,
        spec=identity.spec,
        agrees=identity.is_proved,
        faults=_parts(identity.faults),
        nearest=identity.nearest,
        distance=_parts(identity.distance),
        expected=report.expected,
        broken=_parts(report.broken),
        contents=identity.contents,
        remarks=identity.remarks,
    ).text


def _parts(faults: Sequence[Fault]) -> tuple[FaultPart, ...]:
    return tuple(FaultPart(place=one.place, what=one.what) for one in faults)
