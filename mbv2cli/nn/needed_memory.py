"""How much memory a forward pass needs at most, beside what this process has by now.

The values that live at each moment are those of the rule ``eager``. On top comes what only a
measurement tells: the code that PyTorch loads and generates, and the workspace of convolutions.
Held to measured peaks by ``python -m tests.nn.forward_memory``.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from math import prod
from typing import Final, NamedTuple

import torch

from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import Conv, Kind, Op, Shape

_MIB: Final = 2**20
_START: Final = 22 * _MIB
"""Code and tables that the first forward pass loads; measured: 16 to 19 MiB, of which 2 MiB are
for squeeze-excite."""

_PER_CONVOLUTION: Final = _MIB // 6
"""Code that is generated for a convolution, and what is known of it; measured: up to 0.12 MiB."""

_PER_TAP: Final = 10 * 2**10
"""The same for each further element of a kernel, in float16; measured: up to 8 KiB."""

_PER_THREAD: Final = 8 * _MIB
_CHANNEL_BLOCK: Final = 16
"""Channels that oneDNN keeps together with AVX-512; fewer with other instructions."""

_SLACK: Final = 1.12
"""For gaps between what lives on the heap; measured: up to 1.09."""

_LARGEST_ON_HEAP: Final = 32 * _MIB
"""The GNU C library takes larger tensors from the machine, and gives them back at once."""

_GPU_START: Final = 512 * _MIB
"""Libraries and kernels that the first convolution of a process loads onto a GPU. Not measured."""


class Way(Enum):
    """How PyTorch runs a convolution on a CPU."""

    BLOCKED = "oneDNN: copies of input, weights and output in its own order of elements"
    UNFOLDED = "a matrix with every window of the input, for the whole batch"
    UNFOLDED_BY_SAMPLE = "the same for one sample after the other"


_WAYS: Final = {
    "Mkldnn": (Way.BLOCKED,),
    "Slow2d": (Way.UNFOLDED,),
    "SlowDilated2d": (Way.UNFOLDED_BY_SAMPLE,),
}
"""By the name of PyTorch's ConvBackend."""


class Needed(NamedTuple):
    """Upper bounds in bytes: on the machine (``host``), and on a GPU with memory of its own.

    ``workspace`` is the part of them that one convolution needs beside its input and result.
    """

    host: int
    gpu: int
    workspace: int


class _Moment(NamedTuple):
    """The worst moment of a forward pass: all bytes then, the workspace among them."""

    total: int
    workspace: int


def needed_memory(
    graph: Graph,
    steps: Iterable[tuple[int, int]],
    dtype: torch.dtype,
    device: torch.device,
    threads: int,
) -> Needed:
    """Return what a forward pass needs at most.

    ``steps`` has each operation's index and the elements alive while it runs. Weights and input
    are drawn in float32 on the CPU, on meta nowhere. torchsummary draws an input of two samples,
    always on the CPU.
    """
    (input_shape,) = graph.input_shapes
    own_input = 2 * prod(input_shape[1:]) * torch.float32.itemsize
    if device.type == "meta":
        return Needed(own_input, 0, 0)
    state = sum(op.params + op.buffers for op in graph.ops)
    drawn_input = _drawn(prod(input_shape), dtype)
    worst = _worst_moment(graph, steps, dtype, device)
    running = state * dtype.itemsize + worst.total
    start = _START + _code(graph, dtype) + _PER_THREAD * (threads - 1)
    if device.type == "cpu":
        after_building = max(state * dtype.itemsize + drawn_input, own_input + running)
        host = max(_while_built(graph, state, dtype), after_building)
        return Needed(start + int(_SLACK * host), 0, worst.workspace)
    host = max(_while_built(graph, state, dtype), own_input + drawn_input)
    if device.type == "cuda":
        gpu = _GPU_START + int(_SLACK * running)
        return Needed(start + int(_SLACK * host), gpu, worst.workspace)
    # mps: CPU and GPU share the memory of the machine
    return Needed(start + int(_SLACK * (host + running)), 0, worst.workspace)


def _drawn(elements: int, dtype: torch.dtype) -> int:
    """Return the bytes of elements that are drawn in float32 and then converted."""
    converted = 0 if dtype is torch.float32 else dtype.itemsize
    return elements * (torch.float32.itemsize + converted)


def _while_built(graph: Graph, state: int, dtype: torch.dtype) -> int:
    """Return the bytes of weights that are drawn in float32 and then converted one by one."""
    if dtype is torch.float32:
        return state * dtype.itemsize
    largest = max(op.params for op in graph.ops)
    drawn, converted = torch.float32.itemsize, dtype.itemsize
    return state * max(drawn, converted) + largest * min(drawn, converted)


def _code(graph: Graph, dtype: torch.dtype) -> int:
    """Return the bytes of code that oneDNN generates for the convolutions, and keeps."""
    kernels = [op.attributes.kernel for op in graph.ops if isinstance(op.attributes, Conv)]
    per_tap = _PER_TAP if dtype is torch.float16 else 0
    return sum(_PER_CONVOLUTION + per_tap * (prod(kernel) - 1) for kernel in kernels)


def _worst_moment(
    graph: Graph, steps: Iterable[tuple[int, int]], dtype: torch.dtype, device: torch.device
) -> _Moment:
    moments = []
    for index, elements in steps:
        workspace = _workspace(graph.ops[index], dtype, device)
        moments.append(_Moment(elements * dtype.itemsize + workspace, workspace))
    return max(moments)


def _workspace(op: Op, dtype: torch.dtype, device: torch.device) -> int:
    """Return the bytes that an operation needs beside its input, weights and result."""
    if isinstance(op.attributes, Conv):
        ways = _ways(op, op.attributes, dtype) if device.type == "cpu" else (Way.BLOCKED,)
        return max(_convolution_workspace(op, op.attributes, dtype.itemsize, way) for way in ways)
    if op.function == "gelu":  # oneDNN's result is copied
        return prod(op.output_shape) * dtype.itemsize
    is_converted = op.kind is Kind.LINEAR and dtype.itemsize < torch.float32.itemsize
    return op.params * dtype.itemsize if is_converted else 0


def _ways(op: Op, conv: Conv, dtype: torch.dtype) -> tuple[Way, ...]:
    """Return how PyTorch runs a convolution on this CPU: every way if it does not tell."""
    (input_shape,) = op.input_shapes
    channels = input_shape[1] // conv.groups
    try:
        chosen = torch._C._select_conv_backend(  # there is no public name
            _nothing(input_shape, dtype),
            _nothing((op.output_shape[1], channels, *conv.kernel), dtype),
            None,
            conv.stride,
            conv.padding,
            conv.dilation,
            False,  # noqa: FBT003  (transposed)
            (0, 0),
            conv.groups,
        )
    except (AttributeError, RuntimeError, TypeError):
        return tuple(Way)
    return _WAYS.get(chosen.name, tuple(Way))


def _nothing(shape: Shape, dtype: torch.dtype) -> torch.Tensor:
    """Return a tensor of this shape that has the memory of one element."""
    return torch.empty(1, dtype=dtype, device="cpu").expand(shape)


def _convolution_workspace(op: Op, conv: Conv, item: int, way: Way) -> int:
    (taken,) = op.input_shapes
    result = prod(op.output_shape)
    if way is Way.BLOCKED:
        copied = _blocked(taken)
        before = copied + _blocked_weights(op, conv) + _blocked(op.output_shape) - result
        # the result may be copied twice, while the copy of the input is free, but not for reuse
        left = copied if copied * item < _LARGEST_ON_HEAP else 0
        return item * max(before, 2 * result + left)
    samples = taken[0] if way is Way.UNFOLDED else 1
    is_view = way is Way.UNFOLDED and conv.kernel == conv.stride == (1, 1)
    windows = 0 if is_view else prod(conv.kernel) * prod(op.output_shape[2:])
    one_group = samples * windows * (taken[1] // conv.groups) * item
    # each group has an input and a result of its own; sums of 16 bits are made in float32
    groups = (prod(taken) // conv.groups + result) * item if conv.groups > 1 else 0
    sums = result * torch.float32.itemsize if item < torch.float32.itemsize else 0
    return one_group + groups + sums


def _blocked(shape: Shape) -> int:
    """Return the elements of a tensor whose channels fill whole blocks."""
    samples, channels, *sides = shape
    return samples * _whole_blocks(channels) * prod(sides)


def _blocked_weights(op: Op, conv: Conv) -> int:
    (taken,) = op.input_shapes
    per_group = _whole_blocks(taken[1]) if conv.groups == 1 else taken[1] // conv.groups
    return _whole_blocks(op.output_shape[1]) * per_group * prod(conv.kernel)


def _whole_blocks(channels: int) -> int:
    return -(-channels // _CHANNEL_BLOCK) * _CHANNEL_BLOCK
