"""`mbv2 identify`: which MobileNetV2 a target is, and where it differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from mbv2cli.errors import UserError
from mbv2cli.identify.faults import Fault
from mbv2cli.identify.identity import Identity
from mbv2cli.report.document import Document, OriginPart, Part
from mbv2cli.report.page import BAD, BOLD, GOOD, WARNING, Line, Page, page
from mbv2cli.report.text import INDENT
from mbv2cli.specs import BlockSpec, NetworkSpec
from mbv2cli.specs.origin import How, Origin
from mbv2cli.specs.reader import without_idle

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
    yield from _identity(report)
    if report.identity.origin is not None:
        yield from _origin(report.identity, report.identity.origin)
        return
    yield _verdict(report)


def _identity(report: IdentifyReport) -> Iterator[Line]:
    identity = report.identity
    if report.expected is not None:
        yield from _expected(report, report.expected)
    elif identity.origin is not None and identity.faults:
        nearest = f", nearest to {identity.nearest}" if identity.nearest else ""
        yield Line(f"{report.target} contradicts itself{nearest}.", BAD, INDENT)
    elif identity.names:
        first, *others = identity.names
        also = f" (the same {_same(identity)}: {', '.join(others)})" if others else ""
        has = "is" if identity.origin is None else "has the shapes of"
        yield Line(f"{report.target} {has} {first}{also}.", BOLD, INDENT)
    elif identity.nearest:
        yield from _near(report.target, identity.nearest, identity.distance)
    elif _has_own_spec(identity):
        yield Line(f"{report.target} is a MobileNetV2 of its own.", BOLD, INDENT)
    else:
        why = f": {identity.reason}" if identity.reason else ""
        yield Line(f"{report.target} is not a MobileNetV2{why}.", BOLD, INDENT)
        yield Line(f"It has {identity.contents}.", "", INDENT)
    if _has_own_spec(identity) and not identity.names:
        yield Line("--format toml writes its spec.", "", INDENT)
    yield from (Line(f"Not compared: {remark}.", "", INDENT) for remark in identity.remarks)


def _has_own_spec(identity: Identity) -> bool:
    """Return whether the spec is that of the target: proved, or read without a contradiction."""
    is_read = identity.origin is not None and identity.spec is not None and not identity.faults
    return identity.is_proved or is_read


def _same(identity: Identity) -> str:
    return "network" if identity.origin is None else "shapes"


def _origin(identity: Identity, origin: Origin) -> Iterator[Line]:
    """Yield what a checkpoint is, and how each field is known."""
    yield Line(f"{origin.file} is a {origin.what}.", "", INDENT)
    if identity.spec is None:
        return
    for how in How:
        if text := origin.text_of(how):
            yield Line(f"{how.text.capitalize()}: {text}.", "", INDENT)
    text = "Names and shapes only: no data was read, nothing was run."
    yield Line(text, WARNING, INDENT)


def _expected(report: IdentifyReport, expected: str) -> Iterator[Line]:
    if report.broken:
        yield from _near(report.target, expected, report.broken)
    else:
        has = "is" if report.identity.origin is None else "has the shapes of"
        yield Line(f"{report.target} {has} {expected}.", BOLD, INDENT)


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
    """Return the spec as a file that is a TARGET. Raises `UserError` if the target has none."""
    import tomli_w  # slow, and no other format needs it

    spec = report.identity.spec
    if spec is None or not _has_own_spec(report.identity):
        has = "has the graph" if report.identity.origin is None else "has the shapes"
        raise UserError(
            f"--format toml: no spec {has} of {report.target}; --format table says where it differs"
        )
    values = spec.model_dump(by_alias=True, exclude_defaults=True, mode="json")
    of_use = without_idle(spec.noun, values)
    kind = {"target": spec.noun} if isinstance(spec, BlockSpec) else {}
    return tomli_w.dumps({**kind, **of_use})


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
    agrees: bool | None = Field(
        description="Whether the planned graph of `spec` is that of the target; null for a "
        "checkpoint, which has no graph."
    )
    faults: tuple[FaultPart, ...] = Field(description="Differences from `spec`.")
    nearest: str | None = Field(
        description="The nearest preset; null if `names` has one, or if none is near."
    )
    distance: tuple[FaultPart, ...] = Field(description="Differences from `nearest`.")
    expected: str | None = Field(description="The target of `--expect`; null without it.")
    broken: tuple[FaultPart, ...] = Field(description="Differences from `expected`.")
    contents: str = Field(description="Numbers of convolutions, additions and linear layers.")
    remarks: tuple[str, ...] = Field(description="What is not compared.")
    origin: OriginPart | None = Field(
        description="The checkpoint and how each field of `spec` is known; null for a module."
    )
    reason: str = Field(description="Why a checkpoint is no MobileNetV2; empty if it is one.")


def as_json(report: IdentifyReport) -> str:
    """Return the document, indented."""
    identity = report.identity
    return IdentifyDocument(
        target=report.target,
        names=identity.names,
        spec=identity.spec,
        agrees=identity.is_proved if identity.origin is None else None,
        faults=_parts(identity.faults),
        nearest=identity.nearest,
        distance=_parts(identity.distance),
        expected=report.expected,
        broken=_parts(report.broken),
        contents=identity.contents,
        remarks=identity.remarks,
        origin=identity.origin and OriginPart.model_validate(identity.origin),
        reason=identity.reason,
    ).text


def _parts(faults: Sequence[Fault]) -> tuple[FaultPart, ...]:
    return tuple(FaultPart(place=one.place, what=one.what) for one in faults)
