"""One row of the plan: a module or a functional operation, and what it costs."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, TypeAlias

Shape: TypeAlias = tuple[int, ...]
"""Sizes, batch first: (batch, channels, height, width) or (batch, features)."""


class Role(StrEnum):
    """What a layer is there for."""

    STEM = "stem"
    EXPANSION = "expansion"
    DEPTHWISE = "depthwise"
    PROJECTION = "projection"
    HEAD = "head"
    CLASSIFIER = "classifier"
    NORM = "norm"
    ACTIVATION = "activation"
    SHORTCUT = "shortcut"
    POOL = "pool"
    FLATTEN = "flatten"
    DROPOUT = "dropout"
    BLOCK = "block"


class Layer(NamedTuple):
    """A layer in forward order. A container (role ``block``) comes after what it holds.

    ``name`` is torchsummary's (``Conv2d-1``), or None for a functional operation, which
    torchsummary cannot see; ``path`` is the module's, or for a functional operation that of
    the module that runs it. ``kernel``, ``stride``, ``dilation`` and ``groups`` are None where
    they have no meaning. ``params`` and ``buffers`` count elements; ``macs`` are those of the
    whole batch. ``shortcut_shape`` is that of a block's input, while it waits for the shortcut
    beside this layer's own input and output.

    (A plan makes hundreds of these: a NamedTuple costs a third of a frozen dataclass.)
    """

    name: str | None
    path: str
    type: str
    role: Role
    input_shape: Shape
    output_shape: Shape
    kernel: int | None = None
    stride: int | None = None
    dilation: int | None = None
    groups: int | None = None
    params: int = 0
    trainable_params: int = 0
    buffers: int = 0
    macs: int = 0
    shortcut_shape: Shape | None = None

    @property
    def is_functional(self) -> bool:
        """Whether the operation is no module."""
        return self.name is None

    @property
    def is_container(self) -> bool:
        """Whether the row stands for the layers before it whose path it starts."""
        return self.role is Role.BLOCK
