"""The presets as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from mbv2cli.plan import Shape
from mbv2cli.report.document import Document, Part
from mbv2cli.report.presets.report import PresetFigures
from mbv2cli.specs import NetworkSpec


class PresetPart(Part):
    """A named network at its own size, batch 1."""

    name: str = Field(description="Name: a TARGET of every command.")
    source: str = Field(description="Whose network it is.")
    spec: NetworkSpec = Field(description="Every field of it, under the names of its flags.")
    input_shape: Shape = Field(description="Batch, channels, height, width.")
    output_shape: Shape = Field(description="Shape of what comes out.")
    params: int = Field(description="Parameters.")
    macs: int = Field(description="MACs of convolutions and linear layers.")
    layerwise_int8_bytes: int = Field(description="Activation peak under `layerwise`, in int8.")


class PresetsDocument(Document):
    """What `mbv2 presets --format json` prints."""

    command: Literal["presets"] = Field("presets", description="`presets`.")
    presets: tuple[PresetPart, ...] = Field(description="Every preset.")


def render(figures: Sequence[PresetFigures]) -> str:
    """Return the document, indented."""
    return PresetsDocument(presets=tuple(map(_part, figures))).text


def _part(one: PresetFigures) -> PresetPart:
    return PresetPart(
        name=one.preset.name,
        source=one.preset.source,
        spec=one.plan.spec,
        input_shape=one.plan.input_shape,
        output_shape=one.plan.output_shape,
        params=one.plan.totals.params,
        macs=one.plan.totals.macs,
        layerwise_int8_bytes=one.peak_bytes,
    )
