"""The cliffs as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mbv2cli.report.cliffs.report import CliffsReport
from mbv2cli.report.document import Part, RequestDocument, request_fields


class SameNetworkPart(Part):
    """A network, and the widths that build it."""

    widths: tuple[float, ...] = Field(description="Width multipliers that build it, widest first.")
    params: int = Field(description="Its parameters.")
    macs: int = Field(description="Its MACs of convolutions and linear layers.")


class PlateauPart(Part):
    """Neighbouring widths with the same peak."""

    peak_bytes: int = Field(description="The peak that they share, of the dtype.")
    networks: tuple[SameNetworkPart, ...] = Field(description="The networks, widest first.")


class CliffsDocument(RequestDocument):
    """What `mbv2 cliffs --format json` prints."""

    command: Literal["cliffs"] = Field("cliffs", description="`cliffs`.")
    rule: str = Field(description="Name of the memory rule.")
    dtype: str = Field(description="Element type of the peaks.")
    plateaus: tuple[PlateauPart, ...] = Field(
        description="From width 1.50 down to 0.10, in steps of 0.01."
    )


def render(report: CliffsReport) -> str:
    """Return the document, indented."""
    return CliffsDocument(
        **request_fields(report.request),
        rule=report.rule.name,
        dtype=report.dtype,
        plateaus=tuple(
            PlateauPart(
                peak_bytes=report.bytes_of(plateau),
                networks=tuple(map(SameNetworkPart.model_validate, plateau.networks)),
            )
            for plateau in report.plateaus
        ),
    ).text
