"""From a spec to its planned graph: the twin of ``nn/modules.py``.

Both files have the same functions in the same order, so that a reader can lay them side by side.
This file calls no torch: it writes down which operations the modules run, and on which values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple, Protocol, TypeAlias

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
_NORM: Final = Norm()
_ADD: Final = Arithmetic()
_GLOBAL: Final = Pool(output=(1, 1))
_FLATTEN: Final = Rearrangement(arguments="1", view=True)
_LINEAR: Final = Linear()


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


def conv(
    g: GraphBuilder,
    name: str,
    x: int,
    out_channels: int,
    *,
    kernel: int = 1,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> int:
    """Add a convolution without bias: (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)."""
    batch, in_channels, height, width = g.shapes[x]
    padding = ops.same_padding(kernel, dilation)
    out_height = ops.conv_side(height, kernel, stride, padding, dilation)
    out_width = ops.conv_side(width, kernel, stride, padding, dilation)
    sides = (kernel, kernel)
    weights = ops.conv_weights(in_channels, out_channels, sides, groups)
    return g.op(
        Kind.CONV,
        "conv2d",
        Conv(sides, (stride, stride), (padding, padding), (dilation, dilation), groups),
        (x,),
        (batch, out_channels, out_height, out_width),
        name,
        "Conv2d",
        params=weights,
        macs=ops.conv_macs(batch * out_height * out_width, weights),
    )


def norm(g: GraphBuilder, name: str, x: int) -> int:
    """Add a BatchNorm."""
    shape = g.shapes[x]
    return g.op(
        Kind.NORM,
        "batch_norm",
        _NORM,
        (x,),
        shape,
        name,
        "BatchNorm2d",
        params=ops.norm_params(shape[1]),
        buffers=ops.norm_buffers(shape[1]),
    )


def activation(g: GraphBuilder, name: str, x: int, act: str) -> int:
    """Add an activation."""
    function, module, attributes = ACTIVATIONS[act]
    return g.op(Kind.ACT, function, attributes, (x,), g.shapes[x], name, module)


def conv_bn_act(
    g: GraphBuilder,
    name: str,
    x: int,
    out_channels: int,
    *,
    kernel: int = 1,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    act: str,
) -> int:
    """Add what ConvBNAct runs: (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)."""
    with g.sequential(name, "ConvBNAct", x):
        x = conv(
            g,
            "0",
            x,
            out_channels,
            kernel=kernel,
            stride=stride,
            dilation=dilation,
            groups=groups,
        )
        x = norm(g, "1", x)
        return activation(g, "2", x, act)


def inverted_residual(g: GraphBuilder, name: str, x: int, block: Block) -> int:
    """Add what InvertedResidual runs: (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)."""
    with g.module(name, "InvertedResidual", x):
        with g.sequential("conv", "Sequential", x):
            y, step = x, 0
            if block.has_expansion:
                y = conv_bn_act(g, "0", y, block.hidden_channels, act=block.act)
                step = 1
            y = conv_bn_act(
                g,
                f"{step}",
                y,
                block.hidden_channels,
                kernel=block.kernel,
                stride=block.stride,
                dilation=block.dilation,
                groups=block.hidden_channels,
                act=block.act,
            )
            y = conv(g, f"{step + 1}", y, block.out_channels)
            y = norm(g, f"{step + 2}", y)
        return add(g, x, y) if block.has_shortcut else y


def mobilenet_v2(g: GraphBuilder, x: int, placed: Iterator[PlacedSegment]) -> int:
    """Add what MobileNetV2 runs: (B, in, H, W) → (B, classes), or the last feature map."""
    last = None
    with g.module("", "MobileNetV2", x):
        with g.sequential("features", "Sequential", x):
            for one in placed:
                if isinstance(one.spec, Classifier):
                    last = one
                    break
                start = len(g.ops)
                x = add_segment(g, x, one)
                g.segment(one.stage, one.path, start)
        if last is not None:
            start = len(g.ops)
            x = add_segment(g, x, last)
            g.segment(last.stage, last.path, start)
    return x


def classifier(g: GraphBuilder, x: int, spec: Classifier) -> int:
    """Add pooling, dropout and the linear layer: (B, head, H, W) → (B, classes)."""
    batch, channels, _, _ = g.shapes[x]
    x = g.op(Kind.POOL, "adaptive_avg_pool2d", _GLOBAL, (x,), (batch, channels, 1, 1))
    x = flat = g.op(Kind.RESHAPE, "flatten", _FLATTEN, (x,), (batch, channels))
    with g.sequential("classifier", "Sequential", flat):
        dropout = Dropout(spec.dropout)
        x = g.op(Kind.DROPOUT, "dropout", dropout, (x,), g.shapes[x], "0", "Dropout")
        shape = (batch, spec.classes)
        return g.op(
            Kind.LINEAR,
            "linear",
            _LINEAR,
            (x,),
            shape,
            "1",
            "Linear",
            params=ops.linear_params(channels, spec.classes),
            macs=ops.linear_macs(batch, channels, spec.classes),
        )


def add(g: GraphBuilder, x: int, y: int) -> int:
    """Add the addition of two values of the same shape."""
    return g.op(Kind.ADD, "add", _ADD, (x, y), g.shapes[x])


def add_segment(g: GraphBuilder, x: int, placed: PlacedSegment) -> int:
    """Add the operations of a segment, under the last name of its path."""
    name, spec = placed.path.rpartition(".")[2], placed.spec
    match spec:
        case Stem():
            return conv_bn_act(
                g, name, x, spec.out_channels, kernel=STEM_KERNEL, stride=STEM_STRIDE, act=spec.act
            )
        case Head():
            return conv_bn_act(g, name, x, spec.out_channels, act=spec.act)
        case Classifier():
            return classifier(g, x, spec)
        case _:
            return inverted_residual(g, name, x, spec)


def segments_of(spec: BlockSpec | NetworkSpec) -> tuple[PlacedSegment, ...]:
    """Return what a model is made of, in forward order."""
    if isinstance(spec, BlockSpec):
        return (PlacedSegment("block", "", spec),)
    return tuple(_network_segments(spec))


def _network_segments(spec: NetworkSpec) -> Iterator[PlacedSegment]:
    repeats = enumerate(spec.repeats, start=1)
    stages = chain.from_iterable([f"s{number}"] * count for number, count in repeats)
    yield PlacedSegment("stem", "features.0", Stem(spec.stem_channels, spec.act))
    for index, (stage, block) in enumerate(zip(stages, spec.blocks, strict=True), start=1):
        yield PlacedSegment(stage, f"features.{index}", block)
    path = f"features.{len(spec.blocks) + 1}"
    yield PlacedSegment("head", path, Head(spec.head_channels, spec.act))
    if spec.classes:
        yield PlacedSegment("classifier", "classifier", Classifier(spec.classes, spec.dropout))


def planned_graph(spec: BlockSpec | NetworkSpec, input_shape: Shape) -> Graph:
    """Return the graph of ``spec`` on an input of ``input_shape`` (B, in, H, W)."""
    g = GraphBuilder(input_shape)
    if isinstance(spec, BlockSpec):
        output = inverted_residual(g, "", 0, spec)
        g.segment("block", "block", 0)
    else:
        output = mobilenet_v2(g, 0, _network_segments(spec))
    return g.graph(output)


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
        with g.sequential("features", "Sequential", 0):
            output = add_segment(g, x, placed)
    return g.graph(output)
