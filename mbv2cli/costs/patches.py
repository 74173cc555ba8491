"""Patch-based inference of the first blocks of a network (MCUNetV2, arXiv 2110.15352).

The blocks up to one run on a patch of the input at a time, and put the results together; the rest
runs as usual. A patch of the result needs a larger patch before each convolution: patches overlap,
and the overlaps are computed more than once. Sizes are in elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise, product
from math import prod
from typing import Final, NamedTuple, TypeAlias

from mbv2cli.costs.memory import INPLACE_DEPTHWISE, timeline
from mbv2cli.errors import UserError, nearest
from mbv2cli.graph.graph import Graph, GraphInModel
from mbv2cli.graph.ops import Conv, Kind, Op, Pad
from mbv2cli.shown import shown

Grid: TypeAlias = tuple[int, int]
"""Patches down and across."""

GRIDS: Final[Sequence[Grid]] = tuple((count, count) for count in range(2, 9))
"""What is tried for the best plan."""

MAX_OPS: Final = 1_400_000
"""Most operations of all patches that are tried: each takes some 3 microseconds."""

_FIXED: Final = 20
"""The patches that a plan costs beside those along its sides."""

_BY_ELEMENT: Final = frozenset({Kind.NORM, Kind.ACT, Kind.ADD, Kind.MUL, Kind.DROPOUT})


class PatchPeak(NamedTuple):
    """Elements needed while patches run, with the result put together, and after them."""

    patched: int
    rest: int

    @property
    def elements(self) -> int:
        """The larger of both."""
        return max(self)


class PatchPlan(NamedTuple):
    """What it takes to run the blocks up to ``until`` in patches.

    ``input_sides`` are those of the largest patch of the input. ``peak`` is counted as MCUNetV2
    counts: a depthwise convolution overwrites its input, and the input of an open shortcut is left
    out; ``peak_with_shortcuts`` has it. ``extra_macs`` are those of the overlaps.
    """

    grid: Grid
    until: str
    input_sides: tuple[int, int]
    peak: PatchPeak
    peak_with_shortcuts: PatchPeak
    extra_macs: int


class _Span(NamedTuple):
    """Rows, or columns, of a value: from ``start`` up to, without, ``stop``."""

    start: int
    stop: int

    @property
    def side(self) -> int:
        return self.stop - self.start


_Spans: TypeAlias = Sequence[_Span]
"""A span of each value of the patched operations."""


def patch_plan(graph: Graph, grid: Grid, until: str) -> PatchPlan:
    """Return the plan for a grid of patches up to the block of the path ``until``.

    Raises `UserError` if there is no such block, or if it cannot run in patches.
    """
    stop = _stop_of(graph, until)
    _refuse_too_many((grid,), (stop,))
    _refuse_impossible(graph.ops[:stop], grid, until)
    return _plan(graph, grid, until, _rest(graph, stop))


def best_plan(graph: Graph, grids: Sequence[Grid], untils: Iterable[str]) -> PatchPlan:
    """Return the plan with the lowest peak; of these the one with the fewest MACs.

    Raises `UserError` if no plan is possible, or if these are too many plans to try.
    """
    found: list[PatchPlan] = []
    stops = {until: _stop_of(graph, until) for until in untils}
    _refuse_too_many(grids, tuple(stops.values()))
    for until, stop in stops.items():
        rest = _rest(graph, stop)
        for grid in grids:
            with suppress(UserError):
                _refuse_impossible(graph.ops[:stop], grid, until)
                found.append(_plan(graph, grid, until, rest))
    if not found:
        raise UserError("no block can run in such patches; leave --patches out")
    return min(found, key=lambda plan: (plan.peak.elements, plan.extra_macs))


def blocks(graph: Graph) -> tuple[str, ...]:
    """Return the paths of the blocks after which patches may end, in forward order."""
    return tuple(segment.path for segment in graph.segments if segment.path != "classifier")


class Peaks(NamedTuple):
    """The peak of a graph as MCUNetV2 counts it, and with the inputs of open shortcuts."""

    own: int
    with_shortcuts: int


def _plan(graph: Graph, grid: Grid, until: str, rest: Peaks) -> PatchPlan:
    ops = graph.ops[: _stop_of(graph, until)]
    rows, columns = (_patches(ops, axis, count) for axis, count in enumerate(grid))
    largest = [
        peaks(_patch(graph, len(ops), *spans))
        for spans in product(_not_smaller(rows), _not_smaller(columns))
    ]
    result = prod(ops[-1].output_shape)
    return PatchPlan(
        grid,
        until,
        (max(one[0].side for one in rows), max(one[0].side for one in columns)),
        PatchPeak(result + max(one.own for one in largest), rest.own),
        PatchPeak(result + max(one.with_shortcuts for one in largest), rest.with_shortcuts),
        _macs(ops, rows, columns) - sum(op.macs for op in ops),
    )


def _rest(graph: Graph, stop: int) -> Peaks:
    return peaks(_part(graph, stop, len(graph.ops)))


def _refuse_too_many(grids: Sequence[Grid], stops: Sequence[int]) -> None:
    """Raise `UserError` for more operations of patches than can be worked out in a few seconds."""
    if sum(stops) * sum(sum(grid) + _FIXED for grid in grids) > MAX_OPS:
        blocks_text = f"{len(stops):,} last blocks" if len(stops) > 1 else "this last block"
        grids_text = f"{len(grids)} grids" if len(grids) > 1 else "this grid"
        raise UserError(
            f"{grids_text} and {blocks_text}, with up to {max(stops):,} operations in patches, "
            "take too long to try; name an early last block, such as --patch-until features.4"
        )


def _refuse_impossible(ops: Sequence[Op], grid: Grid, until: str) -> None:
    whole = next((op for op in ops if not _is_local(op)), None)
    if whole is not None:
        raise UserError(
            f"patches up to {until} are not possible: {whole.function} of "
            f"{shown(whole.path or 'the model')} needs the whole feature map; choose a block before"
        )
    sides = ops[-1].output_shape[2:]
    if any(count > side for count, side in zip(grid, sides, strict=True)):
        raise UserError(
            f"--patches {grid[0]}x{grid[1]} is too many: the result of {until} is "
            f"{sides[0]}x{sides[1]}; use at most one patch for each element"
        )


def _stop_of(graph: Graph, until: str) -> int:
    """Return the number of operations up to the end of a block."""
    paths = frozenset(blocks(graph))
    stops = {one.path: one.stop for one in graph.segments if one.path in paths}
    if until not in stops:
        raise UserError(
            f"there is no block '{shown(until)}' (the blocks are {', '.join(stops)})"
            f"{nearest(until, stops)}"
        )
    return stops[until]


def _is_local(op: Op) -> bool:
    """Return whether an element of the result depends on a neighbourhood alone."""
    if op.kind in _BY_ELEMENT:
        return len({shape[2:] for shape in op.input_shapes}) == 1
    match op.attributes:
        case Conv(padding=tuple()) | Pad(sides=(_, _, _, _)):
            return True
    return False


def _patches(ops: Sequence[Op], axis: int, count: int) -> list[_Spans]:
    """Return the spans of each patch along one axis: the last result is divided evenly."""
    side = ops[-1].output_shape[2 + axis]
    cuts = [number * side // count for number in range(count + 1)]
    return [_spans(ops, axis, _Span(*one)) for one in pairwise(cuts)]


def _spans(ops: Sequence[Op], axis: int, last: _Span) -> _Spans:
    """Return the span of each value that a span of the last result needs."""
    found = {len(ops): last}
    for index in reversed(range(len(ops))):
        op, span = ops[index], found[index + 1]
        for value, shape in zip(op.inputs, op.input_shapes, strict=True):
            needed = _before(op, axis, span, shape[2 + axis])
            known = found.get(value, needed)
            found[value] = _Span(min(known.start, needed.start), max(known.stop, needed.stop))
    return [found[value] for value in range(len(ops) + 1)]


def _before(op: Op, axis: int, span: _Span, side: int) -> _Span:
    """Return the span of an input of this side that a span of the result needs."""
    start, stop = span
    match op.attributes:
        case Conv(kernel, stride, tuple() as padding, dilation):
            start = start * stride[axis] - padding[axis]
            stop = (
                (stop - 1) * stride[axis] - padding[axis] + dilation[axis] * (kernel[axis] - 1) + 1
            )
        case Pad(sides=(left, _, top, _)):
            before = (top, left)[axis]
            start, stop = start - before, stop - before
    return _Span(max(start, 0), min(stop, side))


def _not_smaller(patches: Sequence[_Spans]) -> list[_Spans]:
    """Return the patches of which no other is at least as large everywhere, each size once."""
    sizes = {tuple(span.side for span in one): one for one in patches}
    return [
        one
        for size, one in sizes.items()
        if not any(
            other != size and all(mine <= its for mine, its in zip(size, other, strict=True))
            for other in sizes
        )
    ]


def _patch(graph: Graph, stop: int, rows: _Spans, columns: _Spans) -> Graph:
    """Return the graph of one patch."""
    part = _part(graph, 0, stop)

    def cut(value: int) -> tuple[int, ...]:
        return (*part.shapes[value][:2], rows[value].side, columns[value].side)

    ops = tuple(
        op._replace(input_shapes=tuple(map(cut, op.inputs)), output_shape=cut(index + 1))
        for index, op in enumerate(part.ops)
    )
    return Graph((cut(0),), ops, part.scopes, part.outputs)


def _part(graph: Graph, start: int, stop: int) -> Graph:
    """Return the operations from ``start`` up to ``stop``, which take one value from before."""
    ops = tuple(
        op._replace(inputs=tuple(value - start for value in op.inputs))
        for op in graph.ops[start:stop]
    )
    scopes = tuple(
        scope._replace(
            inputs=tuple(value - start for value in scope.inputs),
            outputs=tuple(value - start for value in scope.outputs),
            start=scope.start - start,
            stop=scope.stop - start,
        )
        for scope in graph.scopes
        if start <= scope.start and scope.stop <= stop
    )
    return Graph((graph.shapes[start],), ops, scopes, (len(ops),))


def peaks(graph: Graph) -> Peaks:
    """Return the peaks of a graph, in which for the first no addition keeps a shortcut alive."""
    ops = tuple(
        op._replace(inputs=op.inputs[-1:], input_shapes=op.input_shapes[-1:])
        if op.kind is Kind.ADD
        else op
        for op in graph.ops
    )
    return Peaks(_peak(Graph(graph.input_shapes, ops, graph.scopes, graph.outputs)), _peak(graph))


def _peak(graph: Graph) -> int:
    steps = timeline(INPLACE_DEPTHWISE, GraphInModel(graph))
    return max((step.elements for step in steps), default=prod(graph.input_shapes[0]))


def _macs(ops: Sequence[Op], rows: Sequence[_Spans], columns: Sequence[_Spans]) -> int:
    """Return the MACs of all patches."""
    total = 0
    for value, op in enumerate(ops, start=1):
        if op.macs:
            down = sum(one[value].side for one in rows)
            across = sum(one[value].side for one in columns)
            total += op.macs // prod(op.output_shape[2:]) * down * across
    return total
