"""The memory of a deployed network: BatchNorm and activation are part of their convolution."""

from __future__ import annotations

from math import prod
from typing import Final

from mbv2cli.plan.layers import Layer, Role

FUSED: Final = frozenset({Role.NORM, Role.ACTIVATION, Role.DROPOUT, Role.FLATTEN, Role.BLOCK})
"""Layers that are no operation of their own once deployed."""


def layerwise(layer: Layer) -> int | None:
    """Return an operation's input and output, and a shortcut that waits beside them.

    What mcunet's ``count_peak_activation_size`` counts.
    """
    return None if layer.role in FUSED else _in_and_out(layer)


def inplace_depthwise(layer: Layer) -> int | None:
    """Return the same with depthwise convolutions overwriting their input.

    They can at any stride, for "same" padding never makes the output larger; not where a
    shortcut needs the input (MCUNetV2's figures, TinyEngine's kernels; the buffer of a channel
    that those add is not counted).
    """
    if layer.role is Role.DEPTHWISE and not layer.keeps_input:
        return prod(layer.input_shape) + _shortcut(layer)
    return layerwise(layer)


def _in_and_out(layer: Layer) -> int:
    return prod(layer.input_shape) + prod(layer.output_shape) + _shortcut(layer)


def _shortcut(layer: Layer) -> int:
    return prod(layer.shortcut_shape) if layer.shortcut_shape else 0
