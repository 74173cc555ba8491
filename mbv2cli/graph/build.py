"""From a spec to its planned graph: the twin of ``nn/modules.py``.

Both files have the same functions in the same order, so that a reader can lay them side by side.
This file calls no torch: it writes down which operations the modules run, and on which values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from mbv2cli.graph import ops
from mbv2cli.graph.graph import Graph, GraphBuilder
from mbv2cli.graph.ops import (
    Act,
    Arithmetic,
    Conv,
    Dropout,
    Kind,
    Linear,
    Norm,
    Pool,
    Rearrangement,
    Shape,
)
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import STEM_KERNEL, STEM_STRIDE, NetworkSpec


class Activation(NamedTuple):
    """torch's function, the module that calls it, and with which attributes."""

    function: str
    module: str
    attributes: Act


ACTIVATIONS: Final[Mapping[str, Activation]] = {
    "relu": Activation("relu", "ReLU", Act(inplace=True)),
    "relu6": Activation("relu6", "ReLU6", Act(inplace=True)),
    "hardswish": Activation("hardswish", "Hardswish", Act(inplace=True)),
    "silu": Activation("silu", "SiLU", Act(inplace=True)),
    "gelu": Activation("gelu", "GELU", Act(parameter="none")),
    "leaky_relu": Activation("leaky_relu", "LeakyReLU", Act(inplace=True, parameter=0.01)),
    "identity": Activation("identity", "Identity", Act()),
}
# Python 3.11 takes longer to look up a member of an enum than to make a tuple.
_CONV, _NORM, _ACT, _ADD = Kind.CONV, Kind.NORM, Kind.ACT, Kind.ADD

_POINTWISE: Final = Conv((1, 1))
_BATCH_NORM: Final = Norm()
_ADDITION: Final = Arithmetic()
_GLOBAL: Final = Pool(output=(1, 1))
_FLATTEN: Final = Rearrangement(arguments="1", view=True)
_LINEAR: Final = Linear()
# depthwise ConvBNAct, projection and its BatchNorm, by their places in the Sequential
_NAMES: Final = (".0", ".1", ".2")
_NAMES_AFTER_EXPANSION: Final = (".1", ".2", ".3")


class Block(Protocol):
    """What the builder needs to know of an inverted residual block, as `BlockSpec` has it."""

    def __hash__(self) -> int: ...
    @property
    def out_channels(self) -> int: ...
    @property
    def hidden_channels(self) -> int: ...
    @property
    def kernel(self) -> int: ...
    @property
    def stride(self) -> int: ...
    @property
    def dilation(self) -> int: ...
    @property
    def act(self) -> str: ...
    @property
    def has_expansion(self) -> bool: ...
    @property
    def has_shortcut(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Stem:
    """The first convolution of a network, with BatchNorm and activation."""

    out_channels: int
    act: str


@dataclass(frozen=True, slots=True)
class Head:
    """The last 1×1 convolution of a network, with BatchNorm and activation."""

    out_channels: int
    act: str


@dataclass(frozen=True, slots=True)
class Classifier:
    """Global pooling, dropout and the linear layer."""

    classes: int
    dropout: float


SegmentSpec: TypeAlias = Stem | Block | Head | Classifier


class PlacedSegment(NamedTuple):
    """A segment of a model with its stage and its path; a block alone has no path."""

    stage: str
    path: str
    spec: SegmentSpec


def same(kernel: int, stride: int, dilation: int = 1, groups: int = 1) -> Conv:
    """Return the attributes of a convolution with a square kernel and "same" padding."""
    padding = ops.same_padding(kernel, dilation)
    return Conv(
        (kernel, kernel), (stride, stride), (padding, padding), (dilation, dilation), groups
    )


def conv(g: GraphBuilder, path: str, x: int, out_channels: int, how: Conv = _POINTWISE) -> int:
    """Add a square convolution without bias: (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)."""
    shape = g.shapes[x]
    batch, in_channels, height, width = shape
    padding: Any  # numbers: only an observed convolution may have a word
    (side, _), (stride, _), padding, (dilation, _), groups, _ = how
    height = ops.conv_side(height, side, stride, padding[0], dilation)
    width = ops.conv_side(width, side, stride, padding[0], dilation)
    weights = ops.conv_weights(in_channels, out_channels, how.kernel, groups)
    return g.op(
        _CONV,
        "conv2d",
        how,
        (x,),
        (shape,),
        (batch, out_channels, height, width),
        path,
        "Conv2d",
        weights,
        0,
        ops.conv_macs(batch * height * width, weights),
    )


def norm(g: GraphBuilder, path: str, x: int) -> int:
    """Add a BatchNorm."""
    shape = g.shapes[x]
    return g.op(
        _NORM,
        "batch_norm",
        _BATCH_NORM,
        (x,),
        (shape,),
        shape,
        path,
        "BatchNorm2d",
        ops.norm_params(shape[1]),
        ops.norm_buffers(shape[1]),
    )


def activation(g: GraphBuilder, path: str, x: int, act: str) -> int:
    """Add an activation."""
    function, module, attributes = ACTIVATIONS[act]
    shape = g.shapes[x]
    return g.op(_ACT, function, attributes, (x,), (shape,), shape, path, module)


def conv_bn_act(
    g: GraphBuilder, path: str, x: int, out_channels: int, act: str, *, how: Conv = _POINTWISE
) -> int:
    """Add what ConvBNAct runs: (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)."""
    start = len(g.ops)
    y = conv(g, path + ".0", x, out_channels, how)
    y = norm(g, path + ".1", y)
    y = activation(g, path + ".2", y, act)
    g.module(path, "ConvBNAct", x, start, is_sequential=True)
    return y


def inverted_residual(g: GraphBuilder, path: str, x: int, block: Block) -> int:
    """Add what InvertedResidual runs: (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)."""
    hidden, act, start = block.hidden_channels, block.act, len(g.ops)
    depthwise = same(block.kernel, block.stride, block.dilation, groups=hidden)
    inner = path + ".conv" if path else "conv"
    y, names = x, _NAMES
    if block.has_expansion:
        y, names = conv_bn_act(g, inner + ".0", y, hidden, act), _NAMES_AFTER_EXPANSION
    y = conv_bn_act(g, inner + names[0], y, hidden, act, how=depthwise)
    y = conv(g, inner + names[1], y, block.out_channels)
    y = norm(g, inner + names[2], y)
    g.module(inner, "Sequential", x, start, is_sequential=True)
    if block.has_shortcut:
        y = add(g, path, x, y)
    g.module(path, "InvertedResidual", x, start)
    return y


def mobilenet_v2(g: GraphBuilder, x: int, segments: Sequence[PlacedSegment]) -> int:
    """Add what MobileNetV2 runs: (B, in, H, W) → (B, classes), or the last feature map.

    ``segments`` may be some of them only. The network's own input is value 0 in any case.
    """
    start, features = len(g.ops), [s for s in segments if not isinstance(s.spec, Classifier)]
    for placed in features:
        x = add_segment(g, x, placed)
    g.module("features", "Sequential", 0, start, is_sequential=True)
    for placed in segments[len(features) :]:
        x = add_segment(g, x, placed)
    g.module("", "MobileNetV2", 0, start)
    return x


def classifier(g: GraphBuilder, x: int, spec: Classifier) -> int:
    """Add pooling, dropout and the linear layer: (B, in, H, W) → (B, classes)."""
    shape = g.shapes[x]
    batch, channels, _, _ = shape
    pooled, flat, logits = (batch, channels, 1, 1), (batch, channels), (batch, spec.classes)
    x = g.op(Kind.POOL, "adaptive_avg_pool2d", _GLOBAL, (x,), (shape,), pooled, "")
    x = g.op(Kind.RESHAPE, "flatten", _FLATTEN, (x,), (pooled,), flat, "")
    y, start, dropout = x, len(g.ops), Dropout(spec.dropout)
    y = g.op(Kind.DROPOUT, "dropout", dropout, (y,), (flat,), flat, "classifier.0", "Dropout")
    y = g.op(
        Kind.LINEAR,
        "linear",
        _LINEAR,
        (y,),
        (flat,),
        logits,
        "classifier.1",
        "Linear",
        params=ops.linear_params(channels, spec.classes),
        macs=ops.linear_macs(batch, channels, spec.classes),
    )
    g.module("classifier", "Sequential", x, start, is_sequential=True)
    return y


def add(g: GraphBuilder, path: str, x: int, y: int) -> int:
    """Add the addition of two values of the same shape."""
    shape = g.shapes[x]
    return g.op(_ADD, "add", _ADDITION, (x, y), (shape, shape), shape, path)


def add_segment(g: GraphBuilder, x: int, placed: PlacedSegment) -> int:
    """Add the operations of a segment."""
    stage, path, spec = placed
    start = len(g.ops)
    match spec:
        case Stem():
            how = same(STEM_KERNEL, STEM_STRIDE)
            y = conv_bn_act(g, path, x, spec.out_channels, spec.act, how=how)
        case Head():
            y = conv_bn_act(g, path, x, spec.out_channels, spec.act)
        case Classifier():
            y = classifier(g, x, spec)
        case _:
            y = inverted_residual(g, path, x, spec)
    g.segment(stage, path or stage, start)
    return y


def segments_of(spec: BlockSpec | NetworkSpec) -> Sequence[PlacedSegment]:
    """Return what a model is made of, in forward order."""
    if isinstance(spec, BlockSpec):
        return [PlacedSegment("block", "", spec)]
    head = [Head(spec.head_channels, spec.act)] if spec.head else []
    counts = enumerate(spec.repeats, start=1)
    stages = [stage for number, count in counts for stage in repeat(f"s{number}", count)]
    parts: list[SegmentSpec] = [Stem(spec.stem_channels, spec.act), *spec.blocks, *head]
    named = zip(["stem", *stages, *("head" for _ in head)], parts, strict=True)
    segments = [PlacedSegment(s, f"features.{n}", one) for n, (s, one) in enumerate(named)]
    if spec.classes:
        classifier = Classifier(spec.classes, spec.dropout)
        segments.append(PlacedSegment("classifier", "classifier", classifier))
    return segments


def planned_graph(spec: BlockSpec | NetworkSpec, input_shape: Shape) -> Graph:
    """Return the graph of ``spec`` on an input of ``input_shape`` (B, in, H, W)."""
    g, segments = GraphBuilder(input_shape), segments_of(spec)
    if isinstance(spec, BlockSpec):
        return g.graph(add_segment(g, 0, segments[0]))
    return g.graph(mobilenet_v2(g, 0, segments))


def segment_graph(placed: PlacedSegment, input_shape: Shape, model_input: Shape | None) -> Graph:
    """Return the graph of a segment by itself; stem, blocks and head in their outer scopes.

    ``model_input`` is the shape of the model's own input, which its caller keeps; None where the
    segment is the first and takes it.
    """
    g = GraphBuilder(input_shape) if model_input is None else GraphBuilder(model_input, input_shape)
    x = 0 if model_input is None else 1
    if not placed.path or isinstance(placed.spec, Classifier):  # as the digests of locks have it
        return g.graph(add_segment(g, x, placed))
    return g.graph(mobilenet_v2(g, x, [placed]))
