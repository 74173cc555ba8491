"""Which part of the input an element of each value sees."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import Conv, Kind, Op, Pool, Shape, larger

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


def geometries(graph: Graph, before: Geometry = PIXEL) -> tuple[Geometry | None, ...]:
    """Return the geometry of each operation's result; None once an element sees the whole input.

    ``before`` is the geometry of the last input of the graph.

    A convolution sees (kernel - 1) × dilation × jump pixels more than its input (Araujo et al.,
    "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019). Where branches
    join, the element sees what the branch that sees most does. A gate with one number for each
    channel (squeeze-excite) is left out: what it gates is as before.
    """
    found: list[Geometry | None] = [before] * len(graph.input_shapes)
    for op in graph.ops:
        seen = [
            found[value]
            for value, shape in zip(op.inputs, op.input_shapes, strict=True)
            if found[value] or not (op.kind is Kind.MUL and _is_gate(shape))
        ]
        joined = _joined([one for one in seen if one]) if seen and None not in seen else None
        found.append(_after(op, joined) if joined else None)
    return tuple(found[len(graph.input_shapes) :])


def _is_gate(shape: Shape) -> bool:
    """Return whether a value has one number for each channel: the sides are the number 1."""
    return len(shape) > 2 and all(isinstance(side, int) and side == 1 for side in shape[2:])  # noqa: PLR2004  (batch, channels)


def _joined(branches: list[Geometry]) -> Geometry:
    first, *others = branches
    for other in others:
        field = tuple(map(larger, first.receptive_field, other.receptive_field))
        first = Geometry(field, first.jump)
    return first


def _after(op: Op, before: Geometry) -> Geometry | None:
    match op.attributes:
        case Conv(kernel=kernel, stride=stride, dilation=dilation):
            return _widened(before, kernel, stride, dilation)
        case Pool(kernel=tuple() as kernel, stride=tuple() as stride):
            return _widened(before, kernel, stride, (1,) * len(kernel))
        case Pool():
            return None
    unknown = (Kind.CONV, Kind.RESHAPE, Kind.LINEAR, Kind.UNKNOWN)  # CONV: a transposed one
    return None if op.kind in unknown else before


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
