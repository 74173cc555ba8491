"""`mbv2 presets`: the named networks and what each costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field

from mbv2cli.costs.figures import PEAK, Counting
from mbv2cli.graph.ops import Shape
from mbv2cli.inspection import Plan, plan_of
from mbv2cli.report.document import Document, Part
from mbv2cli.specs import NetworkSpec
from mbv2cli.specs.presets import Preset, presets
from mbv2cli.specs.reader import read_request

_TITLES: Final = ("preset", "size", "params", "MACs", "int8 KiB", "source")


@dataclass(frozen=True, slots=True)
class PresetFigures:
    """A preset and what it costs at its own size, batch 1. The peak is layerwise, in int8."""

    preset: Preset
    plan: Plan
    peak_bytes: int


def preset_figures() -> tuple[PresetFigures, ...]:
    """Return the figures of every preset. Loads no torch."""
    return tuple(map(_figures, presets().values()))


def _figures(preset: Preset) -> PresetFigures:
    request = read_request(preset.name)
    plan = plan_of(request.spec, request.input)
    return PresetFigures(preset, plan, plan.figure(PEAK, Counting(dtype="int8")))


def as_table(figures: Sequence[PresetFigures]) -> str:
    """Return a line for each preset, in at most 80 columns."""
    return "".join(map(_line, (_TITLES, *map(_cells, figures))))


def _cells(one: PresetFigures) -> tuple[str, ...]:
    height, width = one.plan.input_shape[2:]
    return (
        one.preset.name,
        str(height) if height == width else f"{height}x{width}",
        f"{one.plan.totals.params / 10**6:.2f} M",
        f"{one.plan.totals.macs / 10**6:,.1f} M",
        f"{one.peak_bytes / 2**10:,.1f}",
        one.preset.source,
    )


def _line(cells: tuple[str, ...]) -> str:
    name, size, params, macs, peak, source = cells
    return f"{name:<16} {size:>4} {params:>7} {macs:>9} {peak:>8}  {source}\n"


class PresetPart(Part):
    """A named network at its own size, batch 1."""

    name: str = Field(description="Name: a TARGET of every command.")
    source: str = Field(description="Where the network comes from.")
    spec: NetworkSpec = Field(description="Every field of it, under the names of its flags.")
    input_shape: Shape = Field(description="Batch, channels, height, width.")
    output_shape: Shape = Field(description="Shape of the output.")
    params: int = Field(description="Parameters.")
    macs: int = Field(description="MACs of convolutions and linear layers.")
    layerwise_int8_bytes: int = Field(description="Activation peak under `layerwise`, in int8.")


class PresetsDocument(Document):
    """What `mbv2 presets --format json` prints."""

    command: Literal["presets"] = Field("presets", description="`presets`.")
    presets: tuple[PresetPart, ...] = Field(description="Every preset.")


def as_json(figures: Sequence[PresetFigures]) -> str:
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
