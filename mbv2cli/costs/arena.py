"""The arena of TensorFlow Lite Micro: where its memory planner puts each buffer.

The planner is ``GreedyMemoryPlanner`` of tensorflow/tflite-micro: the largest buffer first, each
in the first gap that is large enough. Sizes and offsets are in bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain
from typing import Final, NamedTuple

from mbv2cli.costs.int8_graph import MULTIPLYING, Int8Graph

ALIGNMENT: Final = 16

CHANNEL_BYTES: Final = 8
"""A multiplier and a shift of int32 for each output channel (ConvPrepare of tflite-micro)."""
_OP_BYTES: Final = 256
_OTHER_BYTES: Final = 1024


class Buffer(NamedTuple):
    """What is placed: the result of an operation, an input, or what a kernel needs meanwhile.

    ``op`` is the index of the int8 operation; None for an input of the model. The buffer is
    needed from moment ``first`` to moment ``last``: 0 is before the first operation, which runs
    at moment 1.
    """

    op: int | None
    size: int
    first: int
    last: int
    is_scratch: bool = False


class Placement(NamedTuple):
    """A buffer and its offset in the arena."""

    buffer: Buffer
    offset: int

    @property
    def end(self) -> int:
        """The offset of the first byte after the buffer."""
        return self.offset + self.buffer.size


class PersistentData(NamedTuple):
    """Bytes that TFLM keeps beside the arena: at least and at most so many."""

    least: int
    most: int


@dataclass(frozen=True)
class Arena:
    """Every buffer of a graph in its place, in the order of the file, scratch buffers last."""

    graph: Int8Graph
    placements: tuple[Placement, ...]

    @cached_property
    def size(self) -> int:
        """Bytes of the whole arena: what TFLM calls the head."""
        return max((one.end for one in self.placements), default=0)

    @cached_property
    def alive(self) -> tuple[int, ...]:
        """Bytes of the buffers that are needed at each moment."""
        changes = [0] * (len(self.graph.ops) + 2)
        for buffer, _ in self.placements:
            changes[buffer.first] += buffer.size
            changes[buffer.last + 1] -= buffer.size
        return tuple(accumulate(changes[:-1]))

    @property
    def live_peak(self) -> int:
        """The most bytes that are needed at one moment."""
        return max(self.alive)

    @property
    def fragmentation(self) -> int:
        """Bytes that the arena has beside those needed at the peak."""
        return self.size - self.live_peak

    @property
    def pad_cost(self) -> int:
        """Bytes that all PAD operations add to the arena."""
        graph = self.graph
        for pad in reversed(graph.pads):
            graph = graph.without(pad)
        return self.size - arena_of(graph).size

    def cost_of_pad(self, pad: int) -> int:
        """Return the bytes that one PAD operation adds to the arena."""
        return self.size - arena_of(self.graph.without(pad)).size


def arena_of(graph: Int8Graph) -> Arena:
    """Return the arena of an int8 graph whose operations are all known."""
    buffers = tuple(_buffers(graph))
    return Arena(graph, tuple(map(Placement, buffers, _offsets(buffers))))


def least_size(graph: Int8Graph) -> int:
    """Return bytes that the arena has at least, where operations are not known.

    Input and result of a convolution or a linear layer are there while it runs.
    """
    sizes = (*graph.input_sizes, *(op.size for op in graph.ops))
    pairs = (
        sum(_aligned(sizes[one]) for one in op.inputs) + _aligned(op.size)
        for op in graph.ops
        if op.name in MULTIPLYING
    )
    return max(pairs, default=0)


def persistent_data(graph: Int8Graph) -> PersistentData:
    """Return what TFLM keeps beside the arena: its persistent data.

    The part for channels is the same on every target. The part for operations and tensors has
    pointers: no more was measured on a machine of 64 bits, with the reference kernels.
    """
    least = CHANNEL_BYTES * sum(op.channels for op in graph.ops)
    return PersistentData(least, least + _OP_BYTES * len(graph.ops) + _OTHER_BYTES)


def _buffers(graph: Int8Graph) -> Iterator[Buffer]:
    """Yield the buffers in the order in which the planner is told of them.

    That is the order of the tensors in the file: the quantizer numbers its own after the others.
    """
    inputs = len(graph.input_sizes)
    last = [0] * inputs + [index + 1 for index in range(len(graph.ops))]
    for moment, op in enumerate(graph.ops, start=1):
        for tensor in op.inputs:
            last[tensor] = moment
    for tensor in graph.outputs:
        last[tensor] = len(graph.ops)
    for number, size in enumerate(graph.input_sizes):
        yield Buffer(None, _aligned(size), 0, last[number])
    for inserted in (False, True):
        for index, op in enumerate(graph.ops):
            if op.is_inserted is inserted:
                yield Buffer(index, _aligned(op.size), index + 1, last[inputs + index])
    for index, op in enumerate(graph.ops):
        for size in op.scratch:
            yield Buffer(index, _aligned(size), index + 1, index + 1, is_scratch=True)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _offsets(buffers: Sequence[Buffer]) -> list[int]:
    """Return the offset of each buffer.

    Of buffers of the same size the planner places the one that it was told of last first.
    """
    offsets = [0] * len(buffers)
    # offset and end of each placed buffer, at every moment at which the buffer is needed
    placed: list[list[tuple[int, int]]] = [[] for _ in range(_moments(buffers))]
    order = sorted(range(len(buffers)), key=lambda one: (-buffers[one].size, -one))
    for number in order:
        _, size, first, last, _ = buffers[number]
        meanwhile = placed[first : last + 1]
        offset = 0
        for start, end in sorted(chain.from_iterable(meanwhile)):
            if start - offset >= size:
                break
            offset = max(offset, end)
        offsets[number] = offset
        for moment in meanwhile:
            moment.append((offset, offset + size))
    return offsets


def _moments(buffers: Sequence[Buffer]) -> int:
    """Return the number of moments up to the last at which a buffer is needed."""
    return max((one.last for one in buffers), default=0) + 1
