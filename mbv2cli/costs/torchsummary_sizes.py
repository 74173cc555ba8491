"""torchsummary's own arithmetic of sizes, with its quirks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import Shape

BYTES_PER_ELEMENT = 4.0
"""torchsummary takes every element for a float32."""

MB = 1024**2
"""What torchsummary prints as MB is mebibytes."""


@dataclass(frozen=True, slots=True)
class TorchsummarySizes:
    """The closing figures of torchsummary in MB (2^20 bytes), not yet rounded.

    ``forward_backward_mb`` counts the output of each row twice ("x2 for gradients"): a block's
    output again beside the output of its last layer, in-place activations as new memory.
    """

    input_mb: float
    forward_backward_mb: float
    params_mb: float

    @property
    def total_mb(self) -> float:
        """Estimated total size."""
        return self.params_mb + self.forward_backward_mb + self.input_mb

    @property
    def titled(self) -> tuple[tuple[str, float], ...]:
        """The closing figures under torchsummary's titles, in its order."""
        return (
            ("Input size (MB)", self.input_mb),
            ("Forward/backward pass size (MB)", self.forward_backward_mb),
            ("Params size (MB)", self.params_mb),
            ("Estimated Total Size (MB)", self.total_mb),
        )


@dataclass(frozen=True, slots=True)
class PassSize:
    """torchsummary's "Forward/backward pass size" in MB, and what in it takes no memory."""

    total_mb: float
    blocks_again_mb: float
    in_place_mb: float


def torchsummary_sizes(graph: Graph) -> TorchsummarySizes:
    """Return torchsummary 1.5.1's figures of ``graph``; it sees no functional operation."""
    params = sum(op.params for op in graph.ops if not op.is_functional)
    return TorchsummarySizes(
        input_mb=prod(graph.input_shapes[0]) * BYTES_PER_ELEMENT / MB,
        forward_backward_mb=pass_size(graph).total_mb,
        params_mb=params * BYTES_PER_ELEMENT / MB,
    )


def pass_size(graph: Graph) -> PassSize:
    """Return torchsummary 1.5.1's pass size, and what it counts that is not new memory.

    A block's row repeats the output of its last layer; the row of an in-place activation repeats
    its input.
    """
    modules = [op for op in graph.ops if not op.is_functional]
    blocks = _elements(
        graph.shapes[scope.outputs[0]]
        for scope in graph.scopes
        if scope.path and not scope.is_sequential
    )
    in_place = _elements(
        op.output_shape for op in modules if op.inplace or op.function == "identity"
    )
    every = _elements(op.output_shape for op in modules) + blocks
    return PassSize(*map(_twice_in_mb, (every, blocks, in_place)))


def _elements(shapes: Iterable[Shape]) -> int:
    return sum(map(prod, shapes))


def _twice_in_mb(elements: int) -> float:
    return 2.0 * elements * BYTES_PER_ELEMENT / MB
