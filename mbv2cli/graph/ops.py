"""Each kind of operation: its attributes, and its rules for shape, parameters and MACs.

Every rule is made of ``+ - * //`` alone, so that it serves numbers and arrays of numbers alike:
one model, or the candidates of a search.
"""

from __future__ import annotations

from enum import StrEnum
from math import prod
from typing import Any, NamedTuple, TypeAlias

Shape: TypeAlias = tuple[int, ...]
"""Sizes, batch first: (batch, channels, height, width) or (batch, features)."""

Sides: TypeAlias = tuple[int, ...]
"""One number for each spatial dimension: (height, width)."""


class Kind(StrEnum):
    """What an operation does."""

    CONV = "conv"
    NORM = "norm"
    ACT = "act"
    ADD = "add"
    MUL = "mul"
    POOL = "pool"
    LINEAR = "linear"
    CAT = "cat"
    RESHAPE = "reshape"
    DROPOUT = "dropout"
    PAD = "pad"
    CONSTANT = "constant"
    UNKNOWN = "unknown"


class Conv(NamedTuple):
    """A convolution. The weights are (out, in ÷ groups, *kernel)."""

    kernel: Sides
    stride: Sides = (1, 1)
    padding: Sides | str = (0, 0)
    dilation: Sides = (1, 1)
    groups: int = 1
    bias: bool = False
    arguments: str = ""


class Norm(NamedTuple):
    """A batch normalisation in eval mode, unless it uses the statistics of the batch."""

    eps: float = 1e-5
    momentum: float | None = 0.1
    affine: bool = True
    batch_statistics: bool = False
    arguments: str = ""


class Act(NamedTuple):
    """An activation. ``parameter`` is the negative slope of a leaky ReLU, or GELU's formula."""

    inplace: bool = False
    parameter: float | str | None = None
    arguments: str = ""


class Pool(NamedTuple):
    """A pooling: adaptive ones have an ``output`` size, the others a kernel.

    ``dilation`` is None where the elements of a window are next to each other.
    """

    output: tuple[int | None, ...] | None = None
    kernel: Sides | None = None
    stride: Sides | None = None
    padding: Sides | None = None
    dilation: Sides | None = None
    arguments: str = ""


class Linear(NamedTuple):
    """A fully connected layer."""

    bias: bool = True
    arguments: str = ""


class Dropout(NamedTuple):
    """A dropout. It does nothing in eval mode (``training`` false)."""

    p: float = 0.5
    inplace: bool = False
    training: bool = False
    arguments: str = ""


class Arithmetic(NamedTuple):
    """An addition or multiplication of values, or of a value and a ``number``.

    The ``number`` of two values is the factor of the second, if it is not 1.
    """

    inplace: bool = False
    number: float | None = None
    arguments: str = ""


class Rearrangement(NamedTuple):
    """A concatenation or reshape: its further arguments as text; whether it is a view."""

    arguments: str = ""
    view: bool = False


class Pad(NamedTuple):
    """A padding: elements before and after each dimension, last dimension first, as in torch."""

    sides: tuple[int, ...]
    mode: str = "constant"
    value: float = 0
    arguments: str = ""


class Plain(NamedTuple):
    """An operation of which only the name, the shapes and the arguments are known.

    Its weights may be ``packed``, as those of a quantised layer: no parameters, and nobody counts
    them.
    """

    inplace: bool = False
    packed: bool = False
    arguments: str = ""


Attributes: TypeAlias = (
    Conv | Norm | Act | Pool | Linear | Dropout | Arithmetic | Rearrangement | Pad | Plain
)
"""All have ``arguments``: as text what no field of theirs says, without what is at its default."""


class Op(NamedTuple):
    """One operation: what it is, the values that go in, and what it costs.

    ``function`` is torch's name (``conv2d``, ``relu6``, ``adaptive_avg_pool2d``). ``inputs`` are
    numbers of values. ``path`` and ``type`` are those of the module whose only operation it is;
    for any other operation ``type`` is empty and ``path`` is that of the module which runs it.
    ``params`` and ``buffers`` count elements, ``macs`` those of the whole batch.

    (A graph has hundreds of operations: a NamedTuple costs a third of a frozen dataclass.)
    """

    kind: Kind
    function: str
    attributes: Attributes
    inputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    path: str = ""
    type: str = ""
    params: int = 0
    trainable_params: int = 0
    buffers: int = 0
    macs: int = 0

    @property
    def is_functional(self) -> bool:
        """Whether the operation is no module of its own."""
        return not self.type

    @property
    def multiplies(self) -> bool:
        """Whether it is a convolution or a linear layer."""
        return self.kind is Kind.CONV or self.kind is Kind.LINEAR

    @property
    def packed(self) -> bool:
        """Whether its weights are packed, so that nobody counts them."""
        return getattr(self.attributes, "packed", False)

    @property
    def inplace(self) -> bool:
        """Whether it writes its result over its first input."""
        return getattr(self.attributes, "inplace", False)


def same_padding(kernel: int, dilation: int) -> int:
    """Return the padding on each side that keeps "same" geometry for an odd ``kernel``."""
    return dilation * (kernel - 1) // 2


def conv_side(side: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Return an output side of a convolution (the formula of torch.nn.Conv2d)."""
    return (side + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def tensorflow_padding(side: int, kernel: int, stride: int, dilation: int) -> int:
    """Return the padding of both ends together by which an output side is ⌈side ÷ stride⌉.

    TensorFlow puts half of it before, rounded down, and the rest after (its "SAME" padding).
    """
    outputs = (side + stride - 1) // stride
    needed = (outputs - 1) * stride + dilation * (kernel - 1) + 1 - side
    return larger(needed, 0)  # type: ignore[no-any-return]  # as the sides are: numbers or arrays


def conv_weights(in_channels: int, out_channels: int, kernel: Sides, groups: int) -> int:
    """Return the weights of a convolution."""
    return out_channels * (in_channels // groups) * prod(kernel)


def conv_macs(positions: int, weights: int) -> int:
    """Return the multiply–accumulates of a convolution, its bias not counted.

    ``positions`` is batch × output height × output width. Padding counts as data, as every
    counter has it (paper, section 3.1).
    """
    return positions * weights


def linear_params(in_features: int, out_features: int, biases: int = 1) -> int:
    """Return the weights and biases of a fully connected layer; ``biases`` 0 has none."""
    return out_features * in_features + out_features * biases


def linear_macs(rows: int, in_features: int, out_features: int) -> int:
    """Return the multiply–accumulates of a fully connected layer, its bias not counted.

    ``rows`` is the batch, times any further dimensions but the last.
    """
    return rows * out_features * in_features


def norm_params(channels: int) -> int:
    """Return the weights and biases of BatchNorm."""
    return 2 * channels


def norm_buffers(channels: int) -> int:
    """Return the running means and variances of BatchNorm, and its count of batches."""
    return 2 * channels + 1


def larger(one: Any, other: Any) -> Any:
    """Return the larger of two numbers, or of each pair of two arrays."""
    return one * (one >= other) + other * (one < other)
