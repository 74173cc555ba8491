"""The int8 operations that LiteRT's converter and quantizer make of a graph.

Each rule was seen in a file that they wrote (litert-torch 0.10, ai-edge-quantizer 0.10, images
channels last). An operation without a rule is unknown: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Final, NamedTuple

from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import (
    Act,
    Arithmetic,
    Conv,
    Dropout,
    Kind,
    Linear,
    Op,
    Pad,
    Pool,
    Shape,
    Sides,
    tensorflow_padding,
)

FLOAT_BYTES: Final = 4
_INDEX_BYTES: Final = 4

PAD: Final = "PAD"
PAD_WITH: Final = "PADV2"
"""Pads with another number than zero, as a maximum needs."""

MULTIPLYING: Final = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})


class Int8Op(NamedTuple):
    """An operation of the int8 graph, which writes one tensor.

    ``name`` is LiteRT's. ``op`` is the index of the operation of the model that it stands for.
    ``inputs`` are numbers of tensors: first the inputs of the model, then the result of each
    operation. ``size`` is that of the result in bytes, ``scratch`` what the kernel needs beside
    it while it runs. ``channels`` are those of the result that have a scale of their own: of a
    convolution or linear layer. The quantizer has inserted the operation after the others are
    numbered where ``is_inserted`` says so.
    """

    name: str
    op: int
    inputs: tuple[int, ...]
    size: int
    scratch: tuple[int, ...] = ()
    channels: int = 0
    is_inserted: bool = False


class Int8Graph(NamedTuple):
    """Int8 operations in execution order; ``outputs`` are tensors, ``input_sizes`` in bytes.

    ``unknown`` names the functions without a rule. If there are any, the rest says little.
    """

    input_sizes: tuple[int, ...]
    ops: tuple[Int8Op, ...]
    outputs: tuple[int, ...]
    unknown: tuple[str, ...] = ()

    @property
    def pads(self) -> tuple[int, ...]:
        """The indices of the PAD operations."""
        return tuple(i for i, op in enumerate(self.ops) if op.name in {PAD, PAD_WITH})

    def without(self, removed: int) -> Int8Graph:
        """Return the graph without an operation: those that take its result take its input."""
        gone = len(self.input_sizes) + removed

        def moved(tensor: int) -> int:
            tensor = self.ops[removed].inputs[0] if tensor == gone else tensor
            return tensor - (tensor > gone)

        kept = (op for index, op in enumerate(self.ops) if index != removed)
        return self._replace(
            ops=tuple(op._replace(inputs=tuple(map(moved, op.inputs))) for op in kept),
            outputs=tuple(map(moved, self.outputs)),
        )


def int8_graph(graph: Graph) -> Int8Graph:
    """Return what LiteRT makes of ``graph`` for int8 weights, activations, inputs and outputs."""
    lowering = _Lowering(graph)
    for index in _needed(graph):
        lowering.lower(index, graph.ops[index])
    return Int8Graph(
        tuple(map(prod, graph.input_shapes)),
        tuple(lowering.ops),
        tuple(lowering.tensor_of[value] for value in graph.outputs),
        tuple(dict.fromkeys(lowering.unknown)),
    )


def is_same_padding(
    shape: Shape, kernel: Sides, stride: Sides, dilation: Sides, sides: tuple[int, ...]
) -> bool:
    """Return whether ``sides`` are TensorFlow's SAME padding of an input of ``shape``.

    ``sides`` has what comes before and after each side, the last side first.
    """
    places = zip(
        reversed(shape[2:]), reversed(kernel), reversed(stride), reversed(dilation), strict=True
    )
    same: list[int] = []
    for place in places:
        needed = tensorflow_padding(*place)
        same += [needed // 2, needed - needed // 2]
    return sides == tuple(same)


def _needed(graph: Graph) -> list[int]:
    """Return the operations on whose results an output depends; the converter drops the others."""
    inputs = len(graph.input_shapes)
    values, found = set(graph.outputs), []
    for index in reversed(range(len(graph.ops))):
        if inputs + index in values:
            values.update(graph.ops[index].inputs)
            found.append(index)
    return found[::-1]


class _Lowering:
    """What is lowered so far: ``tensor_of`` has the tensor that holds each value.

    ``folds_norm`` are tensors of a convolution or linear layer alone, into whose weights a
    BatchNorm goes; ``fuses_act`` those whose operation can still apply an activation.
    ``is_flexible`` are tensors whose channels need not come last: no convolution was before.
    """

    def __init__(self, graph: Graph) -> None:
        inputs = range(len(graph.input_shapes))
        self.graph = graph
        self.ops: list[Int8Op] = []
        self.unknown: list[str] = []
        self.tensor_of: dict[int, int] = {value: value for value in inputs}
        self.folds_norm: set[int] = set()
        self.fuses_act: set[int] = set()
        self.is_flexible = set(inputs)
        self.takers = _takers(graph)

    def lower(self, index: int, op: Op) -> None:
        """Add what LiteRT makes of the operation of this index."""
        tensor = _RULES.get(op.kind, _unknown)(self, index, op) if op.inputs else None
        if tensor is None:
            self.unknown.append(op.function)
            tensor = self.add_own(_UNKNOWN, index, op)
        self.tensor_of[self.graph.value_of(index)] = tensor

    def add(self, name: str, index: int, inputs: tuple[int, ...], size: int, **more: Any) -> int:
        """Add an operation; return the tensor that it writes."""
        self.ops.append(Int8Op(name, index, inputs, size, **more))
        tensor = len(self.graph.input_shapes) + len(self.ops) - 1
        if name not in _MOVES_CHANNELS_LAST and self.is_flexible.issuperset(inputs):
            self.is_flexible.add(tensor)
        return tensor

    def add_own(self, name: str, index: int, op: Op, **more: Any) -> int:
        """Add the operation that stands for ``op`` alone."""
        return self.add(name, index, self.inputs_of(op), prod(op.output_shape), **more)

    def name_of(self, tensor: int) -> str:
        """Return the name of the operation that writes a tensor; "" for an input of the model."""
        op = tensor - len(self.graph.input_shapes)
        return self.ops[op].name if op >= 0 else ""

    def inputs_of(self, op: Op) -> tuple[int, ...]:
        """Return the tensors that hold what ``op`` takes."""
        return tuple(self.tensor_of[value] for value in op.inputs)

    def is_only_taker(self, op: Op) -> bool:
        """Return whether nothing else needs what ``op`` takes."""
        return len(self.takers[op.inputs[0]]) == 1

    def only_taker(self, index: int) -> Op | None:
        """Return the operation that alone needs the result of another; None if several need it."""
        takers = self.takers[self.graph.value_of(index)]
        return takers[0] if len(takers) == 1 else None


def _takers(graph: Graph) -> list[list[Op | None]]:
    """Return the operations that need each value; None stands for an output of the model.

    A dropout is gone: what needs its result needs what it takes.
    """
    takers: list[list[Op | None]] = [[] for _ in graph.shapes]
    for value in graph.outputs:
        takers[value].append(None)
    for index in reversed(_needed(graph)):
        op = graph.ops[index]
        own = takers[graph.value_of(index)] if op.kind is Kind.DROPOUT else [op]
        for value in set(op.inputs):
            takers[value] += own
    return takers


def _unknown(_lowering: _Lowering, _index: int, _op: Op) -> None:
    return None


def _conv(lowering: _Lowering, index: int, op: Op) -> int | None:
    conv = op.attributes
    if not isinstance(conv, Conv) or op.function != "conv2d":
        return None
    x = lowering.tensor_of[op.inputs[0]]
    if _needs_pad(op.input_shapes[0], conv):
        x = lowering.add(PAD, index, (x,), _padded_size(op.input_shapes[0], _sides(conv.padding)))
    is_depthwise = conv.groups == op.input_shapes[0][1]
    name = "DEPTHWISE_CONV_2D" if is_depthwise else "CONV_2D"
    size, channels = prod(op.output_shape), op.output_shape[1]
    tensor = lowering.add(name, index, (x,), size, channels=channels)
    lowering.folds_norm.add(tensor)
    lowering.fuses_act.add(tensor)
    return tensor


def _needs_pad(shape: Shape, conv: Conv) -> bool:
    """Return whether a convolution of an input of ``shape`` has a PAD of its own before it."""
    sides = _sides(conv.padding)
    return any(sides) and not is_same_padding(shape, conv.kernel, conv.stride, conv.dilation, sides)


def _sides(padding: Sides | str) -> tuple[int, ...]:
    """Return what is added before and after each side, the last side first.

    The word ``same`` stands for stride 1, where it is TensorFlow's too.
    """
    if isinstance(padding, str):
        return ()
    return tuple(side for side in reversed(padding) for _ in range(2))


def _padded_size(shape: Shape, sides: tuple[int, ...]) -> int:
    batch, channels, height, width = shape
    left, right, top, bottom = sides
    return batch * channels * (height + top + bottom) * (width + left + right)


def _pad(lowering: _Lowering, index: int, op: Op) -> int | None:
    """Add a PAD. Where two need its input, a TRANSPOSE stays; where two need its result, no rule.

    The converter keeps the channels of a PAD first, and moves them again for each convolution.
    """
    takers = lowering.takers[lowering.graph.value_of(index)]
    if not lowering.is_only_taker(op) or len(takers) > 1:
        return None
    match op.attributes:
        case Pad(sides=(_, _, _, _) as sides, mode="constant", value=value):
            if value == 0 and _is_part_of_conv(lowering, index, sides):
                return lowering.tensor_of[op.inputs[0]]
            return lowering.add_own(PAD_WITH if value else PAD, index, op)
    return None


def _is_part_of_conv(lowering: _Lowering, index: int, sides: tuple[int, ...]) -> bool:
    """Return whether the padding and the convolution that takes it are one with SAME padding."""
    match lowering.only_taker(index):
        case Op(attributes=Conv(kernel, stride, padding, dilation)) if not any(_sides(padding)):
            shape = lowering.graph.ops[index].input_shapes[0]
            return is_same_padding(shape, kernel, stride, dilation, sides)
    return False


def _norm(lowering: _Lowering, index: int, op: Op) -> int | None:
    x = lowering.tensor_of[op.inputs[0]]
    if getattr(op.attributes, "batch_statistics", True):
        return None
    if x in lowering.folds_norm and lowering.is_only_taker(op):
        return x
    if len(op.output_shape) != len(("batch", "channels", "height", "width")):
        return None
    centred = lowering.add_own("SUB", index, op)
    return _fusing(lowering, lowering.add("MUL", index, (centred,), prod(op.output_shape)))


def _act(lowering: _Lowering, index: int, op: Op) -> int | None:
    x = lowering.tensor_of[op.inputs[0]]
    if op.function == "identity":
        return x
    if _is_fusable(op) and x in lowering.fuses_act and lowering.is_only_taker(op):
        lowering.fuses_act.discard(x)
        lowering.folds_norm.discard(x)
        return x
    if op.function in _FLOAT_ACTS:
        return _in_float(lowering, _FLOAT_ACTS[op.function], index, op)
    if op.function == "silu":
        gate = lowering.add_own("LOGISTIC", index, op)
        return _fusing(lowering, lowering.add("MUL", index, (x, gate), prod(op.output_shape)))
    if op.function == "hardsigmoid":
        return _hardsigmoid(lowering, index, op)
    name = _OWN_ACTS.get(op.function)
    return lowering.add_own(name, index, op) if name else None


def _is_fusable(op: Op) -> bool:
    """Return whether convolutions, pools and arithmetic can apply the activation themselves."""
    return op.function in _FUSED_ACTS or op.attributes == Act(op.inplace, _CLIP_AT_1)


def _hardsigmoid(lowering: _Lowering, index: int, op: Op) -> int | None:
    """Add ReLU6(x + 3) ÷ 6: convolutions before and after take over what they can."""
    x, size = lowering.tensor_of[op.inputs[0]], prod(op.output_shape)
    if x in lowering.folds_norm and x in lowering.fuses_act and lowering.is_only_taker(op):
        lowering.fuses_act.discard(x)
        lowering.folds_norm.discard(x)
    else:
        x = lowering.add("ADD", index, (x,), size)
    match lowering.only_taker(index):
        case Op(attributes=Conv() as conv) as taker if not _needs_pad(taker.input_shapes[0], conv):
            return x
        case Op(kind=Kind.CONV | Kind.ADD | Kind.MUL | Kind.POOL) | None:
            return lowering.add("MUL", index, (x,), size)
    return None


def _in_float(lowering: _Lowering, name: str, index: int, op: Op) -> int:
    """Add an operation that the quantizer leaves in float32, between two conversions."""
    size = prod(op.output_shape)
    real = lowering.add(
        "DEQUANTIZE", index, lowering.inputs_of(op), size * FLOAT_BYTES, is_inserted=True
    )
    real = lowering.add(name, index, (real,), size * FLOAT_BYTES)
    return lowering.add("QUANTIZE", index, (real,), size, is_inserted=True)


def _arithmetic(lowering: _Lowering, index: int, op: Op) -> int | None:
    match op.attributes:
        case Arithmetic(number=None) if op.function in _ARITHMETIC and len(op.inputs) > 1:
            return _fusing(lowering, lowering.add_own(_ARITHMETIC[op.function], index, op))
    return None


def _fusing(lowering: _Lowering, tensor: int) -> int:
    lowering.fuses_act.add(tensor)
    return tensor


def _pool(lowering: _Lowering, index: int, op: Op) -> int | None:
    match op.attributes:
        case Pool(output=(1, 1)) if op.function == "adaptive_avg_pool2d":
            return _global_pool(lowering, index, op)
        case Pool(kernel=(_, _), stride=(_, _), padding=(_, _)) as pool:
            return _window_pool(lowering, index, op, pool)
    return None


def _global_pool(lowering: _Lowering, index: int, op: Op) -> int | None:
    """Add a MEAN with what TFLM's kernel needs beside it.

    Of a map of 1×1 the converter makes a SUM if the result is flattened, and else nothing.
    """
    if lowering.tensor_of[op.inputs[0]] in lowering.is_flexible:
        return None  # a TRANSPOSE stays before it
    shape = op.input_shapes[0]
    taker = lowering.only_taker(index)
    if prod(shape[2:]) == 1 and not (taker and taker.kind is Kind.RESHAPE):
        return lowering.tensor_of[op.inputs[0]]
    sums, position, axes = prod(op.output_shape), len(shape), 2
    return lowering.add_own(
        "SUM" if prod(shape[2:]) == 1 else "MEAN",
        index,
        op,
        scratch=tuple(_INDEX_BYTES * one for one in (sums, position, axes)),
    )


def _window_pool(lowering: _Lowering, index: int, op: Op, pool: Any) -> int | None:
    shape, is_max = op.input_shapes[0], op.function.startswith("max_pool2d")
    if op.output_shape[2:] != _pooled(shape[2:], pool):
        return None  # ceil_mode or dilation
    if any(pool.padding) and not is_max:
        return None  # whether the padding counts decides, and no rule reads it
    x, sides = lowering.tensor_of[op.inputs[0]], _sides(pool.padding)
    if any(sides) and not is_same_padding(shape, pool.kernel, pool.stride, (1, 1), sides):
        x = lowering.add(PAD_WITH, index, (x,), _padded_size(shape, sides))
    name = "MAX_POOL_2D" if is_max else "AVERAGE_POOL_2D"
    return _fusing(lowering, lowering.add(name, index, (x,), prod(op.output_shape)))


def _pooled(sides: Sides, pool: Any) -> Sides:
    places = zip(sides, pool.kernel, pool.stride, pool.padding, strict=True)
    return tuple((side + 2 * pad - width) // step + 1 for side, width, step, pad in places)


def _linear(lowering: _Lowering, index: int, op: Op) -> int | None:
    if len(op.output_shape) != len(("batch", "features")):
        return None
    if _is_scaling(op):
        return _scaled(lowering, index, op)
    layer = lowering.add_own("FULLY_CONNECTED", index, op, channels=op.output_shape[1])
    tensor = _fusing(lowering, layer)
    lowering.folds_norm.add(tensor)
    return tensor


def _scaled(lowering: _Lowering, index: int, op: Op) -> int | None:
    """Add a MUL by the weights. One weight may go into those of a layer before: no rule."""
    is_one = op.output_shape[1] == 1
    if is_one and lowering.tensor_of[op.inputs[0]] in lowering.folds_norm:
        return None
    return _fusing(lowering, lowering.add_own("MUL", index, op))


def _cat(lowering: _Lowering, index: int, op: Op) -> int | None:
    """Add a CONCATENATION of tensors whose scale is free.

    The tensors take one scale. A tensor that something else needs too, or that has the scale of
    what it was made of, may keep its own: the quantizer then inserts a QUANTIZE, or not, as the
    numbers happen to be.
    """
    are_free = all(
        len(lowering.takers[value]) == 1 and lowering.name_of(tensor) in _FREE_SCALE
        for value, tensor in zip(op.inputs, lowering.inputs_of(op), strict=True)
    )
    is_known = op.function == "cat" and are_free
    return lowering.add_own("CONCATENATION", index, op) if is_known else None


def _reshape(lowering: _Lowering, index: int, op: Op) -> int | None:
    """Return the same tensor, or add a RESHAPE, where sides of 1 come or go after the channels.

    Features are a map of 1×1 for a linear layer, and for a multiplication. What else needs them
    decides where a RESHAPE goes: no rule.
    """
    before, after = op.input_shapes[0], op.output_shape
    if before[:2] != after[:2] or prod(before[2:]) != 1 or prod(after[2:]) != 1:
        return None
    x = lowering.tensor_of[op.inputs[0]]
    if before == after:
        return x
    is_one, is_pooled = after[1] == 1, lowering.name_of(x) in _REDUCING
    takers = {taker and taker.kind for taker in lowering.takers[lowering.graph.value_of(index)]}
    match lowering.is_only_taker(op), len(before) > len(after), *takers:
        case (True, True, Kind.LINEAR):
            is_needed = is_one
        case (True, True, None):
            is_needed = is_one or not is_pooled
        case (True, False, Kind.MUL):
            is_needed = is_one
        case (True, False, Kind.CONV | None):
            is_needed = True
        case _:
            return None
    return lowering.add_own("RESHAPE", index, op) if is_needed else x


def _is_scaling(op: Op) -> bool:
    return op.input_shapes[0][1] == 1 and op.attributes == Linear(bias=False)


def _dropout(lowering: _Lowering, _index: int, op: Op) -> int | None:
    match op.attributes:
        case Dropout(training=False) | Dropout(p=0):
            return lowering.tensor_of[op.inputs[0]]
    return None


_UNKNOWN: Final = "?"
_CLIP_AT_1: Final = "-1.0 to 1.0"
_FUSED_ACTS: Final = frozenset({"relu", "relu6"})
_OWN_ACTS: Final = {
    "relu": "RELU",
    "hardswish": "HARD_SWISH",
    "sigmoid": "LOGISTIC",
    "tanh": "TANH",
    "softmax": "SOFTMAX",
}
_FLOAT_ACTS: Final = {"relu6": "RELU6", "leaky_relu": "LEAKY_RELU"}
_ARITHMETIC: Final = {"add": "ADD", "sub": "SUB", "mul": "MUL"}
_FREE_SCALE: Final = MULTIPLYING | {"ADD", "SUB", "MUL", "HARD_SWISH"}
_REDUCING: Final = frozenset({"MEAN", "SUM"})
_MOVES_CHANNELS_LAST: Final = frozenset(
    {"CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D", _UNKNOWN}
)
_RULES: Final[Mapping[Kind, Callable[[_Lowering, int, Op], int | None]]] = {
    Kind.CONV: _conv,
    Kind.NORM: _norm,
    Kind.ACT: _act,
    Kind.ADD: _arithmetic,
    Kind.MUL: _arithmetic,
    Kind.POOL: _pool,
    Kind.LINEAR: _linear,
    Kind.CAT: _cat,
    Kind.RESHAPE: _reshape,
    Kind.DROPOUT: _dropout,
    Kind.PAD: _pad,
}
