"""`mbv2 explain`: what a block or a network does, in sentences and small tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from mbv2cli.explanation import (
    DTYPE,
    BlockExplanation,
    Change,
    Costs,
    NetworkExplanation,
    PartCosts,
)
from mbv2cli.graph.ops import Shape
from mbv2cli.report.page import BOLD, DIM, Block, Column, Line, Page, Table, page
from mbv2cli.report.text import INDENT, bracketed, compact, heading, stride_text
from mbv2cli.specs import BlockSpec
from mbv2cli.specs.reader import Request
from mbv2cli.specs.units import bytes_text, bytes_texts

_BAR: Final = 20
"""The signs of a bar that stands for the whole."""

_PAPER: Final = "Sections, tables and figures are those of the paper, arXiv 1801.04381."


@dataclass(frozen=True, slots=True)
class BlockReport:
    """The explanation of a block. ``others`` are blocks to compare it with, by their targets."""

    request: Request
    block: BlockExplanation
    others: tuple[tuple[str, BlockExplanation], ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkReport:
    """The explanation of a network."""

    request: Request
    network: NetworkExplanation


class _Step(NamedTuple):
    """A part of a block in words."""

    title: str
    text: str


def block_page(report: BlockReport) -> Page:
    """Return the convolutions, where the costs go, and what other blocks would cost."""
    return page(_block_lines(report))


def network_page(report: NetworkReport) -> Page:
    """Return a row for each stage, and where the costs go."""
    return page(_network_lines(report))


def _block_lines(report: BlockReport) -> Iterator[Block]:
    found = report.block
    yield from heading(report.request)
    yield Line(f"Input shape: {bracketed(found.input_shape)}")
    yield Line(_shape_text(found), "", INDENT)
    for number, step in enumerate(_steps(found), start=1):
        yield Line(f"{number}. {step.title}", BOLD, INDENT)
        yield Line(f"   {step.text}", "", "   ")
    yield Line()
    yield _parts_table(found.parts)
    yield Line()
    yield _alternatives_table(report)
    yield Line()
    yield _changes_table(found)
    yield Line(f"Bytes: activations in {DTYPE}, rule layerwise. {_PAPER}", DIM, INDENT)


def channels_text(spec: BlockSpec) -> str:
    """Return the channels of a block: ``3 -> 18 -> 18 -> 64``, without an expansion two arrows."""
    hidden = [spec.hidden_channels] * (2 if spec.has_expansion else 1)
    return " -> ".join(map(str, [spec.in_channels, *hidden, spec.out_channels]))


def _shape_text(found: BlockExplanation) -> str:
    spec = found.spec
    sizes = f"{_size(found.input_shape)} -> {_size(found.costs.output_shape)}"
    start = f"Channels {channels_text(spec)}, size {sizes}."
    if spec.hidden_channels > max(spec.in_channels, spec.out_channels):
        return (
            f"{start} The ends are narrow and the middle is wide: an inverted residual "
            "(section 3.3)."
        )
    return start


def _steps(found: BlockExplanation) -> Iterator[_Step]:
    yield _expansion(found.spec)
    yield _depthwise(found)
    yield _projection(found.spec)
    yield _shortcut(found.spec)


def _expansion(spec: BlockSpec) -> _Step:
    before, hidden = spec.in_channels, spec.hidden_channels
    if not spec.has_expansion:
        text = "At expand ratio 1 the depthwise convolution takes the input of the block (Table 2)."
        return _Step("No expansion", text)
    title = f"Expansion: 1x1 convolution, {before} to {hidden} channels, BatchNorm, {spec.act}"
    text = (
        f"Expand ratio {spec.expand:g}: round({before} x {spec.expand:g}) = {hidden} channels. At "
        f"each pixel, each of them is a weighted sum of the {before} input channels. The "
        "activation loses values of single channels; with many channels, others keep the "
        "information (section 3.2)."
    )
    return _Step(title, text)


def _depthwise(found: BlockExplanation) -> _Step:
    spec, hidden = found.spec, found.spec.hidden_channels
    kernel, weights = f"{spec.kernel}x{spec.kernel}", spec.kernel**2
    times = found.dense_middle.costs.macs / found.costs.macs
    text = (
        f"Each of the {hidden} channels is filtered alone, with {weights} weights. A dense "
        f"convolution has {hidden} x {weights} weights for each channel (section 3.1); with it, "
        f"the block would need {times:.2f} times as many MACs."
    )
    down, along = spec.strides
    if (down, along) != (1, 1):
        rows, columns = (
            "every row" if down == 1 else f"every {_ordinal(down)} row",
            "column" if along == down else f"every {_ordinal(along)} column",
        )
        text += (
            f" Stride {stride_text(spec.stride)} keeps {rows} and {columns}: "
            f"{_size(found.input_shape)} become {_size(found.costs.output_shape)} pixels."
        )
    if spec.dilation > 1:
        side = spec.dilation * (spec.kernel - 1) + 1
        text += f" Dilation {spec.dilation} spreads the weights over {side}x{side} pixels."
    stride = stride_text(spec.stride)
    title = f"Depthwise: {kernel} convolution, stride {stride}, BatchNorm, {spec.act}"
    return _Step(title, text)


def _projection(spec: BlockSpec) -> _Step:
    channels = f"{spec.hidden_channels} to {spec.out_channels} channels"
    return _Step(
        f"Projection: 1x1 convolution, {channels}, BatchNorm, no activation",
        text=(
            "The end is linear: an activation such as relu sets negative values to 0, and few "
            "channels cannot keep what is lost (section 3.2; measured in section 6.4)."
        ),
    )


def _shortcut(spec: BlockSpec) -> _Step:
    if spec.has_shortcut:
        text = (
            f"Stride is 1, and input and output have {spec.in_channels} channels each. Gradients "
            "pass through the addition (section 3.3)."
        )
        return _Step("Shortcut: input + output", text)
    reasons = []
    if spec.stride != 1:
        reasons.append(f"the stride is {stride_text(spec.stride)}")
    if spec.in_channels != spec.out_channels:
        reasons.append(f"the input has {spec.in_channels} channels, the output {spec.out_channels}")
    text = (
        "A block adds its input only if input and output have the same shape: stride 1 and equal "
        f"channels (section 3.3). Here {', and '.join(reasons)}."
    )
    return _Step("No shortcut", text)


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")


def _size(shape: Shape) -> str:
    return compact(shape[2:])


def _parts_table(parts: Sequence[PartCosts]) -> Table:
    names = [str(part.role).capitalize() for part in parts]
    macs = [part.macs for part in parts]
    return Table(
        [
            Column("Where the costs go", names),
            Column("Params", [f"{part.params:,}" for part in parts], is_number=True, rank=2),
            Column("MACs", [f"{one:,}" for one in macs], is_number=True),
            Column("Share of MACs", _bars(macs), rank=3),
            Column(
                "Alive", bytes_texts(one.layerwise_bytes for one in parts), is_number=True, rank=1
            ),
        ]
    )


def _bars(amounts: Sequence[int]) -> list[str]:
    whole = sum(amounts) or 1
    return [
        f"{'█' * round(_BAR * one / whole):{_BAR}} {100 * one / whole:4.1f} %" for one in amounts
    ]


def _alternatives_table(report: BlockReport) -> Table:
    found = report.block
    kernel = f"{found.spec.kernel}x{found.spec.kernel}"
    middle, narrow = found.dense_middle.middle, found.bottleneck.middle
    rows = [
        ("This block", found.costs),
        (f"One dense {kernel} convolution", found.dense.costs),
        (f"This block, dense {kernel} on {middle} channels", found.dense_middle.costs),
        (f"Classic bottleneck, {kernel} on {narrow} channels", found.bottleneck.costs),
        *((target, other.costs) for target, other in report.others),
    ]
    return _costs_table("The same shape, other layers", rows, found.costs)


def _costs_table(title: str, rows: Sequence[tuple[str, Costs]], unit: Costs) -> Table:
    costs = [one for _, one in rows]
    return Table(
        [
            Column(title, [name for name, _ in rows]),
            Column("Params", [f"{one.params:,}" for one in costs], is_number=True, rank=2),
            Column("MACs", [f"{one.macs:,}" for one in costs], is_number=True),
            Column("x", [f"{one.macs / unit.macs:.2f}" for one in costs], is_number=True),
            Column(
                "Peak", bytes_texts(one.layerwise_bytes for one in costs), is_number=True, rank=1
            ),
        ],
        narrow=(
            Line(title, BOLD),
            *(
                Line(f"{name}: {one.macs:,} MACs, {one.macs / unit.macs:.2f} x", "", INDENT)
                for name, one in rows
            ),
        ),
    )


def _changes_table(found: BlockExplanation) -> Table:
    changes = found.changes
    costs = [one.costs for one in changes]
    return Table(
        [
            Column("One field changed", [f"{one.key} {one.value}" for one in changes]),
            Column("Channels", [channels_text(one.spec) for one in changes], rank=3),
            Column("Output", [compact(one.output_shape[1:]) for one in costs], rank=2),
            Column("Shortcut", list(map(_has_shortcut, changes)), rank=4),
            Column("Params", [f"{one.params:,}" for one in costs], is_number=True),
            Column("MACs", [f"{one.macs:,}" for one in costs], is_number=True),
            Column(
                "Peak", bytes_texts(one.layerwise_bytes for one in costs), is_number=True, rank=1
            ),
        ]
    )


def _has_shortcut(change: Change) -> str:
    return "yes" if change.spec.has_shortcut else "no"


def _network_lines(report: NetworkReport) -> Iterator[Block]:
    found = report.network
    spec, costs = found.spec, found.costs
    yield from heading(report.request)
    yield Line(f"Input shape: {bracketed(found.input_shape)}")
    yield Line(
        f"A stem, {len(spec.blocks)} inverted residuals in {len(spec.stages)} stages"
        f"{', a head' * bool(spec.head)}{', a classifier' * bool(spec.classes)}. The first block "
        "of a stage has the stride and the new width of the stage. The later blocks keep the "
        "shape, so they have shortcuts.",
        "",
        INDENT,
    )
    yield Line()
    yield _stages_table(found)
    yield Line()
    yield from _shares(found)
    yield Line(
        f"Peak of activations: {bytes_text(costs.layerwise_bytes)} ({DTYPE}, rule layerwise).",
        "",
        INDENT,
    )
    block = f"{report.request.target}:features.{min(2, len(spec.blocks))}"
    yield Line(
        f"mbv2 explain {block} explains one block. Stages are rows of Table 2 of the paper, "
        "arXiv 1801.04381.",
        DIM,
        INDENT,
    )


def _stages_table(found: NetworkExplanation) -> Table:
    stages = found.stages
    rows = {f"s{number}": one for number, one in enumerate(found.spec.stages, start=1)}
    repeats = dict(zip(rows, map(str, found.spec.repeats), strict=True))
    expand = {name: f"{found.spec.expand or one.expand:g}" for name, one in rows.items()}
    return Table(
        [
            Column("Stage", [one.name for one in stages]),
            Column("Blocks", [repeats.get(one.name, "") for one in stages], is_number=True, rank=1),
            Column("t", [expand.get(one.name, "") for one in stages], is_number=True, rank=1),
            Column("Output", [compact((one.output_shape or ())[1:]) for one in stages]),
            Column("Params", [f"{one.params:,}" for one in stages], is_number=True, rank=2),
            Column("MACs", [f"{one.macs:,}" for one in stages], is_number=True),
            Column("Share of MACs", _bars([one.macs for one in stages]), rank=4),
            Column(
                "Peak",
                bytes_texts(one.layerwise_bytes or 0 for one in stages),
                is_number=True,
                rank=3,
            ),
        ]
    )


def _shares(found: NetworkExplanation) -> Iterator[Line]:
    """Yield where most of the MACs and of the parameters are."""
    macs = max(found.stages, key=lambda one: one.macs)
    params = max(found.stages, key=lambda one: one.params)
    yield Line(
        f"Most MACs: {macs.name}, {macs.macs_share:.1%}. Most parameters: {params.name}, "
        f"{params.params_share:.1%}.",
        "",
        INDENT,
    )
    kinds = ", ".join(f"{one.name} {one.macs_share:.1%}" for one in found.kinds if one.macs)
    yield Line(f"MACs by kind of layer: {kinds}.", "", INDENT)
