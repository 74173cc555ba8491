"""The largest smaller number with which a model keeps a limit, found with few plans.

A figure that never grows with a smaller number needs one plan for each halving of the numbers. The
arena of TensorFlow Lite Micro is no such figure: the parity of each feature map decides whether it
needs a PAD operation, and the sizes of the buffers decide how much space is lost between them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Final, NamedTuple

from mbv2cli.costs.arena import arena_of
from mbv2cli.costs.int8_graph import int8_graph
from mbv2cli.inspection import ModelSpec, plan_of
from mbv2cli.specs.run import InputSpec

MAX_OPS: Final = 50_000
"""Operations of the models that are planned one by one: each takes some 10 microseconds."""

_LEAST_TRIES: Final = 4

SAME_PADDING: Final[Mapping[str, object]] = {"padding": "same"}


class Nearest(NamedTuple):
    """The largest number that was found; None without one. Without ``is_exact`` some are left out.

    Numbers that were left out may be larger, and keep the limit too.
    """

    number: int | None
    is_exact: bool


def largest(
    numbers: range, keeps: Callable[[int], bool], may_keep: Callable[[int], bool], ops: int
) -> Nearest:
    """Return the largest of ascending ``numbers`` whose model, of some ``ops``, keeps a limit.

    ``may_keep`` is true wherever ``keeps`` is, and for every number below one for which it is
    true. The largest numbers for which it is true are tried one by one. If that takes too many
    operations, as many of the others are tried, evenly spaced.
    """
    count = bisect_left(numbers, 1, key=lambda number: not may_keep(number))
    tries = max(_LEAST_TRIES, MAX_OPS // ops)
    descending = numbers[:count][::-1]
    first, rest = descending[:tries], descending[tries:]
    step = max(1, -(-len(rest) // tries))
    number = next(filter(keeps, chain(first, rest[::step])), None)
    return Nearest(number, step == 1 or number in first)


def scaled(input: InputSpec, side: int) -> InputSpec:
    """Return an input of the same proportions, rounded down, whose larger side is ``side``."""
    height, width = input.size
    larger = max(height, width)
    size = (max(1, height * side // larger), max(1, width * side // larger))
    return InputSpec(size=size, batch=input.batch)


def live_peak(spec: ModelSpec, input: InputSpec) -> int:
    """Return the most bytes that TFLM needs at one moment: its arena has at least these."""
    return arena_of(int8_graph(plan_of(spec, input).graph)).live_peak


def least_arena(spec: ModelSpec, input: InputSpec) -> int:
    """Return bytes that the arena has at least, and that are never fewer for a larger input.

    These are the bytes that are needed at one moment if no PAD operation is there: feature maps
    are as large with TensorFlow's padding as with PyTorch's.
    """
    return live_peak(with_fields(spec, SAME_PADDING), input)


def with_fields(spec: ModelSpec, fields: Mapping[str, object]) -> ModelSpec:
    """Return a spec with other values of some fields. Raises `UserError`."""
    values = {name: getattr(spec, name) for name in type(spec).model_fields}
    return type(spec).model_validate({**values, **fields})
