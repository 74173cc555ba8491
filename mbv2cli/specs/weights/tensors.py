"""What is read of a checkpoint, and the bounds of every reader."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

MAX_TENSORS: Final = 50_000
"""More than any network of mbv2 has: the largest has 18,000 tensors."""

MAX_STEPS: Final = 250_000
"""Most instructions, fields or objects of a file: reading so many takes up to a second."""

MAX_NAME: Final = 1_024
"""Most characters of the name of a tensor."""

MAX_TEXT: Final = 8 * 2**20
"""Most characters of all names."""

MAX_DEPTH: Final = 32
"""Most containers within each other."""


class BrokenFileError(Exception):
    """A file that is not what it starts like. The message is the end of "FILE cannot be read: "."""


class Layout(Enum):
    """The axes of a kernel, in their order: output, input, height, width."""

    OIHW = "PyTorch and ONNX"
    HWIO = "Keras"


class Tensor(NamedTuple):
    """A tensor: its name, its shape, and its element type such as ``float32``.

    ``operation`` is the number of the operation that takes it; None if the file has no graph.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    operation: int | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """The tensors of a file in the order of the file, or of the operations that take them.

    The kernel of a linear layer has the axes output, input in a file of PyTorch and of ONNX.
    ``format`` is such as ``PyTorch zip archive``. ``operations`` are the kinds of the operations
    of a graph with the number of each; () if the file has no graph.
    """

    format: str
    tensors: tuple[Tensor, ...]
    layout: Layout = Layout.OIHW
    operations: tuple[tuple[str, int], ...] = ()


def text_of(content: bytes) -> str:
    """Return the name that a file holds. Raises `BrokenFileError` for what is not UTF-8."""
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise BrokenFileError("a name in it is not UTF-8 text") from None


def checked_shape(sizes: object) -> tuple[int, ...]:
    """Return the sizes of a tensor. Raises `BrokenFileError` unless each is a size."""
    if not isinstance(sizes, (tuple, list)) or len(sizes) > MAX_DEPTH:
        raise BrokenFileError("a tensor in it has no shape")
    for size in sizes:
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**48:
            raise BrokenFileError("a tensor in it has no shape")
    return tuple(sizes)
