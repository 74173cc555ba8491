"""How many bytes the weights take."""

from __future__ import annotations

from typing import Final

from mbv2cli.plan.layers import Layer, Role
from mbv2cli.plan.memory import ELEMENT_BYTES
from mbv2cli.plan.plan import Plan

INT32_BYTES: Final = 4


def weight_bytes(plan: Plan, dtype: str) -> int:
    """Return the bytes of all parameters, as they are trained."""
    return plan.totals.params * ELEMENT_BYTES[dtype]


def state_bytes(plan: Plan, dtype: str) -> int:
    """Return the bytes of parameters and of BatchNorm's statistics."""
    return (plan.totals.params + plan.totals.buffers) * ELEMENT_BYTES[dtype]


def flash_bytes(plan: Plan) -> int:
    """Return the bytes of int8 weights and int32 biases, BatchNorm folded into convolutions."""
    return sum(map(layer_flash_bytes, plan.layers))


def layer_flash_bytes(layer: Layer) -> int:
    """Return the same of one layer."""
    if layer.role is Role.NORM:  # its shift stays, as the convolution's bias
        return layer.params // 2 * INT32_BYTES
    bias = layer.output_shape[1] if layer.role is Role.CLASSIFIER else 0
    return layer.params - bias + bias * INT32_BYTES
