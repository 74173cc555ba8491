"""Which part of the input an element of each value sees."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple, TypeAlias

from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import Conv, Kind, Norm, Op, Pool, Rearrangement, Shape, larger

Pair: TypeAlias = tuple[Any, ...]
"""(height, width), in input pixels."""


class Geometry(NamedTuple):
    """What an element of a value sees, in input pixels: height and width apart.

    ``receptive_field`` is the size of what it sees, padding included. ``jump`` is the distance
    between what two neighbours see: the product of the strides so far.
    """

    receptive_field: Pair
    jump: Pair


PIXEL: Final = Geometry(receptive_field=(1, 1), jump=(1, 1))
"""What an element of the model's own input sees."""


class _Flat(NamedTuple):
    """A value without height and width, or with one number for each channel, such as logits.

    ``function`` has made it of a feature map, or was the first to take an input of this kind.
    """

    function: str


class _NoRule(NamedTuple):
    """A value whose elements see nobody knows what: ``functions`` on the way have no rule."""

    functions: tuple[str, ...]


_CONSTANT: Final = _NoRule(())
"""A value that no input of the model goes into: it sees nothing."""

_Seen: TypeAlias = Geometry | _Flat | _NoRule


def geometries(graph: Graph, before: Geometry = PIXEL) -> tuple[Geometry | None, ...]:
    """Return the geometry of each operation's result.

    It is None once an element sees the whole input, and where an operation has no rule (see
    `without_rule`). ``before`` is the geometry of the last input of the graph.

    A convolution sees (kernel - 1) × dilation × jump pixels more than its input (Araujo et al.,
    "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019). Where branches
    join, the element sees what the branch that sees most does. A gate with one number for each
    channel (squeeze-excite) is left out: what it gates is as before.
    """
    found = _seen_by_values(graph, before)[len(graph.input_shapes) :]
    return tuple(one if isinstance(one, Geometry) else None for one in found)


def without_rule(graph: Graph) -> tuple[str, ...]:
    """Return the functions for which nobody knows what the last feature map sees; () if it is so.

    These have no rule, or they make a feature map of a value that had no height and width. Where
    there is no feature map at all, it is the first function.
    """
    found = _seen_by_values(graph, PIXEL)
    names = [name for one in found if isinstance(one, _NoRule) for name in one.functions]
    names += [
        one.function
        for one, shape in ((found[value], graph.shapes[value]) for value in graph.outputs)
        if isinstance(one, _Flat) and _has_sides(shape)
    ]
    if not names and not any(isinstance(one, Geometry) for one in found):
        names = [one.function for one in found if isinstance(one, _Flat) and one.function][:1]
    return tuple(dict.fromkeys(names))


def _seen_by_values(graph: Graph, before: Geometry) -> list[_Seen]:
    found: list[_Seen] = [
        before if _is_image(graph, shape) else _Flat("") for shape in graph.input_shapes
    ]
    for op in graph.ops:
        values = op.inputs[:1] if op.function in _SHAPED_AS_SECOND else op.inputs
        found.append(_seen_after(op, [found[value] for value in values]))
    return found


def _is_image(graph: Graph, shape: Shape) -> bool:
    """Return whether an input has height and width: it needs no batch before a convolution."""
    without_batch = 3
    return len(shape) > without_batch or (
        len(shape) == without_batch and any(_is_flat_window(op.attributes) for op in graph.ops)
    )


def _is_flat_window(attributes: object) -> bool:
    return isinstance(attributes, Conv) and len(attributes.kernel) == len(PIXEL.jump)


def _seen_after(op: Op, inputs: list[_Seen]) -> _Seen:
    """Return what an element of the result of an operation sees, from what its inputs see."""
    if len(inputs) == 1 and isinstance(inputs[0], Geometry):  # what most operations take
        return _after(op, inputs[0], op.input_shapes[0])
    seen = [one for one in inputs if one is not _CONSTANT]
    if not seen:
        return _CONSTANT
    if lost := [one for one in seen if isinstance(one, _NoRule)]:
        return _NoRule(tuple(dict.fromkeys(name for one in lost for name in one.functions)))
    placed = [one for one in seen if isinstance(one, Geometry)]
    if not placed:
        return _after_flat(op, next(one for one in seen if isinstance(one, _Flat)))
    if len(placed) < len(seen) and op.kind is not Kind.MUL and _has_sides(op.output_shape):
        return _NoRule((op.function,))
    shape = next(
        shape
        for one, shape in zip(inputs, op.input_shapes, strict=False)
        if isinstance(one, Geometry)
    )
    return _after(op, _joined(placed), shape)


def _after_flat(op: Op, before: _Flat) -> _Seen:
    """Return what a value of values without height and width sees; a gate may be spread."""
    is_map = len(op.output_shape) > 3 and _has_sides(op.output_shape)  # noqa: PLR2004
    if is_map and op.function not in _SPREADING and op.kind is not Kind.ACT:
        return _NoRule((op.function,))
    return before if before.function else _Flat(op.function)


def _has_sides(shape: Shape) -> bool:
    """Return whether a value has more than one number for each channel."""
    sides = shape[2:]  # without batch and channels
    return not all(isinstance(side, int) and side == 1 for side in sides)


def _joined(branches: list[Geometry]) -> Geometry:
    first, *others = branches
    for other in others:
        field = tuple(map(larger, first.receptive_field, other.receptive_field))
        first = Geometry(field, first.jump)
    return first


def _after(op: Op, before: Geometry, shape: Shape) -> _Seen:
    """Return what the result of an operation on a feature map of ``shape`` sees."""
    match op.attributes:
        case Conv(kernel=kernel, stride=stride, dilation=dilation):
            return _widened(before, kernel, stride, dilation) or _NoRule((op.function,))
        case Pool(kernel=tuple() as kernel, stride=tuple() as stride, dilation=dilation):
            apart = dilation or (1,) * len(kernel)
            return _widened(before, kernel, stride, apart) or _NoRule((op.function,))
    if _is_by_place(op):
        return before
    if not _has_sides(op.output_shape):
        return _Flat(op.function)
    if _keeps_sides(op, shape):
        return before
    is_smaller = len(op.output_shape) < len(shape)
    return _Flat(op.function) if is_smaller else _NoRule((op.function,))


def _is_by_place(op: Op) -> bool:
    """Return whether each element is made of those at its own place alone."""
    if isinstance(op.attributes, Norm):
        return not op.attributes.batch_statistics
    if op.kind is Kind.ACT:
        return op.function not in _OVER_A_DIMENSION or op.attributes.arguments in _OVER_CHANNELS
    return op.kind in _BY_PLACE_KINDS or op.function in _BY_PLACE


_BY_PLACE_KINDS: Final = frozenset({Kind.ADD, Kind.MUL, Kind.DROPOUT, Kind.PAD})
_OVER_A_DIMENSION: Final = frozenset({"softmax", "log_softmax"})
_OVER_CHANNELS: Final = frozenset({"dim=1", "dim=-3"})
_BY_PLACE: Final = frozenset(
    (
        *("exp", "log", "sqrt", "rsqrt", "pow", "square", "abs", "neg", "sign", "reciprocal"),
        *("sin", "cos", "erf", "clamp", "clamp_min", "clamp_max", "clip", "round", "floor"),
        *("ceil", "rdiv", "addcmul", "addcdiv", "lerp", "maximum", "minimum", "masked_fill"),
        *("eq", "ne", "lt", "le", "gt", "ge", "where", "logical_not", "logical_and", "logical_or"),
        *("bitwise_not", "bitwise_and", "bitwise_or", "prelu", "celu", "rrelu", "threshold"),
        *("softsign", "logsigmoid", "hardshrink", "softshrink", "tanhshrink", "dropout1d"),
        *("dropout2d", "dropout3d", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"),
        *("to", "float", "half", "double", "bfloat16", "type", "type_as", "clone", "copy", "fill"),
        *("zero", "zeros_like", "ones_like", "quantize_per_tensor", "dequantize"),
    )
)
"""Functions without a kind of their own, each element by itself."""


def _keeps_sides(op: Op, shape: Shape) -> bool:
    """Return whether a rearrangement or a reduction leaves each element at its place.

    It does if height and width, which come last, are as before, and if no other dimension can have
    taken their place.
    """
    rows_and_columns = len(PIXEL.jump)
    after, dropped = op.output_shape, len(shape) - len(op.output_shape)
    if any(one[-rows_and_columns:] != after[-rows_and_columns:] for one in op.input_shapes):
        return False
    match op.attributes:
        case Rearrangement(view=is_view) if op.function == "__getitem__" and not is_view:
            return False
        case Rearrangement(arguments=arguments) if op.function in {"permute", "transpose"}:
            return _leaves_last(op.function, arguments, len(shape))
    if op.function in _DROPPING:
        return dropped <= 0 or (dropped == 1 and shape[-3] != shape[-2])
    return op.function in _KEEPING


def _leaves_last(function: str, arguments: str, dimensions: int) -> bool:
    """Return whether the last two of so many dimensions stay where they are."""
    named = [int(one) % dimensions for one in re.findall(r"-?\d+", arguments.replace("dim0", ""))]
    last = [dimensions - 2, dimensions - 1]
    return named[-2:] == last if function == "permute" else not set(named) & set(last)


_SHAPED_AS_SECOND: Final = frozenset({"expand_as", "view_as", "reshape_as", "type_as"})
"""Functions that take the elements of their first input alone."""

_SPREADING: Final = frozenset({"expand", "expand_as"})
_KEEPING: Final = frozenset(
    (
        *("view", "view_as", "reshape", "reshape_as", "flatten", "unflatten", "unsqueeze"),
        *("contiguous", "detach", "data", "chunk", "split", "narrow", "cat", "channel_shuffle"),
        *("adaptive_avg_pool2d", "adaptive_max_pool2d", *_SPREADING),
    )
)
_DROPPING: Final = frozenset(
    (
        *("__getitem__", "squeeze", "unbind", "mean", "sum", "amax", "amin", "max", "min"),
        *("var", "std", "norm", "argmax", "argmin"),
    )
)
"""Functions that may drop a dimension, whichever it is."""


def _widened(before: Geometry, kernel: Pair, stride: Pair, dilation: Pair) -> Geometry | None:
    if len(kernel) != len(before.jump):  # of a sequence, or of a volume
        return None
    seen = tuple(
        field + (side - 1) * apart * jump
        for field, jump, side, apart in zip(*before, kernel, dilation, strict=True)
    )
    return Geometry(seen, tuple(map(_times, before.jump, stride)))


def _times(jump: Any, stride: Any) -> Any:
    return jump * stride
