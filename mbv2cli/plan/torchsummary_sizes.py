"""torchsummary's own arithmetic of sizes, quirks and all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from mbv2cli.plan.layers import Layer, Shape
from mbv2cli.plan.torch_memory import IN_PLACE_ACTIVATIONS

BYTES_PER_ELEMENT = 4.0
"""torchsummary takes every element for a float32."""

MB = 1024**2
"""What torchsummary prints as MB is mebibytes."""


@dataclass(frozen=True, slots=True)
class TorchsummarySizes:
    """The closing figures of torchsummary in MB (2^20 bytes), not yet rounded.

    ``forward_backward_mb`` counts each row's output twice ("x2 for gradients"): a block's
    output again on top of its last layer's, in-place activations as new memory.
    """

    input_mb: float
    forward_backward_mb: float
    params_mb: float

    @property
    def total_mb(self) -> float:
        """Estimated total size."""
        return self.params_mb + self.forward_backward_mb + self.input_mb


@dataclass(frozen=True, slots=True)
class PassSize:
    """What is in torchsummary's "Forward/backward pass size" that takes no memory, in MB."""

    total_mb: float
    blocks_again_mb: float
    in_place_mb: float


def torchsummary_sizes(layers: Iterable[Layer], input_shape: Shape) -> TorchsummarySizes:
    """Return what torchsummary 1.5.1 makes of these layers; it sees no functional operation."""
    seen = [layer for layer in layers if not layer.is_functional]
    return TorchsummarySizes(
        input_mb=prod(input_shape) * BYTES_PER_ELEMENT / MB,
        forward_backward_mb=_twice_the_outputs(seen),
        params_mb=sum(layer.params for layer in seen) * BYTES_PER_ELEMENT / MB,
    )


def pass_size(layers: Iterable[Layer]) -> PassSize:
    """Return torchsummary 1.5.1's pass size, and what it counts that is no new memory.

    A block's row repeats its last layer's output; an in-place activation's that of its input.
    """
    seen = [layer for layer in layers if not layer.is_functional]
    return PassSize(
        total_mb=_twice_the_outputs(seen),
        blocks_again_mb=_twice_the_outputs(layer for layer in seen if layer.is_container),
        in_place_mb=_twice_the_outputs(
            layer for layer in seen if layer.type in IN_PLACE_ACTIVATIONS
        ),
    )


def _twice_the_outputs(layers: Iterable[Layer]) -> float:
    elements = sum(prod(layer.output_shape) for layer in layers)
    return 2.0 * elements * BYTES_PER_ELEMENT / MB
