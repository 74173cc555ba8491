"""`mbv2 presets`: the named networks and what each costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Literal

from pydantic import Field

from mbv2cli.costs.figures import PEAK, Counting
from mbv2cli.errors import UserError, nearest
from mbv2cli.gate.limits import Expectations, verdicts
from mbv2cli.graph.ops import Shape
from mbv2cli.inspection import Plan, plan_of
from mbv2cli.report.document import Document, Part
from mbv2cli.report.page import BOLD, WARNING, Column, Line, Page, Table, page
from mbv2cli.report.text import INDENT
from mbv2cli.specs import NetworkSpec
from mbv2cli.specs.presets import Preset, presets
from mbv2cli.specs.reader import read_request
from mbv2cli.specs.units import bytes_numbers

_INT8: Final = Counting(dtype="int8")


@dataclass(frozen=True, slots=True)
class PresetFigures:
    """A preset and its plan at its own size, batch 1. ``counting`` says how the peak is counted."""

    preset: Preset
    plan: Plan
    counting: Counting

    @property
    def peak_bytes(self) -> int:
        """Peak of activation memory."""
        return self.plan.figure(PEAK, self.counting)


def matching(name: str) -> tuple[Preset, ...]:
    """Return the presets with a name or an alias that has the text ``name`` or fits it as a glob.

    Raises `UserError` if there is none.
    """
    glob = name.lower() if any(sign in name for sign in "*?[") else f"*{name.lower()}*"
    found = tuple(
        preset
        for preset in presets().values()
        if any(fnmatchcase(one.lower(), glob) for one in (preset.name, *preset.aliases))
    )
    if not found:
        raise UserError(
            f"no preset has '{name}' in its name; mbv2 presets lists every preset"
            f"{nearest(name, presets())}"
        )
    return found


def preset_figures(chosen: Iterable[Preset], counting: Counting) -> tuple[PresetFigures, ...]:
    """Return the figures of presets. Loads no torch."""
    return tuple(_figures(preset, counting) for preset in chosen)


def within(figures: Iterable[PresetFigures], limits: Expectations) -> tuple[PresetFigures, ...]:
    """Return the presets that keep all limits."""
    return tuple(
        one
        for one in figures
        if all(verdict.holds for verdict in verdicts(limits, one.plan, one.counting.dtype))
    )


def _figures(preset: Preset, counting: Counting) -> PresetFigures:
    request = read_request(preset.name)
    return PresetFigures(preset, plan_of(request.spec, request.input), counting)


def as_table(figures: Sequence[PresetFigures]) -> Page:
    """Return a row for each preset, and the names that other codebases give them."""
    if not figures:
        return page([Line("No preset keeps every limit.", WARNING)])
    totals = [one.plan.totals for one in figures]
    peaks, unit = bytes_numbers(one.peak_bytes for one in figures)
    counting = figures[0].counting
    table = Table(
        [
            Column("Preset", [one.preset.name for one in figures]),
            Column("Size", list(map(_size, figures)), is_number=True, rank=4),
            Column(
                "Params", [f"{one.params / 10**6:.2f} M" for one in totals], is_number=True, rank=1
            ),
            Column(
                "MACs", [f"{one.macs / 10**6:,.1f} M" for one in totals], is_number=True, rank=2
            ),
            Column(
                f"Peak {unit}\n{counting.rule}\n{counting.dtype}", peaks, is_number=True, rank=3
            ),
            Column("Source", [one.preset.source for one in figures], rank=5),
        ]
    )
    return page([table, *_aliases(figures)])


def _aliases(figures: Sequence[PresetFigures]) -> Iterator[Line]:
    named = [one.preset for one in figures if one.preset.aliases]
    if named:
        yield Line()
        yield Line("Names in other codebases (each is a TARGET too):", BOLD, INDENT)
        for preset in named:
            text = f"{INDENT}{preset.name}: {', '.join(preset.aliases)}"
            yield Line(text, "", INDENT * 2)


def _size(one: PresetFigures) -> str:
    height, width = one.plan.input_shape[2:]
    return str(height) if height == width else f"{height}x{width}"


class PresetPart(Part):
    """A named network at its own size, batch 1."""

    name: str = Field(
        description="Name of the preset. Every command takes this name as its TARGET."
    )
    aliases: tuple[str, ...] = Field(
        description="Names of the network in other codebases. Each is a TARGET too."
    )
    source: str = Field(description="Where the network comes from.")
    spec: NetworkSpec = Field(
        description="Every field of the network, under the names of its flags."
    )
    input_shape: Shape = Field(description="Batch, channels, height, width.")
    output_shape: Shape = Field(description="Shape of the output.")
    params: int = Field(description="Parameters.")
    macs: int = Field(description="MACs of convolutions and linear layers.")
    layerwise_int8_bytes: int = Field(
        description="Activation peak under the rule `layerwise`, in int8."
    )


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
        aliases=one.preset.aliases,
        source=one.preset.source,
        spec=one.plan.spec,
        input_shape=one.plan.input_shape,
        output_shape=one.plan.output_shape,
        params=one.plan.totals.params,
        macs=one.plan.totals.macs,
        layerwise_int8_bytes=one.plan.figure(PEAK, _INT8),
    )
