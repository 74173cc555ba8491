"""Every figure of every layer, and of the layers of a block, a stage or a kind together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from math import prod
from typing import Final, NamedTuple

from mbv2cli.plan.conventions import CONV_LINEAR, Convention, count_layer
from mbv2cli.plan.deployed_memory import FUSED
from mbv2cli.plan.geometry import geometries
from mbv2cli.plan.layers import Kind, Layer, Shape
from mbv2cli.plan.memory import ELEMENT_BYTES, MEMORY_RULES
from mbv2cli.plan.plan import Plan


class LayerFigures(NamedTuple):
    """A layer and what it costs.

    ``macs`` are those of a convention. ``moved_bytes`` are what an operation reads and writes,
    input, output and weights once each (0 where it is part of the convolution before it), and
    ``intensity`` its MACs (convolutions + linear) per such byte. The bytes named after a rule
    are what is alive meanwhile (None where the rule has no such step). From global pooling on,
    an element sees the whole input: receptive field, jump and output stride are None.
    """

    layer: Layer
    macs: int
    moved_bytes: int
    intensity: float | None
    layerwise_bytes: int | None
    inplace_depthwise_bytes: int | None
    eager_bytes: int | None
    training_bytes: int | None
    receptive_field: int | None = None
    jump: int | None = None
    output_stride: float | None = None


class GroupFigures(NamedTuple):
    """Layers taken together, containers not counted: sums, shares of the whole, and peaks.

    Output shape, receptive field, jump and output stride are those of the last layer; None
    for layers of a kind, which do not follow each other.
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
    receptive_field: int | None = None
    jump: int | None = None
    output_stride: float | None = None


class By(StrEnum):
    """What layers are taken together by."""

    BLOCK = "block"
    STAGE = "stage"
    KIND = "kind"


_GROUP_OF: Final[Mapping[By, Callable[[Layer], str]]] = {
    By.BLOCK: lambda layer: layer.block,
    By.STAGE: lambda layer: layer.stage,
    By.KIND: lambda layer: str(layer.role.kind),
}


def layer_figures(
    plan: Plan, dtype: str, convention: Convention = CONV_LINEAR
) -> tuple[LayerFigures, ...]:
    """Return the figures of each layer, containers among them."""
    size = ELEMENT_BYTES[dtype]
    timelines = zip(*(rule.timeline(plan) for rule in MEMORY_RULES), strict=True)
    rows = zip(plan.layers, timelines, geometries(plan.layers), strict=True)
    return tuple(
        LayerFigures(
            layer,
            count_layer(convention, layer),
            moved := _moved_elements(layer) * size,
            _intensity(layer.macs, moved),
            *(None if live is None else live * size for live in alive),
            *((*seen, plan.input_shape[2] / layer.output_shape[2]) if seen else ()),
        )
        for layer, alive, seen in rows
    )


def grouped(figures: Iterable[LayerFigures], by: By) -> tuple[GroupFigures, ...]:
    """Return the figures of the groups, in forward order; kinds in the order of `Kind`."""
    groups: dict[str, list[LayerFigures]] = {kind: [] for kind in Kind} if by is By.KIND else {}
    for one in figures:
        if not one.layer.is_container:
            groups.setdefault(_GROUP_OF[by](one.layer), []).append(one)
    sums = {name: _sum(name, members) for name, members in groups.items() if members}
    all_params = sum(group.params for group in sums.values())
    all_macs = sum(group.macs for group in sums.values())
    shared = {
        name: group._replace(
            params_share=group.params / all_params, macs_share=group.macs / all_macs
        )
        for name, group in sums.items()
    }
    if by is By.KIND:
        return tuple(shared.values())
    return tuple(_placed(group, groups[name][-1]) for name, group in shared.items())


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


def _moved_elements(layer: Layer) -> int:
    if layer.role in FUSED:
        return 0
    second_input = prod(layer.input_shape) if layer.role.kind is Kind.SHORTCUT else 0
    return prod(layer.input_shape) + second_input + prod(layer.output_shape) + layer.params


def _intensity(macs: int, moved_bytes: int) -> float | None:
    return macs / moved_bytes if moved_bytes else None


def _peak(live: Iterable[int | None]) -> int | None:
    return max((used for used in live if used is not None), default=None)
