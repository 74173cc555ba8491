"""How many bytes a forward pass holds at its worst moment."""

from __future__ import annotations

from math import prod
from typing import Final

from mbv2cli.plan.layers import Layer
from mbv2cli.plan.plan import Plan

ELEMENT_BYTES: Final = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int8": 1}
"""Bytes of one element, by dtype."""


def forward_bytes(plan: Plan, dtype: str) -> int:
    """Return the bytes of weights, network input and the worst operation of a forward pass.

    An operation holds its input, its output and, inside a block with a shortcut, the block's
    input. What the device's libraries take as workspace is not in it.
    """
    weights = plan.totals.params + plan.totals.buffers
    peak = max(_live_elements(layer) for layer in plan.layers)
    return (weights + prod(plan.input_shape) + peak) * ELEMENT_BYTES[dtype]


def _live_elements(layer: Layer) -> int:
    shortcut = prod(layer.shortcut_shape) if layer.shortcut_shape else 0
    return prod(layer.input_shape) + prod(layer.output_shape) + shortcut
