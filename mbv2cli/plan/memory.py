"""How many bytes a forward pass holds at its worst moment."""

from __future__ import annotations

from math import prod

from mbv2cli.plan.layers import Layer
from mbv2cli.plan.plan import Plan


def forward_bytes(plan: Plan, element_bytes: int) -> int:
    """Return the bytes of weights, network input and the worst operation of a forward pass.

    An operation holds its input, its output and, inside a block with a shortcut, the block's
    input. What the device's libraries take as workspace is not in it.
    """
    weights = plan.totals.params + plan.totals.buffers
    peak = max(_live_elements(layer) for layer in plan.layers)
    return (weights + prod(plan.input_shape) + peak) * element_bytes


def _live_elements(layer: Layer) -> int:
    shortcut = prod(layer.shortcut_shape) if layer.shortcut_shape else 0
    return prod(layer.input_shape) + prod(layer.output_shape) + shortcut
