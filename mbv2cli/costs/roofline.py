"""How many MACs each convolution and linear layer does for a byte that it moves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mbv2cli.costs.layers import LayerFigures
from mbv2cli.graph.rows import Kind, Layer


class Point(NamedTuple):
    """Layers of one kind with the same MACs and the same bytes moved, each of them.

    ``intensity`` is MACs per byte. Bytes moved are input, output and weights of a layer, once.
    """

    layers: tuple[Layer, ...]
    kind: Kind
    macs: int
    moved_bytes: int
    intensity: float

    @property
    def all_macs(self) -> int:
        """The MACs of all these layers."""
        return self.macs * len(self.layers)


class Side(NamedTuple):
    """Layers on one side of a ridge: how many, and their MACs."""

    layers: int
    macs: int


def left_of(ridge: float, every: Iterable[Point]) -> Side:
    """Return the layers with fewer MACs per byte than ``ridge``: they wait for memory."""
    left = [one for one in every if one.intensity < ridge]
    return Side(sum(len(one.layers) for one in left), sum(one.all_macs for one in left))


def points(figures: Iterable[LayerFigures]) -> tuple[Point, ...]:
    """Return the layers that have MACs, those with the most MACs together first."""
    alike: dict[tuple[Kind, int, int], list[Layer]] = {}
    for one in figures:
        if one.layer.macs and one.moved_bytes and one.layer.kind:
            key = (one.layer.kind, one.layer.macs, one.moved_bytes)
            alike.setdefault(key, []).append(one.layer)
    found = [
        Point(tuple(layers), kind, macs, moved, macs / moved)
        for (kind, macs, moved), layers in alike.items()
    ]
    return tuple(sorted(found, key=lambda point: -point.all_macs))
