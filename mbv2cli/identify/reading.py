"""From the steps of a graph to what is read of it: stem, blocks, head, classifier.

A block is read around its depthwise convolution. The pointwise convolution before it, if it takes
the input of the block, is the expansion; the pointwise convolution after it is the projection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from mbv2cli.errors import UserError
from mbv2cli.graph.build import ACTIVATIONS
from mbv2cli.graph.ops import Conv
from mbv2cli.identify.steps import Step, StepKind, Steps, chain_after, taken_by
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.regroup import stages_of
from mbv2cli.specs.rounding import shortest_ratio

_ACT_OF_FUNCTION: Final[Mapping[str, str]] = {
    activation.function: name for name, activation in ACTIVATIONS.items()
}


class ReadBlock(NamedTuple):
    """What is read of a block. ``start`` and ``stop`` are the numbers of its steps."""

    in_channels: int
    hidden_channels: int
    out_channels: int
    kernel: int
    stride: int
    dilation: int
    act: str
    has_expansion: bool
    has_shortcut: bool
    start: int
    stop: int

    @property
    def expand(self) -> float:
        """The expand ratio with the shortest text that gives the hidden channels."""
        if not self.has_expansion:
            return 1
        return shortest_ratio(self.in_channels, self.hidden_channels)


@dataclass(frozen=True)
class Reading:
    """What is read of a graph: None or 0 for what it has not.

    ``stem`` and ``head`` are numbers of steps, ``classes`` the outputs of the last linear layer.
    """

    steps: Steps
    blocks: tuple[ReadBlock, ...]
    stem: int | None
    head: int | None
    classes: int

    @cached_property
    def act(self) -> str:
        """The activation of the stem, or of the first block."""
        takers = taken_by(self.steps.steps)
        if self.stem is not None and (act := _activation(self.steps.steps, takers, self.stem)):
            return act
        return self.blocks[0].act if self.blocks else "relu6"

    def spec(self, dropout: float) -> BlockSpec | NetworkSpec | None:
        """Return the spec that is nearest to what was read; None if nothing was."""
        if not self.blocks:
            return None
        try:
            if self.stem is None:
                return _block_spec(self.blocks[0]) if len(self.blocks) == 1 else None
            return self._network(self.steps.steps[self.stem], dropout)
        except UserError:
            return None

    def _network(self, stem: Step, dropout: float) -> NetworkSpec:
        head = self.steps.steps[self.head] if self.head is not None else None
        return NetworkSpec.model_validate(
            {
                "in": self.steps.op_of(stem).input_shapes[0][1],
                "stem": stem.signature[0],
                "stages": stages_of(self.blocks),
                "head": head.signature[0] if head else 0,
                "classes": self.classes,
                "round_nearest": 1,
                "dropout": dropout,
                "act": self.act,
            }
        )


def read(steps: Steps) -> Reading:
    """Return what is read of the steps of a graph."""
    every = steps.steps
    takers = taken_by(every)
    blocks: list[ReadBlock] = []
    for number, step in enumerate(every):
        if _is_depthwise(steps, step) and (block := _block(steps, takers, number, blocks)):
            blocks.append(block)
    convs = [n for n, step in enumerate(every) if step.kind is StepKind.CONV]
    linears = [step for step in every if step.kind is StepKind.LINEAR]
    first, last = (blocks[0].start, blocks[-1].stop) if blocks else (0, len(every))
    before = [n for n in convs if n < first]
    after = [n for n in convs if n >= last]
    classes = linears[-1].signature[0] if linears else 0
    return Reading(
        steps,
        tuple(blocks),
        before[0] if before and blocks else None,
        after[0] if after and blocks else None,
        classes if isinstance(classes, int) else 0,
    )


def _is_depthwise(steps: Steps, step: Step) -> bool:
    """Return whether a step is a depthwise convolution; one channel alone is one too."""
    if step.kind is not StepKind.CONV:
        return False
    conv, op = conv_of(steps, step), steps.op_of(step)
    channels = op.input_shapes[0][1]
    if channels == 1 and op.output_shape[1] == 1:
        return conv.kernel != (1, 1)
    return conv.groups == channels and op.output_shape[1] == channels


def conv_of(steps: Steps, step: Step) -> Conv:
    """Return the attributes of a convolution; those of a pointwise one for any other step."""
    attributes = steps.op_of(step).attributes
    return attributes if isinstance(attributes, Conv) else Conv((1, 1))


def _is_pointwise(steps: Steps, step: Step) -> bool:
    is_one = step.kind is StepKind.CONV and conv_of(steps, step).kernel == (1, 1)
    return is_one and not _is_depthwise(steps, step)


def _block(
    steps: Steps, takers: dict[int, list[int]], depthwise: int, before: Sequence[ReadBlock]
) -> ReadBlock | None:
    every = steps.steps
    done = before[-1].stop if before else 0
    projection = _next_conv(every, takers, depthwise)
    if projection is None or not _is_pointwise(steps, every[projection]):
        return None
    expansion = _conv_before(every, depthwise)
    if expansion is not None and not (expansion >= done and _is_pointwise(steps, every[expansion])):
        expansion = None
    start = depthwise if expansion is None else expansion
    end = projection
    for number, _step in chain_after(every, takers, projection):
        end = number
    adds = (n for n in takers[end] if every[n].kind is StepKind.ADD)
    add = next((n for n in adds if max(every[n].inputs) == end), None)  # else the next block's
    op, conv = steps.op_of(every[depthwise]), conv_of(steps, every[depthwise])
    return ReadBlock(
        in_channels=steps.op_of(every[start]).input_shapes[0][1],
        hidden_channels=op.output_shape[1],
        out_channels=steps.op_of(every[projection]).output_shape[1],
        kernel=conv.kernel[0],
        stride=max(conv_of(steps, every[number]).stride[0] for number in (start, depthwise)),
        dilation=conv.dilation[0],
        act=_activation(every, takers, depthwise) or "identity",
        has_expansion=expansion is not None,
        has_shortcut=add is not None,
        start=start,
        stop=(end if add is None else add) + 1,
    )


def _next_conv(every: Sequence[Step], takers: dict[int, list[int]], number: int) -> int | None:
    """Return the convolution after a step, through norms, activations and gates."""
    for _ in range(len(every)):
        following = takers[number]
        if not following:
            return None
        number = following[-1]
        if every[number].kind is StepKind.CONV:
            return number
    return None


def _conv_before(every: Sequence[Step], number: int) -> int | None:
    """Return the convolution whose norm and activation a step takes."""
    while every[number].inputs and every[number].inputs[0] >= 0:
        number = every[number].inputs[0]
        if every[number].kind is StepKind.CONV:
            return number
        if every[number].kind not in (StepKind.NORM, StepKind.ACT):
            return None
    return None


def _activation(every: Sequence[Step], takers: dict[int, list[int]], number: int) -> str:
    """Return the activation after a convolution, under our name; "" if there is none of ours."""
    for _number, step in chain_after(tuple(every), takers, number):
        if step.kind is StepKind.ACT:
            return _ACT_OF_FUNCTION.get(str(step.signature[0]), "")
    return ""


def _block_spec(block: ReadBlock) -> BlockSpec:
    return BlockSpec.model_validate(
        {
            "in": block.in_channels,
            "out": block.out_channels,
            "stride": block.stride,
            "expand": block.expand,
            "kernel": block.kernel,
            "dilation": block.dilation,
            "act": block.act,
        }
    )
