"""A graph in a few stretches of operations, as people lay it out: what pictures show.

A planned network is a row of stages, a planned block a row of operations. An observed graph is a
row of module calls; calls that are alike follow each other as one stretch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, NamedTuple

from mbv2cli.costs.layers import LayerFigures
from mbv2cli.costs.memory import ELEMENT_BYTES, MemoryRule, fused, timeline
from mbv2cli.graph.graph import Graph, GraphInModel, Scope
from mbv2cli.graph.ops import Shape
from mbv2cli.graph.rows import roles_of

_MOST_WITH_FRAMES: Final = 40
"""With more stretches than this, module calls of the outermost level stand alone."""


class Stretch(NamedTuple):
    """Operations from ``start`` up to, without, ``stop``.

    ``name`` is a stage (``s2``), a role (``expansion``) or the path of a module (``features.3``);
    ``last`` is the path of the last of ``repeats`` modules that are alike. ``types`` are classes
    or, for an operation that is no module, its function. ``frame`` is the path of the outer module
    that several stretches in a row are part of, and ``frame_type`` its class.
    """

    name: str
    start: int
    stop: int
    types: tuple[str, ...] = ()
    repeats: int = 1
    last: str = ""
    frame: str = ""
    frame_type: str = ""


class Wire(NamedTuple):
    """A value that stretch ``source`` makes and ``target`` takes.

    ``source`` is None for an input of the model, ``target`` is None for an output.
    """

    value: int
    source: int | None
    target: int | None


def stretches(graph: Graph) -> tuple[Stretch, ...]:
    """Return all operations of ``graph`` in stretches, in forward order."""
    if not graph.segments:
        return tuple(_module_calls(graph))
    if len(graph.segments) > 1:
        return tuple(_stages(graph))
    return tuple(_operations(graph))


def wires(graph: Graph, parts: Sequence[Stretch]) -> tuple[Wire, ...]:
    """Return the values that pass between stretches, and those that enter and leave the model."""
    inputs = len(graph.input_shapes)
    place = {op: number for number, part in enumerate(parts) for op in range(part.start, part.stop)}
    found: dict[Wire, None] = {}
    for index, op in enumerate(graph.ops):
        for value in op.inputs:
            source = place[value - inputs] if value >= inputs else None
            if source != place[index]:
                found[Wire(value, source, place[index])] = None
    for value in graph.outputs:
        found[Wire(value, place[value - inputs] if value >= inputs else None, None)] = None
    return tuple(found)


def _stages(graph: Graph) -> Iterator[Stretch]:
    for stage, group in groupby(graph.segments, lambda segment: segment.stage):
        segments = list(group)
        yield Stretch(stage, segments[0].start, segments[-1].stop, repeats=len(segments))


def _operations(graph: Graph) -> Iterator[Stretch]:
    """Yield each operation with those that are fused into it."""
    start, roles, is_fused = 0, roles_of(graph), fused(graph)
    for stop in range(1, len(graph.ops) + 1):
        if stop == len(graph.ops) or not is_fused[stop]:
            yield Stretch(str(roles[start]), start, stop)
            start = stop


@dataclass(frozen=True, slots=True)
class _Call:
    """A module call, or an operation alone, and the calls inside it."""

    path: str
    type: str
    start: int
    stop: int
    is_sequential: bool = False
    inner: tuple[_Call, ...] = ()


def _module_calls(graph: Graph) -> Iterator[Stretch]:
    outermost = _outermost(graph)
    framed = [part for call in outermost for part in _framed(call)]
    joined = list(_joined(graph, framed))
    parts = list(_collapsed(graph, joined))
    if len(parts) > _MOST_WITH_FRAMES:
        parts = list(_collapsed(graph, _joined(graph, map(_alone, outermost))))
    frames = [part.frame for part in parts]
    for part in parts:
        has_company = frames.count(part.frame) > 1
        yield part if has_company else part._replace(frame="", frame_type="")


def _outermost(graph: Graph) -> tuple[_Call, ...]:
    """Return the calls of the model itself; those of its only module if it has but one."""
    calls = _calls(graph, graph.scopes, 0, len(graph.ops))
    while len(calls) == 1 and calls[0].inner:
        calls = calls[0].inner
    return calls


def _calls(graph: Graph, scopes: Iterable[Scope], start: int, stop: int) -> tuple[_Call, ...]:
    """Return the outermost calls among ``scopes``, and the operations around them."""
    open_: list[_Call] = []
    for scope in scopes:
        if scope.start == scope.stop:
            continue
        first = len(open_)
        while first and open_[first - 1].start >= scope.start:
            first -= 1
        inner = tuple(_filled(graph, open_[first:], scope.start, scope.stop))
        open_[first:] = [
            _Call(scope.path, scope.type, scope.start, scope.stop, scope.is_sequential, inner)
        ]
    return tuple(_filled(graph, open_, start, stop))


def _filled(graph: Graph, calls: Sequence[_Call], start: int, stop: int) -> Iterator[_Call]:
    """Yield the calls and, for each operation between them, a call of its own."""
    for call in calls:
        yield from (_operation(graph, index) for index in range(start, call.start))
        yield call
        start = call.stop
    yield from (_operation(graph, index) for index in range(start, stop))


def _operation(graph: Graph, index: int) -> _Call:
    op = graph.ops[index]
    path = op.path if op.type else ""
    return _Call(path, op.type or op.function, index, index + 1)


def _framed(call: _Call) -> Iterator[Stretch]:
    """Yield the calls inside a module of the outermost level."""
    if not call.inner:
        yield _alone(call)
    for one in _flat(call.inner):
        yield _alone(one)._replace(frame=call.path, frame_type=call.type)


def _flat(calls: Iterable[_Call]) -> Iterator[_Call]:
    """Yield the calls, and in place of a sequence what it runs."""
    for call in calls:
        yield from _flat(call.inner) if call.is_sequential else (call,)


def _alone(call: _Call) -> Stretch:
    return Stretch(call.path, call.start, call.stop, (call.type,), last=call.path)


def _joined(graph: Graph, parts: Iterable[Stretch]) -> Iterator[Stretch]:
    """Yield the stretches; what is fused into the operation before it is part of its stretch."""
    is_fused, inputs = fused(graph), len(graph.input_shapes)
    before: Stretch | None = None
    for part in parts:
        op = graph.ops[part.start]
        follows = is_fused[part.start] and op.inputs[:1] == (inputs + part.start - 1,)
        is_operation = part.stop == part.start + 1
        if before and follows and is_operation and before.frame == part.frame:
            before = before._replace(stop=part.stop, types=before.types + part.types)
        else:
            if before:
                yield before
            before = part
    if before:
        yield before


def _collapsed(graph: Graph, parts: Iterable[Stretch]) -> Iterator[Stretch]:
    """Yield the stretches, those in a row that are alike as one."""
    for _, group in groupby(parts, lambda part: _likeness(graph, part)):
        alike = list(group)
        yield alike[0]._replace(stop=alike[-1].stop, repeats=len(alike), last=alike[-1].name)


def _likeness(graph: Graph, part: Stretch) -> Any:
    """Return what two stretches that are alike have in common: all but paths and values."""
    ops = graph.ops[part.start : part.stop]
    return (
        part.types,
        part.frame,
        [(op.function, op.attributes, op.input_shapes, op.output_shape, op.params) for op in ops],
    )


class StretchCosts(NamedTuple):
    """What a stretch costs.

    ``moved_bytes`` are inputs, output and weights of each operation, once each, as in
    `LayerFigures`. ``alive_bytes`` is the most that is alive while the stretch runs, under a memory
    rule; None where the rule has no step in it.
    """

    stretch: Stretch
    output_shape: Shape
    params: int
    macs: int
    moved_bytes: int
    alive_bytes: int | None


def stretch_costs(
    graph: Graph, figures: Iterable[LayerFigures], rule: MemoryRule, dtype: str
) -> tuple[StretchCosts, ...]:
    """Return what each stretch of ``graph`` costs. ``figures`` are those of its layers."""
    of_op = {one.layer.op: one for one in figures if one.layer.op is not None}
    alive = {
        op: elements * ELEMENT_BYTES[dtype] for op, elements in timeline(rule, GraphInModel(graph))
    }
    return tuple(
        StretchCosts(
            part,
            graph.ops[part.stop - 1].output_shape,
            sum(one.layer.params for one in ones),
            sum(one.layer.macs for one in ones),
            sum(one.moved_bytes for one in ones),
            max((alive[op] for op in range(part.start, part.stop) if op in alive), default=None),
        )
        for part in stretches(graph)
        for ones in ([of_op[op] for op in range(part.start, part.stop)],)
    )


def total(costs: Sequence[StretchCosts]) -> StretchCosts:
    """Return what all stretches cost together: sums, and the peak."""
    first, last = costs[0], costs[-1]
    return StretchCosts(
        Stretch("total", first.stretch.start, last.stretch.stop),
        last.output_shape,
        sum(one.params for one in costs),
        sum(one.macs for one in costs),
        sum(one.moved_bytes for one in costs),
        max((one.alive_bytes for one in costs if one.alive_bytes is not None), default=None),
    )
