"""From blocks back to stages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mbv2cli.specs.network import Stage


class BlockFields(NamedTuple):
    """The fields of a block that its stage has, under the names of the stage's.

    ``act``, ``se``, ``shortcut`` and ``expansion`` are None where they are the network's.
    ``hidden`` is None where the expand ratio gives the hidden channels.
    """

    expand: float
    out_channels: int
    stride: int | tuple[int, int]
    kernel: int
    dilation: int = 1
    hidden: int | None = None
    type: str = "inverted"
    act: str | None = None
    se: float | None = None
    shortcut: str | None = None
    expansion: str | None = None


def stages_of(blocks: Iterable[BlockFields]) -> tuple[Stage, ...]:
    """Return blocks as stages: later blocks of a stage have stride 1 and all else of the first."""
    stages: list[Stage] = []
    previous: BlockFields | None = None
    for block in blocks:
        if previous and block.stride == 1 and block == previous._replace(stride=1):
            last = stages[-1]
            stages[-1] = last.model_copy(update={"repeats": last.repeats + 1})
        else:
            stages.append(Stage.model_validate({**block._asdict(), "repeats": 1}))
        previous = block
    return tuple(stages)
