"""From blocks back to stages, and from channels back to expand ratios."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Protocol

from mbv2cli.specs.network import Stage


class BlockFields(Protocol):
    """The fields of a block that its stage has, as `BlockSpec` has them."""

    @property
    def expand(self) -> float: ...
    @property
    def out_channels(self) -> int: ...
    @property
    def kernel(self) -> int: ...
    @property
    def stride(self) -> int: ...
    @property
    def dilation(self) -> int: ...
    @property
    def act(self) -> str: ...


def shortest_ratio(channels: int, hidden: int) -> float:
    """Return the expand ratio with the shortest text that gives the hidden channels.

    It is not 1: with 1 a block has no expansion.
    """
    exact = Fraction(hidden, channels)
    for digits in range(12):
        for ratio in (round(float(exact), digits), float(exact) + 10**-digits):
            if 0 < ratio != 1 and round(channels * ratio) == hidden:
                return int(ratio) if ratio == int(ratio) else ratio
    return float(exact)


def stages_of(blocks: Iterable[BlockFields]) -> tuple[Stage, ...]:
    """Return blocks as stages: later blocks of a stage have stride 1 and all else of the first."""
    stages: list[Stage] = []
    previous: BlockFields | None = None
    for block in blocks:
        if previous and block.stride == 1 and _shared(block) == _shared(previous):
            last = stages[-1]
            stages[-1] = last.model_copy(update={"repeats": last.repeats + 1})
        else:
            stages.append(
                Stage(
                    expand=block.expand,
                    out_channels=block.out_channels,
                    repeats=1,
                    stride=block.stride,
                    kernel=block.kernel,
                    dilation=block.dilation,
                )
            )
        previous = block
    return tuple(stages)


def _shared(block: BlockFields) -> tuple[float, int, int, int, str]:
    """Return what the blocks of a stage share."""
    return block.expand, block.out_channels, block.kernel, block.dilation, block.act
