"""What part of the input an output element sees."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from mbv2cli.plan.layers import Layer, Role

_WHOLE_INPUT = frozenset({Role.POOL, Role.FLATTEN, Role.DROPOUT, Role.CLASSIFIER})
"""Layers from global pooling on: each element sees everything."""


class Geometry(NamedTuple):
    """Of a layer's output, each side alike, in input pixels.

    ``receptive_field`` is the side that one element sees, padding included, and ``jump`` the
    distance between neighbours: the product of the strides so far.
    """

    receptive_field: int
    jump: int


PIXEL: Final = Geometry(receptive_field=1, jump=1)
"""What an element of the network's own input sees."""


def geometries(layers: Iterable[Layer], before: Geometry = PIXEL) -> tuple[Geometry | None, ...]:
    """Return the geometry of each layer, None from global pooling on.

    ``before`` is that of what goes into the first.

    A convolution sees (kernel - 1) × dilation × jump pixels more than its input (Araujo et al.,
    "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019). A shortcut
    changes nothing: it joins a branch that sees at least as much, at the same jump.
    """
    field, jump = before
    found: list[Geometry | None] = []
    for layer in layers:
        if layer.role in _WHOLE_INPUT:
            found.append(None)
            continue
        if (
            layer.kernel is not None and layer.stride is not None and layer.dilation is not None
        ):  # told by None: sides may be arrays
            field += (layer.kernel - 1) * layer.dilation * jump
            jump *= layer.stride
        found.append(Geometry(field, jump))
    return tuple(found)
