"""One row of the plan: a module or a functional operation, and what it costs."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

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

    @property
    def kind(self) -> Kind | None:
        """The kind of operation; None for a container, which is none."""
        return _KIND_OF.get(self)


class Kind(StrEnum):
    """What an operation is like, whatever it is there for."""

    STEM = "stem"
    POINTWISE = "pointwise"
    DEPTHWISE = "depthwise"
    LINEAR = "linear"
    NORM = "norm"
    ACTIVATION = "activation"
    SHORTCUT = "shortcut"
    POOLING = "pooling"
    DROPOUT = "dropout"


_KIND_OF: Final = {
    Role.STEM: Kind.STEM,
    Role.EXPANSION: Kind.POINTWISE,
    Role.DEPTHWISE: Kind.DEPTHWISE,
    Role.PROJECTION: Kind.POINTWISE,
    Role.HEAD: Kind.POINTWISE,
    Role.CLASSIFIER: Kind.LINEAR,
    Role.NORM: Kind.NORM,
    Role.ACTIVATION: Kind.ACTIVATION,
    Role.SHORTCUT: Kind.SHORTCUT,
    Role.POOL: Kind.POOLING,
    Role.FLATTEN: Kind.POOLING,
    Role.DROPOUT: Kind.DROPOUT,
}


_MULTIPLY: Final = frozenset({Kind.STEM, Kind.POINTWISE, Kind.DEPTHWISE, Kind.LINEAR})


class Layer(NamedTuple):
    """A layer in forward order. A container (role ``block``) comes after what it holds.

    ``name`` is torchsummary's (``Conv2d-1``), or None for a functional operation, which
    torchsummary cannot see; ``path`` is the module's, or for a functional operation that of
    the module that runs it. ``kernel``, ``stride``, ``dilation`` and ``groups`` are None where
    they have no meaning. ``params`` and ``buffers`` count elements; ``macs`` are those of the
    whole batch. ``shortcut_shape`` is that of a block's input, while it waits for the shortcut
    beside this layer's own input and output; ``keeps_input`` tells that this layer's own input
    is what waits from here on.

    ``stage`` is ``stem``, ``s1`` … (the rows of the paper's Table 2), ``head`` or
    ``classifier``, or ``block`` where a block is all there is; ``block`` is the path of the
    part of the network that the layer is in (``features.3``).

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
    keeps_input: bool = False
    stage: str = ""
    block: str = ""

    @property
    def is_functional(self) -> bool:
        """Whether the operation is no module."""
        return self.name is None

    @property
    def multiplies(self) -> bool:
        """Whether it is a convolution or a linear layer."""
        return self.role.kind in _MULTIPLY

    @property
    def is_container(self) -> bool:
        """Whether the row stands for the layers before it whose path it starts."""
        return self.role is Role.BLOCK
