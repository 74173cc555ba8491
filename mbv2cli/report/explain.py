"""`mbv2 explain`: what a block or a network does, in sentences and small tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
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
from mbv2cli.specs.network import PAPER_STAGES, stage_expand
from mbv2cli.specs.reader import Request
from mbv2cli.specs.units import bytes_text, bytes_texts

_BAR: Final = 20
"""The signs of a bar that stands for the whole."""

_KINDS: Final[Mapping[str, str]] = {
    "inverted": "inverted residual",
    "fused": "fused block",
    "conv": "plain convolution",
}
"""What a block is, by its type."""

_LOSSES: Final[Mapping[str, str]] = {
    "relu": "sets negative values of single channels to 0",
    "relu6": "sets negative values of single channels to 0 and values above 6 to 6",
}
"""What an activation does to values; the others make negative values small."""

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
    """Return the channels of a block: ``3 -> 18 -> 18 -> 64``, one arrow for each convolution."""
    number = 0 if spec.type == "conv" else 1 + spec.has_expansion
    hidden = [spec.hidden_channels] * number
    return " -> ".join(map(str, [spec.in_channels, *hidden, spec.out_channels]))


def _shape_text(found: BlockExplanation) -> str:
    spec = found.spec
    sizes = f"{_size(found.input_shape)} -> {_size(found.costs.output_shape)}"
    start = f"Channels {channels_text(spec)}, size {sizes}."
    is_wide = spec.hidden_channels > max(spec.in_channels, spec.out_channels)
    if is_wide and spec.type == "inverted":
        return (
            f"{start} The ends are narrow and the middle is wide: an inverted residual "
            "(section 3.3)."
        )
    return start


def _steps(found: BlockExplanation) -> Iterator[_Step]:
    spec = found.spec
    if spec.type == "conv":
        yield _plain(found)
        yield _shortcut(spec)
        return
    if spec.type == "fused":
        yield _fused(found)
    else:
        yield _expansion(spec)
        yield _depthwise(found)
    if spec.has_se:
        yield _squeeze_excite(spec)
    yield _projection(spec)
    yield _shortcut(spec)


def _plain(found: BlockExplanation) -> _Step:
    spec = found.spec
    title = f"Convolution: {_conv_text(spec)}, {_to(spec.in_channels, spec.out_channels)}"
    text = (
        "A block of type conv is one convolution over all channels. It has no expansion and no "
        f"projection.{_geometry(found)}"
    )
    return _Step(f"{title}, BatchNorm, {_act_text(spec)}", text)


def _fused(found: BlockExplanation) -> _Step:
    spec = found.spec
    text = (
        f"{_hidden_text(spec)} One convolution does the work of an expansion and a depthwise "
        "convolution (EfficientNet-EdgeTPU)"
    )
    if found.unfused is not None:
        times = found.costs.macs / found.unfused.costs.macs
        text += f": the block has {times:.2f} times the MACs of a block with both"
    title = f"Expansion: {_conv_text(spec)}, {_to(spec.in_channels, spec.hidden_channels)}"
    return _Step(f"{title}, BatchNorm, {_act_text(spec)}", f"{text}.{_geometry(found)}")


def _squeeze_excite(spec: BlockSpec) -> _Step:
    hidden, squeezed = spec.hidden_channels, spec.squeezed_channels
    of = "input" if spec.se_of == "in" else "hidden"
    nearest = f", a multiple of {spec.se_nearest}" if spec.se_nearest > 1 else ""
    title = f"Squeeze-excite: {hidden} to {squeezed} to {hidden} channels, {spec.squeeze_act}"
    text = (
        f"Ratio {spec.se:g} of the {of} channels{nearest}: {_channels(squeezed)}. The average of "
        "each channel over all pixels passes two layers; the gate scales each channel "
        "(arXiv 1709.01507)."
    )
    return _Step(f"{title}, gate {spec.se_gate}", text)


def _expansion(spec: BlockSpec) -> _Step:
    before, hidden = spec.in_channels, spec.hidden_channels
    if not spec.has_expansion:
        text = "At expand ratio 1 the depthwise convolution takes the input of the block (Table 2)."
        return _Step("No expansion", text)
    title = f"Expansion: 1x1 convolution, {_to(before, hidden)}, BatchNorm, {_act_text(spec)}"
    text = (
        f"{_hidden_text(spec)} At each pixel, each of them is a weighted sum of the "
        f"{_channels(before, 'input ')}. {_loss_text(spec)}"
    )
    return _Step(title, text)


def _loss_text(spec: BlockSpec) -> str:
    """Return what the activation of the middle loses, and whether other channels keep it."""
    if spec.act == "identity":
        return "No activation follows: the field act is identity."
    source = "section 3.2" if spec.act in _LOSSES else "section 3.2, about relu"
    loss = _LOSSES.get(spec.act, "makes negative values of single channels small")
    if spec.hidden_channels > spec.in_channels:
        return (
            f"The activation {spec.act} {loss}; with many channels, others keep the information "
            f"({source})."
        )
    return (
        f"The activation {spec.act} {loss}; the middle is not wider than the input, so other "
        f"channels may not keep the information ({source})."
    )


def _act_text(spec: BlockSpec) -> str:
    return "no activation" if spec.act == "identity" else spec.act


def _channels(number: int, kind: str = "") -> str:
    """Return ``18 channels``, or ``1 input channel``."""
    return f"{number} {kind}channel{'s' * (number != 1)}"


def _to(before: int, after: int) -> str:
    """Return ``3 to 18 channels``."""
    return f"{before} to {_channels(after)}"


def _hidden_text(spec: BlockSpec) -> str:
    """Return where the number of hidden channels comes from."""
    before, hidden = spec.in_channels, spec.hidden_channels
    if spec.hidden is not None:
        return f"The field hidden gives {_channels(hidden)}."
    product = f"{before} x {spec.expand:g}"
    if spec.hidden_nearest > 1:
        return (
            f"Expand ratio {spec.expand:g}: {product}, rounded to a multiple of "
            f"{spec.hidden_nearest}, is {_channels(hidden)}."
        )
    return f"Expand ratio {spec.expand:g}: round({product}) = {_channels(hidden)}."


def _depthwise(found: BlockExplanation) -> _Step:
    spec, hidden = found.spec, found.spec.hidden_channels
    weights = spec.kernel**2
    each = f"Each of the {hidden} channels is" if hidden > 1 else "The only channel is"
    text = f"{each} filtered alone, with {weights} weight{'s' * (weights != 1)}."
    if found.dense_middle is not None:
        times = found.dense_middle.costs.macs / found.costs.macs
        text += (
            f" A dense convolution has {hidden} x {weights} weights for each channel "
            f"(section 3.1); with it, the block would need {times:.2f} times as many MACs."
        )
    text += _geometry(found)
    return _Step(f"Depthwise: {_conv_text(spec)}, BatchNorm, {_act_text(spec)}", text)


def _conv_text(spec: BlockSpec) -> str:
    return f"{spec.kernel}x{spec.kernel} convolution, stride {stride_text(spec.stride)}"


def _geometry(found: BlockExplanation) -> str:
    """Return what stride, padding and dilation do, each in a sentence; "" for none of them."""
    spec, text = found.spec, ""
    down, along = spec.strides
    if (down, along) != (1, 1):
        rows, columns = (
            "every row" if down == 1 else f"every {_ordinal(down)} row",
            "column" if along == down else _columns(along),
        )
        text += (
            f" Stride {stride_text(spec.stride)} keeps {rows} and {columns}: "
            f"{_size(found.input_shape)} become {_size(found.costs.output_shape)} pixels."
        )
    if spec.pads_apart:
        text += " TensorFlow's padding comes before it, as an operation of its own."
    if spec.dilation > 1 and spec.kernel > 1:
        side = spec.dilation * (spec.kernel - 1) + 1
        text += f" Dilation {spec.dilation} spreads the weights over {side}x{side} pixels."
    return text


def _columns(along: int) -> str:
    return "every column" if along == 1 else f"every {_ordinal(along)} column"


def _projection(spec: BlockSpec) -> _Step:
    channels = _to(spec.hidden_channels, spec.out_channels)
    return _Step(
        f"Projection: 1x1 convolution, {channels}, BatchNorm, no activation",
        text=(
            "The end is linear: an activation such as relu sets negative values to 0, and few "
            "channels cannot keep what is lost (section 3.2; measured in section 6.4)."
        ),
    )


def _shortcut(spec: BlockSpec) -> _Step:
    if spec.projects_shortcut:
        text = (
            "Stride is 1, and input and output differ in channels: a 1x1 convolution with "
            "BatchNorm makes them equal (pytorch-cifar; the paper has no shortcut here)."
        )
        channels = _to(spec.in_channels, spec.out_channels)
        return _Step(f"Shortcut: 1x1 convolution of the input, {channels}, + output", text)
    if spec.has_shortcut:
        text = (
            f"Stride is 1, and input and output have {_channels(spec.in_channels)} each. Gradients "
            "pass through the addition (section 3.3)."
        )
        return _Step("Shortcut: input + output", text)
    keeps_shape = spec.stride == 1 and spec.in_channels == spec.out_channels
    if keeps_shape:
        text = (
            "The field shortcut is none. Input and output have the same shape, so a block of the "
            "paper has a shortcut here (section 3.3)."
        )
        return _Step("No shortcut", text)
    reasons = []
    if spec.stride != 1:
        reasons.append(f"the stride is {stride_text(spec.stride)}")
    if spec.in_channels != spec.out_channels and spec.shortcut != "projection":
        reasons.append(
            f"the input has {_channels(spec.in_channels)}, the output {spec.out_channels}"
        )
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
    alternatives = {
        f"One dense {kernel} convolution": found.dense,
        f"This block, dense {kernel} on HIDDEN": found.dense_middle,
        f"This block, not fused, {kernel} on HIDDEN": found.unfused,
        f"Classic bottleneck, {kernel} on HIDDEN": found.bottleneck,
    }
    rows = [
        ("This block", found.costs),
        *(
            (name.replace("HIDDEN", _channels(one.middle or 0)), one.costs)
            for name, one in alternatives.items()
            if one is not None
        ),
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
    return "yes" if change.spec.has_shortcut or change.spec.projects_shortcut else "no"


def _network_lines(report: NetworkReport) -> Iterator[Block]:
    found = report.network
    costs = found.costs
    yield from heading(report.request)
    yield Line(f"Input shape: {bracketed(found.input_shape)}")
    yield Line(_parts_text(found), "", INDENT)
    yield Line()
    yield _stages_table(found)
    yield Line()
    yield from _shares(found)
    yield Line(
        f"Peak of activations: {bytes_text(costs.layerwise_bytes)} ({DTYPE}, rule layerwise).",
        "",
        INDENT,
    )
    number = min(2, len(found.blocks))
    block = f"mbv2 explain {report.request.target}:features.{number} explains one block. "
    is_paper = found.spec.stages == PAPER_STAGES
    source = "rows of Table 2 of the paper, arXiv 1801.04381" if is_paper else "those of the target"
    yield Line(f"{block * bool(number)}Stages are {source}.", DIM, INDENT)


def _parts_text(found: NetworkExplanation) -> str:
    """Return what a network consists of, and what the blocks of a stage share."""
    spec, blocks = found.spec, [one for _, one in found.blocks]
    kinds = Counter(_KINDS[block.type] for block in blocks)
    stages = len({stage for stage, _ in found.blocks})
    counts = [f"{number} {kind}{'s' * (number != 1)}" for kind, number in kinds.items()]
    text = (
        f"A stem, {' and '.join(counts) or 'no block'} in {stages} stage{'s' * (stages != 1)}"
        f"{', a head' * bool(spec.head)}{', a classifier' * bool(spec.classes)}."
    )
    if spec.until:
        text += f" It stops after {spec.until}."
    text += " Only the first block of a stage changes the size or the channels."
    later = [block for (before, _), (stage, block) in pairwise(found.blocks) if stage == before]
    if later and all(block.has_shortcut for block in later):
        text += " The later blocks have shortcuts."
    return text


def _stages_table(found: NetworkExplanation) -> Table:
    stages = found.stages
    repeats = {name: str(n) for name, n in Counter(name for name, _ in found.blocks).items()}
    expand = {
        f"s{number}": f"{stage_expand(one.expand, found.spec.expand):g}"
        for number, one in enumerate(found.spec.stages, start=1)
        if one.hidden is None and one.type != "conv"
    }
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
