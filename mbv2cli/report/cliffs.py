"""`mbv2 cliffs`: where rounding makes a smaller width multiplier buy nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from mbv2cli.cliffs import Plateau, Walk, walk
from mbv2cli.costs.memory import MemoryRule
from mbv2cli.errors import UserError
from mbv2cli.report.document import Part, RequestDocument, request_fields
from mbv2cli.report.text import heading
from mbv2cli.specs import NetworkSpec
from mbv2cli.specs.reader import Request
from mbv2cli.specs.units import bytes_text


@dataclass(frozen=True, slots=True)
class CliffsReport:
    """The plateaus of a network's peak as its width multiplier falls."""

    request: Request
    rule: MemoryRule
    dtype: str
    walk: Walk


def cliffs_of(request: Request, rule: MemoryRule, dtype: str) -> CliffsReport:
    """Return the cliffs of ``request``. Loads no torch.

    Raises `UserError` for a block, which has no width multiplier, and for a network that cannot
    be built at any width.
    """
    if not isinstance(request.spec, NetworkSpec):
        raise UserError("a block has no width multiplier; try mbv2 cliffs network, or a preset")
    return CliffsReport(request, rule, dtype, walk(request.spec, request.input, rule, dtype))


def as_table(report: CliffsReport) -> str:
    """Return a line for each plateau, then two lists of widths, in at most 80 columns."""
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: CliffsReport) -> Iterator[str]:
    yield heading(report.request)
    yield ""
    peak = f"{report.rule.name} {report.dtype}"
    yield f"{'width_mult':<13} {peak:>24} {'params':>17} {'MACs':>21}"
    for plateau in report.walk.plateaus:
        yield _plateau_line(plateau)
    yield ""
    for one in report.walk.unbuildable:
        text = f"width_mult {one.side} {one.nearest:.2f} cannot be built: {one.reason}"
        yield from textwrap.wrap(text, 80, subsequent_indent="    ")
    drops = [
        f"{plateau.widest.widths[0]:.2f} ({bytes_text(plateau.peak_bytes)})"
        for plateau in report.walk.plateaus[1:]
    ]
    yield from _paragraph("Just below a drop", drops)
    yield from _paragraph("Same network as the next larger width", _repeating(report))


def _plateau_line(plateau: Plateau) -> str:
    widest, narrowest = plateau.widest, plateau.narrowest
    widths = f"{widest.widths[0]:.2f} - {narrowest.widths[-1]:.2f}"
    params = f"{widest.params / 10**6:.2f} - {narrowest.params / 10**6:.2f} M"
    macs = f"{widest.macs / 10**6:,.1f} - {narrowest.macs / 10**6:,.1f} M"
    return f"{widths:<13} {bytes_text(plateau.peak_bytes):>24} {params:>17} {macs:>21}"


def _repeating(report: CliffsReport) -> list[str]:
    """Return the widths that build the same network as the next larger width."""
    return [
        f"{width:.2f}"
        for plateau in report.walk.plateaus
        for network in plateau.networks
        for width in network.widths[1:]
    ]


def _paragraph(title: str, words: list[str]) -> list[str]:
    return textwrap.wrap(f"{title}: {', '.join(words) or 'none'}", 80, subsequent_indent="    ")


class SameNetworkPart(Part):
    """A network, and the widths that build it."""

    widths: tuple[float, ...] = Field(description="Width multipliers that build it, widest first.")
    params: int = Field(description="Parameters of the network.")
    macs: int = Field(description="MACs of its convolutions and linear layers.")


class PlateauPart(Part):
    """Neighbouring widths with the same peak."""

    peak_bytes: int = Field(description="The peak of each of these networks, in the dtype.")
    networks: tuple[SameNetworkPart, ...] = Field(description="The networks, widest first.")


class UnbuildablePart(Part):
    """Neighbouring widths at which the network cannot be built."""

    widths: tuple[float, ...] = Field(description="Width multipliers, widest first.")
    nearest: float = Field(description="Nearest width multiplier that can be built.")
    reason: str = Field(description="What is wrong at the width next to the nearest one.")


class CliffsDocument(RequestDocument):
    """What `mbv2 cliffs --format json` prints."""

    command: Literal["cliffs"] = Field("cliffs", description="`cliffs`.")
    rule: str = Field(description="Name of the memory rule.")
    dtype: str = Field(description="Element type of the peaks.")
    plateaus: tuple[PlateauPart, ...] = Field(
        description="From width 1.50 down to 0.10, in steps of 0.01."
    )
    unbuildable: tuple[UnbuildablePart, ...] = Field(
        description="Widths that are left out, because the network cannot be built there."
    )


def as_json(report: CliffsReport) -> str:
    """Return the document, indented."""
    return CliffsDocument(
        **request_fields(report.request),
        rule=report.rule.name,
        dtype=report.dtype,
        plateaus=tuple(
            PlateauPart(
                peak_bytes=plateau.peak_bytes,
                networks=tuple(map(SameNetworkPart.model_validate, plateau.networks)),
            )
            for plateau in report.walk.plateaus
        ),
        unbuildable=tuple(map(UnbuildablePart.model_validate, report.walk.unbuildable)),
    ).text
