"""From blocks back to stages."""

from __future__ import annotations

from collections.abc import Iterable
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
    def stride(self) -> int | tuple[int, int]: ...
    @property
    def dilation(self) -> int: ...
    @property
    def act(self) -> str: ...


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
