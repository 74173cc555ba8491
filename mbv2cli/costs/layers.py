"""Every figure of every layer, and of the layers of a block, a stage or a kind together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from math import prod
from typing import Any, Final, NamedTuple

from mbv2cli.costs.conventions import CONV_LINEAR, Convention
from mbv2cli.costs.memory import ELEMENT_BYTES, MEMORY_RULES, fused, memory_use
from mbv2cli.costs.receptive_field import Pair, geometries
from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import Op, Shape
from mbv2cli.graph.rows import Kind, Layer


class LayerFigures(NamedTuple):
    """A layer and its figures.

    ``macs`` are those of a convention. ``moved_bytes`` are the bytes that an operation reads and
    writes: inputs, output and weights once each (0 where it is fused into the operation before
    it). ``intensity`` is MACs (convolutions + linear) per such byte. The bytes named after a
    memory rule are alive while the layer runs (None where the rule has no such step). Once an
    element sees the whole input, receptive field, jump and output stride are None.
    """

    layer: Layer
    macs: int
    moved_bytes: int
    intensity: float | None
    layerwise_bytes: int | None
    inplace_depthwise_bytes: int | None
    eager_bytes: int | None
    training_bytes: int | None
    receptive_field: Pair | None = None
    jump: Pair | None = None
    output_stride: float | None = None


class GroupFigures(NamedTuple):
    """Layers together, containers not counted: sums, shares of the whole, and peaks.

    Output shape, receptive field, jump and output stride are those of the last layer; None for
    the layers of a kind, which do not follow each other.
    """

    name: str
    layers: int
    output_shape: Shape | None
    params: int
    params_share: float
    macs: int
    macs_share: float
    moved_bytes: int
    intensity: float | None
    layerwise_bytes: int | None
    inplace_depthwise_bytes: int | None
    eager_bytes: int | None
    training_bytes: int | None
    receptive_field: Pair | None = None
    jump: Pair | None = None
    output_stride: float | None = None


class By(StrEnum):
    """What layers are grouped by."""

    BLOCK = "block"
    STAGE = "stage"
    KIND = "kind"


_GROUP_OF: Final[Mapping[By, Callable[[Layer], str]]] = {
    By.BLOCK: lambda layer: layer.block,
    By.STAGE: lambda layer: layer.stage,
    By.KIND: lambda layer: str(layer.kind),
}


def group_of(layer: Layer, by: By) -> str:
    """Return the name of the group that a layer is in."""
    return _GROUP_OF[by](layer)


def layer_figures(
    graph: Graph, layers: Iterable[Layer], dtype: str, convention: Convention = CONV_LINEAR
) -> tuple[LayerFigures, ...]:
    """Return the figures of each of the ``layers`` of ``graph``, containers among them."""
    of_ops = tuple(_op_figures(graph, ELEMENT_BYTES[dtype], convention))
    found: list[LayerFigures] = []
    for layer in layers:
        if layer.op is not None:
            found.append(LayerFigures(layer, *of_ops[layer.op]))
        else:  # an element of its output sees what its last operation's does
            seen = found[-1][-3:] if found else ()
            found.append(LayerFigures(layer, 0, 0, None, None, None, None, None, *seen))
    return tuple(found)


def _op_figures(graph: Graph, size: int, convention: Convention) -> Iterable[tuple[Any, ...]]:
    """Yield the fields of `LayerFigures` after the first, operation by operation."""
    timelines = [dict(memory_use(rule, graph).steps) for rule in MEMORY_RULES]
    height = graph.input_shapes[0][-2] if len(graph.input_shapes[0]) > 2 else 1  # noqa: PLR2004
    rows = zip(graph.ops, fused(graph), geometries(graph), strict=True)
    for index, (op, is_fused, seen) in enumerate(rows):
        moved = 0 if is_fused else _moved_elements(op) * size
        alive = (one[index] * size if index in one else None for one in timelines)
        where = (*seen, height / op.output_shape[-2]) if seen else (None, None, None)
        yield (convention.of(op), moved, _intensity(op.macs, moved), *alive, *where)


def _moved_elements(op: Op) -> int:
    return sum(map(prod, op.input_shapes)) + prod(op.output_shape) + op.params


def grouped(figures: Iterable[LayerFigures], by: By) -> tuple[GroupFigures, ...]:
    """Return the figures of the groups, in forward order; kinds in the order of `Kind`."""
    groups: dict[str, list[LayerFigures]] = {kind: [] for kind in Kind} if by is By.KIND else {}
    for one in figures:
        if not one.layer.is_container:
            groups.setdefault(group_of(one.layer, by), []).append(one)
    sums = {name: _sum(name, members) for name, members in groups.items() if members}
    all_params = sum(group.params for group in sums.values())
    all_macs = sum(group.macs for group in sums.values())
    shared = {
        name: group._replace(
            params_share=_share(group.params, all_params), macs_share=_share(group.macs, all_macs)
        )
        for name, group in sums.items()
    }
    if by is By.KIND:
        return tuple(shared.values())
    return tuple(_placed(group, groups[name][-1]) for name, group in shared.items())


def _share(part: int, whole: int) -> float:
    """Return a share; 0 where the model has nothing to share, such as an activation alone."""
    return part / whole if whole else 0.0


def whole(figures: Iterable[LayerFigures]) -> GroupFigures:
    """Return the figures of all layers as one group, ``total``."""
    return _sum("total", [one for one in figures if not one.layer.is_container])


def _sum(name: str, members: Sequence[LayerFigures]) -> GroupFigures:
    moved = sum(one.moved_bytes for one in members)
    return GroupFigures(
        name=name,
        layers=len(members),
        output_shape=None,
        params=sum(one.layer.params for one in members),
        params_share=1.0,
        macs=sum(one.macs for one in members),
        macs_share=1.0,
        moved_bytes=moved,
        intensity=_intensity(sum(one.layer.macs for one in members), moved),
        layerwise_bytes=_peak(one.layerwise_bytes for one in members),
        inplace_depthwise_bytes=_peak(one.inplace_depthwise_bytes for one in members),
        eager_bytes=_peak(one.eager_bytes for one in members),
        training_bytes=_peak(one.training_bytes for one in members),
    )


def _placed(group: GroupFigures, last: LayerFigures) -> GroupFigures:
    return group._replace(
        output_shape=last.layer.output_shape,
        receptive_field=last.receptive_field,
        jump=last.jump,
        output_stride=last.output_stride,
    )


def _intensity(macs: int, moved_bytes: int) -> float | None:
    return macs / moved_bytes if moved_bytes else None


def _peak(live: Iterable[int | None]) -> int | None:
    return max((used for used in live if used is not None), default=None)
