"""What a forward pass tells: records without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TorchsummaryRow:
    """A row of torchsummary's table: ``Conv2d-1``, the output shape, the parameters."""

    name: str
    output_shape: Shape
    params: int


@dataclass(frozen=True, slots=True)
class TorchsummaryTable:
    """What torchsummary printed, as text and as data. Sizes are in MB, rounded to 0.01."""

    text: str
    rows: tuple[TorchsummaryRow, ...]
    params: int
    trainable_params: int
    non_trainable_params: int
    input_mb: float
    forward_backward_mb: float
    params_mb: float
    total_mb: float


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """One call of a module, as a hook saw it. ``macs`` are those of the whole batch."""

    path: str
    type: str
    input_shape: Shape
    output_shape: Shape
    params: int
    trainable_params: int
    buffers: int
    macs: int


@dataclass(frozen=True, slots=True)
class ForwardRun:
    """One dummy forward pass: where and how it ran, and what was seen.

    ``calls`` and ``table.rows`` are in the same order, one for one.
    """

    device: str
    dtype: str
    output_shape: Shape
    calls: tuple[ModuleCall, ...]
    table: TorchsummaryTable
