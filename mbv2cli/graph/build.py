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
_NAMES: Final = ("0", "1", "2")
_NAMES_AFTER_EXPANSION: Final = ("1", "2", "3")


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


def conv(g: GraphBuilder, name: str, x: int, out_channels: int, how: Conv = _POINTWISE) -> int:
    """Add a convolution without bias: (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)."""
    shape = g.shapes[x]
    batch, in_channels, height, width = shape
    padding: Any  # no word: only an observed convolution may have one
    kernel, stride, padding, dilation, groups, _ = how
    height = ops.conv_side(height, kernel[0], stride[0], padding[0], dilation[0])
    width = ops.conv_side(width, kernel[1], stride[1], padding[1], dilation[1])
    weights = ops.conv_weights(in_channels, out_channels, kernel, groups)
    return g.op(
        _CONV,
        "conv2d",
        how,
        (x,),
        (shape,),
        (batch, out_channels, height, width),
        name,
        "Conv2d",
        weights,
        0,
        ops.conv_macs(batch * height * width, weights),
    )


def norm(g: GraphBuilder, name: str, x: int) -> int:
    """Add a BatchNorm."""
    shape = g.shapes[x]
    return g.op(
        _NORM,
        "batch_norm",
        _BATCH_NORM,
        (x,),
        (shape,),
        shape,
        name,
        "BatchNorm2d",
        ops.norm_params(shape[1]),
        ops.norm_buffers(shape[1]),
    )


def activation(g: GraphBuilder, name: str, x: int, act: str) -> int:
    """Add an activation."""
    function, module, attributes = ACTIVATIONS[act]
    shape = g.shapes[x]
    return g.op(_ACT, function, attributes, (x,), (shape,), shape, name, module)


def conv_bn_act(
    g: GraphBuilder, name: str, x: int, out_channels: int, act: str, *, how: Conv = _POINTWISE
) -> int:
    """Add what ConvBNAct runs: (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)."""
    with g.module(name, "ConvBNAct", x, is_sequential=True):
        x = conv(g, "0", x, out_channels, how)
        x = norm(g, "1", x)
        return activation(g, "2", x, act)


def inverted_residual(g: GraphBuilder, name: str, x: int, block: Block) -> int:
    """Add what InvertedResidual runs: (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)."""
    hidden, act = block.hidden_channels, block.act
    depthwise = same(block.kernel, block.stride, block.dilation, groups=hidden)
    with g.module(name, "InvertedResidual", x):
        with g.module("conv", "Sequential", x, is_sequential=True):
            y, names = x, _NAMES
            if block.has_expansion:
                y, names = conv_bn_act(g, "0", y, hidden, act), _NAMES_AFTER_EXPANSION
            y = conv_bn_act(g, names[0], y, hidden, act, how=depthwise)
            y = conv(g, names[1], y, block.out_channels)
            y = norm(g, names[2], y)
        return add(g, x, y) if block.has_shortcut else y


def mobilenet_v2(g: GraphBuilder, x: int, segments: Sequence[PlacedSegment]) -> int:
    """Add what MobileNetV2 runs: (B, in, H, W) → (B, classes), or the last feature map."""
    *features, last = segments
    has_classifier = isinstance(last.spec, Classifier)
    with g.module("", "MobileNetV2", x):
        with g.module("features", "Sequential", x, is_sequential=True):
            for placed in features if has_classifier else segments:
                x = add_segment(g, x, placed)
        return add_segment(g, x, last) if has_classifier else x


def classifier(g: GraphBuilder, x: int, spec: Classifier) -> int:
    """Add pooling, dropout and the linear layer: (B, head, H, W) → (B, classes)."""
    shape = g.shapes[x]
    batch, channels, _, _ = shape
    pooled, flat, logits = (batch, channels, 1, 1), (batch, channels), (batch, spec.classes)
    x = g.op(Kind.POOL, "adaptive_avg_pool2d", _GLOBAL, (x,), (shape,), pooled)
    x = g.op(Kind.RESHAPE, "flatten", _FLATTEN, (x,), (pooled,), flat)
    with g.module("classifier", "Sequential", x, is_sequential=True):
        dropout = Dropout(spec.dropout)
        x = g.op(Kind.DROPOUT, "dropout", dropout, (x,), (flat,), flat, "0", "Dropout")
        return g.op(
            Kind.LINEAR,
            "linear",
            _LINEAR,
            (x,),
            (flat,),
            logits,
            "1",
            "Linear",
            params=ops.linear_params(channels, spec.classes),
            macs=ops.linear_macs(batch, channels, spec.classes),
        )


def add(g: GraphBuilder, x: int, y: int) -> int:
    """Add the addition of two values of the same shape."""
    shape = g.shapes[x]
    return g.op(_ADD, "add", _ADDITION, (x, y), (shape, shape), shape)


def add_segment(g: GraphBuilder, x: int, placed: PlacedSegment) -> int:
    """Add the operations of a segment, under the last name of its path."""
    stage, path, spec = placed
    name, start = path.rpartition(".")[2], len(g.ops)
    match spec:
        case Stem():
            x = conv_bn_act(
                g, name, x, spec.out_channels, spec.act, how=same(STEM_KERNEL, STEM_STRIDE)
            )
        case Head():
            x = conv_bn_act(g, name, x, spec.out_channels, spec.act)
        case Classifier():
            x = classifier(g, x, spec)
        case _:
            x = inverted_residual(g, name, x, spec)
    g.segment(stage, path or stage, start)
    return x


def segments_of(spec: BlockSpec | NetworkSpec) -> Sequence[PlacedSegment]:
    """Return what a model is made of, in forward order."""
    if isinstance(spec, BlockSpec):
        return [PlacedSegment("block", "", spec)]
    stem, head = Stem(spec.stem_channels, spec.act), Head(spec.head_channels, spec.act)
    counts = enumerate(spec.repeats, start=1)
    stages = [stage for number, count in counts for stage in repeat(f"s{number}", count)]
    parts: list[SegmentSpec] = [stem, *spec.blocks, head]
    named = zip(["stem", *stages, "head"], parts, strict=True)
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
    """Return the graph of a segment by itself, inside the scopes that it runs in.

    ``model_input`` is the shape of the model's own input, which its caller keeps; None where the
    segment is the first and takes it.
    """
    g = GraphBuilder(input_shape) if model_input is None else GraphBuilder(model_input, input_shape)
    x = 0 if model_input is None else 1
    if not placed.path:
        return g.graph(add_segment(g, x, placed))
    with g.module("", "MobileNetV2", 0):
        if isinstance(placed.spec, Classifier):
            return g.graph(add_segment(g, x, placed))
        with g.module("features", "Sequential", 0, is_sequential=True):
            output = add_segment(g, x, placed)
    return g.graph(output)
