"""From a spec to its planned graph: the twin of ``nn/modules.py``.

Both files have the same functions in the same order, so that a reader can lay them side by side.
This file calls no torch: it writes down which operations the modules run, and on which values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

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
    Pad,
    Pool,
    Rearrangement,
    Shape,
    Sides,
)
from mbv2cli.graph.rows import BLOCK_TYPE, CONV_TYPE, FUSED_TYPE
from mbv2cli.graph.segments import (
    Classifier,
    Expansion,
    Head,
    PlacedSegment,
    Stem,
    segments_of,
)
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import STEM_KERNEL, NetworkSpec
from mbv2cli.specs.relatives import DEFAULT_EPS

if TYPE_CHECKING:
    from mbv2cli.graph.segments import Block


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
    "sigmoid": Activation("sigmoid", "Sigmoid", Act()),
    "hardsigmoid": Activation("hardsigmoid", "Hardsigmoid", Act()),
}
# Python 3.11 takes longer to look up a member of an enum than to make a tuple.
_CONV, _NORM, _ACT, _ADD, _POOL = Kind.CONV, Kind.NORM, Kind.ACT, Kind.ADD, Kind.POOL

_POINTWISE: Final = Conv((1, 1))
_POINTWISE_BIAS: Final = Conv((1, 1), bias=True)
_BATCH_NORM: Final = Norm()
_ARITHMETIC: Final = Arithmetic()
_GLOBAL: Final = Pool(output=(1, 1))
_FLATTEN: Final = Rearrangement(arguments="1", view=True)


def same(kernel: int, strides: Sides, dilation: int = 1, groups: int = 1) -> Conv:
    """Return the attributes of a convolution with a square kernel and "same" padding."""
    padding = ops.same_padding(kernel, dilation)
    return Conv((kernel, kernel), strides, (padding, padding), (dilation, dilation), groups)


def pad(g: GraphBuilder, path: str, x: int, how: Conv) -> int:
    """Add TensorFlow's padding before a convolution: (B, in, H, W) → (B, in, H + h, W + w)."""
    shape = g.shapes[x]
    batch, channels, height, width = shape
    (kernel, _), (down, along), _, (dilation, _), *_ = how
    h = ops.tensorflow_padding(height, kernel, down, dilation)
    w = ops.tensorflow_padding(width, kernel, along, dilation)
    sides = Pad((w // 2, w - w // 2, h // 2, h - h // 2))
    padded = (batch, channels, height + h, width + w)
    return g.op(Kind.PAD, "pad", sides, (x,), (shape,), padded, path, "TensorFlowPadding")


def conv(g: GraphBuilder, path: str, x: int, out_channels: int, how: Conv = _POINTWISE) -> int:
    """Add a square convolution: (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)."""
    shape = g.shapes[x]
    batch, in_channels, height, width = shape
    padding: Any  # numbers: only an observed convolution may have a word
    (side, _), (down, along), padding, (dilation, _), groups, bias, _ = how
    height = ops.conv_side(height, side, down, padding[0], dilation)
    width = ops.conv_side(width, side, along, padding[0], dilation)
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
        weights + out_channels if bias else weights,
        0,
        ops.conv_macs(batch * height * width, weights),
    )


def norm(g: GraphBuilder, path: str, x: int, eps: float = DEFAULT_EPS) -> int:
    """Add a BatchNorm."""
    shape = g.shapes[x]
    return g.op(
        _NORM,
        "batch_norm",
        _BATCH_NORM if eps == DEFAULT_EPS else Norm(eps),
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
    g: GraphBuilder,
    path: str,
    x: int,
    out_channels: int,
    act: str,
    *,
    eps: float = DEFAULT_EPS,
    how: Conv = _POINTWISE,
    pads_apart: bool = False,
) -> int:
    """Add what ConvBNAct runs: (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)."""
    y, start, inner = x, len(g.ops), path + "." if path else ""
    if pads_apart:
        y, how = pad(g, inner + "pad", x, how), how._replace(padding=(0, 0))
    y = conv(g, inner + "0", y, out_channels, how)
    y = norm(g, inner + "1", y, eps)
    y = activation(g, inner + "2", y, act)
    g.module(path, "ConvBNAct", x, start, is_sequential=True)
    return y


def squeeze_excite(g: GraphBuilder, path: str, x: int, block: Block) -> int:
    """Add what SqueezeExcite runs: (B, C, H, W) → the same shape, each channel scaled."""
    shape, start = g.shapes[x], len(g.ops)
    batch, channels = shape[:2]
    y = g.op(_POOL, "adaptive_avg_pool2d", _GLOBAL, (x,), (shape,), (batch, channels, 1, 1), path)
    y = conv(g, path + ".fc1", y, block.squeezed_channels, _POINTWISE_BIAS)
    y = activation(g, path + ".act", y, block.squeeze_act)
    y = conv(g, path + ".fc2", y, channels, _POINTWISE_BIAS)
    y = activation(g, path + ".gate", y, block.se_gate)
    y = g.op(Kind.MUL, "mul", _ARITHMETIC, (x, y), (shape, g.shapes[y]), shape, path)
    g.module(path, "SqueezeExcite", x, start)
    return y


def residual(g: GraphBuilder, path: str, x: int, y: int, block: Block) -> int:
    """Add what Residual runs after its convolutions: the input added to their result ``y``."""
    if block.projects_shortcut:
        return add(g, path, projected_shortcut(g, path, x, block), y)
    return add(g, path, x, y) if block.has_shortcut else y


def inverted_residual(g: GraphBuilder, path: str, x: int, block: Block) -> int:
    """Add what InvertedResidual runs: (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)."""
    hidden, act, eps, start = block.hidden_channels, block.act, block.norm_eps, len(g.ops)
    inner, y, place = path + ".conv" if path else "conv", x, 0
    if block.has_expansion:
        y, place = conv_bn_act(g, f"{inner}.0", y, hidden, act, eps=eps), 1
    groups = 1 if block.type == "fused" else hidden  # depthwise: as many groups as channels
    how, pads_apart = same(block.kernel, block.strides, block.dilation, groups), block.pads_apart
    y = conv_bn_act(g, f"{inner}.{place}", y, hidden, act, eps=eps, how=how, pads_apart=pads_apart)
    if block.has_se:
        place += 1
        y = squeeze_excite(g, f"{inner}.{place}", y, block)
    y = conv(g, f"{inner}.{place + 1}", y, block.out_channels)
    y = norm(g, f"{inner}.{place + 2}", y, eps)
    g.module(inner, "Sequential", x, start, is_sequential=True)
    y = residual(g, path, x, y, block)
    g.module(path, FUSED_TYPE if block.type == "fused" else BLOCK_TYPE, x, start)
    return y


def projected_shortcut(g: GraphBuilder, path: str, x: int, block: Block) -> int:
    """Add the shortcut with a 1×1 convolution: (B, in, H, W) → (B, out, H, W)."""
    inner, start = path + ".shortcut" if path else "shortcut", len(g.ops)
    y = conv(g, inner + ".0", x, block.out_channels)
    y = norm(g, inner + ".1", y, block.norm_eps)
    g.module(inner, "Sequential", x, start, is_sequential=True)
    return y


def plain_conv(g: GraphBuilder, path: str, x: int, block: Block) -> int:
    """Add a block that is one convolution: (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)."""
    how, start = same(block.kernel, block.strides, block.dilation), len(g.ops)
    is_residual = block.has_shortcut or block.projects_shortcut
    inner = (path + ".conv" if path else "conv") if is_residual else path
    y = conv_bn_act(
        *(g, inner, x, block.out_channels, block.act),
        eps=block.norm_eps,
        how=how,
        pads_apart=block.pads_apart,
    )
    if is_residual:
        y = residual(g, path, x, y, block)
        g.module(path, CONV_TYPE, x, start)
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


def expansion(g: GraphBuilder, path: str, x: int, spec: Expansion) -> int:
    """Add the expansion of a block after which the network stops: (B, in, H, W) → (B, in·t, H, W).

    Its modules have the paths that they have in the whole block.
    """
    start = len(g.ops)
    y = conv_bn_act(g, path + ".conv.0", x, spec.hidden_channels, spec.act, eps=spec.norm_eps)
    g.module(path + ".conv", "Sequential", x, start, is_sequential=True)
    g.module(path, "Expansion", x, start)
    return y


def classifier(g: GraphBuilder, x: int, spec: Classifier) -> int:
    """Add pooling, dropout and the linear layers: (B, in, H, W) → (B, classes)."""
    shape = g.shapes[x]
    batch, channels = shape[:2]
    pooled, flat = (batch, channels, 1, 1), (batch, channels)
    x = g.op(_POOL, "adaptive_avg_pool2d", _GLOBAL, (x,), (shape,), pooled, "")
    x = g.op(Kind.RESHAPE, "flatten", _FLATTEN, (x,), (pooled,), flat, "")
    y, start, place = x, len(g.ops), 0
    if spec.hidden is not None:
        y, place = linear(g, "classifier.0", y, spec.hidden, bias=spec.hidden_bias), 2
        y = activation(g, "classifier.1", y, spec.act)
    y = dropout(g, f"classifier.{place}", y, spec.dropout)
    y = linear(g, f"classifier.{place + 1}", y, spec.classes, bias=spec.bias)
    g.module("classifier", "Sequential", x, start, is_sequential=True)
    return y


def dropout(g: GraphBuilder, path: str, x: int, probability: float) -> int:
    """Add a dropout."""
    shape, how = g.shapes[x], Dropout(probability)
    return g.op(Kind.DROPOUT, "dropout", how, (x,), (shape,), shape, path, "Dropout")


def linear(g: GraphBuilder, path: str, x: int, out_features: int, *, bias: bool) -> int:
    """Add a linear layer: (B, in) → (B, out)."""
    shape = g.shapes[x]
    batch, features = shape
    return g.op(
        Kind.LINEAR,
        "linear",
        Linear(bias),
        (x,),
        (shape,),
        (batch, out_features),
        path,
        "Linear",
        params=ops.linear_params(features, out_features, int(bias)),
        macs=ops.linear_macs(batch, features, out_features),
    )


def add(g: GraphBuilder, path: str, x: int, y: int) -> int:
    """Add the addition of two values of the same shape."""
    shape = g.shapes[x]
    return g.op(_ADD, "add", _ARITHMETIC, (x, y), (shape, shape), shape, path)


def add_segment(g: GraphBuilder, x: int, placed: PlacedSegment) -> int:
    """Add the operations of a segment."""
    stage, path, spec = placed
    start = len(g.ops)
    match spec:
        case Stem():
            how = same(STEM_KERNEL, spec.strides)
            y = conv_bn_act(
                *(g, path, x, spec.out_channels, spec.act),
                eps=spec.norm_eps,
                how=how,
                pads_apart=spec.pads_apart,
            )
        case Expansion():
            y = expansion(g, path, x, spec)
        case Head():
            y = conv_bn_act(g, path, x, spec.out_channels, spec.act, eps=spec.norm_eps)
        case Classifier():
            y = classifier(g, x, spec)
        case _ if spec.type == "conv":
            y = plain_conv(g, path, x, spec)
        case _:
            y = inverted_residual(g, path, x, spec)
    g.segment(stage, path or stage, start)
    return y


def planned_graph(spec: BlockSpec | NetworkSpec, input_shape: Shape) -> Graph:
    """Return the graph of ``spec`` on an input of ``input_shape`` (B, in, H, W)."""
    g, segments = GraphBuilder(input_shape), segments_of(spec)
    if isinstance(spec, BlockSpec):
        return g.graph(add_segment(g, 0, segments[0]))
    return g.graph(mobilenet_v2(g, 0, segments))


def segment_graph(placed: PlacedSegment, input_shape: Shape, model_input: Shape | None) -> Graph:
    """Return the graph of a segment by itself; stem, blocks and head in their outer scopes.

    ``model_input`` is the shape of the model's own input, which its caller keeps; None where the
    segment is the first and takes it; () where a classifier has no outer scope, as in locks.
    """
    g = GraphBuilder(input_shape) if model_input is None else GraphBuilder(model_input, input_shape)
    x = 0 if model_input is None else 1
    if not placed.path or (isinstance(placed.spec, Classifier) and not model_input):
        return g.graph(add_segment(g, x, placed))
    return g.graph(mobilenet_v2(g, x, [placed]))
