"""`mbv2 presets`: the named networks and what each costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from pydantic import Field

from mbv2cli.costs.figures import PEAK, Counting
from mbv2cli.gate.boards import BoardFit
from mbv2cli.gate.presets import PresetFigures, PresetList
from mbv2cli.graph.ops import Shape
from mbv2cli.report.boards import BoardFitPart, fit_part, not_counted
from mbv2cli.report.document import Document, Part
from mbv2cli.report.page import BOLD, WARNING, Column, Line, Page, Table, page
from mbv2cli.report.text import INDENT
from mbv2cli.specs import NetworkSpec
from mbv2cli.specs.units import bytes_numbers, room_text

_INT8: Final = Counting(dtype="int8")

_HOW_TO_SEE_MORE: Final = (
    Line(),
    Line("mbv2 presets FAMILY shows the sources, and the names in other codebases too."),
)


def as_table(found: PresetList) -> Page:
    """Return a row for each preset, under its family.

    Presets of one family have their source, and below them their names in other codebases.
    """
    figures = found.figures
    if not figures:
        return page([Line("No preset keeps every limit.", WARNING)])
    if len({one.preset.family for one in figures}) > 1:
        table = Table(_columns(found), notes=_families(figures))
        return page([table, *not_counted(found.limits.board), *_HOW_TO_SEE_MORE])
    source = Column("Source", [one.preset.source for one in figures], rank=5)
    table = Table([*_columns(found), source])
    return page([table, *not_counted(found.limits.board), *_aliases(figures)])


def _columns(found: PresetList) -> list[Column]:
    figures = found.figures
    totals = [one.plan.totals for one in figures]
    params = [f"{one.params / 10**6:.2f} M" for one in totals]
    macs = [f"{one.macs / 10**6:,.1f} M" for one in totals]
    peaks, unit = bytes_numbers(one.peak_bytes for one in figures)
    counting = figures[0].counting
    return [
        Column("Preset", [one.preset.name for one in figures]),
        Column("Size", list(map(_size, figures)), is_number=True, rank=4),
        Column("Params", params, is_number=True, rank=1),
        Column("MACs", macs, is_number=True, rank=2),
        Column(f"Peak {unit}\n{counting.rule}\n{counting.dtype}", peaks, is_number=True, rank=3),
        *_fits(found),
    ]


def _families(figures: Sequence[PresetFigures]) -> dict[int, tuple[Line, ...]]:
    """Return the heading of each family, by the number of the row above it."""
    families = [one.preset.family for one in figures]
    return {
        number - 1: (Line(), Line(family, BOLD))
        for number, family in enumerate(families)
        if not number or family != families[number - 1]
    }


def _fits(found: PresetList) -> Iterator[Column]:
    """Yield the arena and the flash of each preset if there is a board for them."""
    fits = found.fits
    if fits:
        for title, verdicts in (
            ("Arena", [fit.tflm for fit in fits]),
            ("Flash", [fit.flash for fit in fits]),
        ):
            numbers, unit = bytes_numbers(one.actual for one in verdicts)
            yield Column(f"{title}\n{unit}", numbers, is_number=True, rank=3)
            left = [room_text(one.limit, one.actual) for one in verdicts]
            yield Column("", left, is_number=True, rank=4)


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
    family: str = Field(
        description="Name of the family, such as `mobilenetv3`. `mbv2 presets FAMILY` lists it."
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
    fit: BoardFitPart | None = Field(description="The preset on the board; null without `--board`.")


class PresetsDocument(Document):
    """What `mbv2 presets --format json` prints."""

    command: Literal["presets"] = Field("presets", description="`presets`.")
    presets: tuple[PresetPart, ...] = Field(description="Every preset.")


def as_json(found: PresetList) -> str:
    """Return the document, indented."""
    fits = found.fits or (None,) * len(found.figures)
    return PresetsDocument(presets=tuple(map(_part, found.figures, fits))).text


def _part(one: PresetFigures, fit: BoardFit | None) -> PresetPart:
    return PresetPart(
        name=one.preset.name,
        family=one.preset.family,
        aliases=one.preset.aliases,
        source=one.preset.source,
        spec=one.plan.spec,
        input_shape=one.plan.input_shape,
        output_shape=one.plan.output_shape,
        params=one.plan.totals.params,
        macs=one.plan.totals.macs,
        layerwise_int8_bytes=one.plan.figure(PEAK, _INT8),
        fit=fit and fit_part(fit),
    )
