"""Lookups of what the segments of a network depend on: channels, sides, strides, repeats.

Every rule is that of the spec or of the graph, applied once to each combination of values.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from math import prod
from typing import Any

from mbv2cli.errors import UserError
from mbv2cli.graph.ops import conv_side, same_padding
from mbv2cli.search.tables import Column, Columns, Lookup
from mbv2cli.specs.block import BlockSpec, expands, hidden_channels
from mbv2cli.specs.fields import HeadScaling
from mbv2cli.specs.network import (
    STEM_KERNEL,
    STEM_STRIDE,
    StageGeometry,
    cumulative_strides,
    hold_output_stride,
    possible_output_strides,
    scale_channels,
    scaled_head,
    scaled_repeats,
    scaled_stem,
    stage_expand,
)


def own(columns: Columns, key: str, stage: int | None = None) -> Lookup:
    """Return the values of an axis of whole numbers as they are."""
    return Lookup(int, columns.of(key, stage))


def numbered(columns: Columns, key: str) -> Lookup:
    """Return the numbers of the values of an axis of words."""
    column = columns.of(key)
    return Lookup(column.axis.values.index, column)


@cache
def is_block(**fields: Any) -> bool:
    """Return whether there is a block with these fields."""
    try:
        BlockSpec(**fields)
    except UserError:
        return False
    return True


class HiddenChannels:
    """The hidden channels of blocks with the given input channels and expand ratios."""

    def __init__(self, function: Callable[..., int], *sources: Column | Lookup) -> None:
        found = Lookup(function, *sources)
        self.exist = Lookup(lambda hidden: hidden > 0, found)
        """Whether there is such a block."""

        self.count = Lookup(lambda hidden: hidden or 1, found)
        """The hidden channels, or 1 if there is no such block."""


def hidden_channels_or_0(in_channels: int, expand: float) -> int:
    """Return the hidden channels of a block, or 0 if there is no such block."""
    return hidden_channels(in_channels, expand) if is_block(in_channels=in_channels) else 0


def is_dilation(dilation: Lookup) -> Lookup:
    """Return whether a block may have a dilation."""
    return Lookup(lambda d: is_block(dilation=d), dilation)


class NetworkInputs:
    """The lookups of a space of networks. Stages count from 0; -1 is the stem."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._scaling = (columns.of("width_mult"), columns.of("round_nearest"))
        self._output_stride = columns.of("output_stride")
        stem = (columns.of("stem"), columns.of("stem_scaling"))
        self._channels = (
            Lookup(scaled_stem, *stem, *self._scaling),
            *(
                Lookup(scale_channels, columns.of("c", stage), *self._scaling)
                for stage in range(columns.space.stages)
            ),
        )

    def out_channels(self, stage: int) -> Lookup:
        """Return the output channels of a stage."""
        return self._channels[stage + 1]

    def head_channels(self) -> Lookup:
        """Return the output channels of the head, the last 1×1 convolution; 0 if it has none."""
        columns = self._columns
        return Lookup(scaled_head, columns.of("head"), columns.of("head_scaling"), *self._scaling)

    def feature_channels(self) -> Lookup:
        """Return the channels of the last feature map, which the classifier takes."""
        head = self.head_channels()
        if head.smallest > 0:  # so the last stage does not matter, and the table stays small
            return head
        c = self._columns.of("c", self._columns.space.stages - 1)

        def channels(head: int, scaling: HeadScaling, of_stage: int, *by: Any) -> int:
            return scaled_head(head, scaling, *by) or scale_channels(of_stage, *by)

        return Lookup(channels, *head.columns[:2], c, *self._scaling)

    def hidden_channels(self, stage: int, *, after: int) -> HiddenChannels:
        """Return the hidden channels of a block of ``stage`` on the output of stage ``after``."""
        return HiddenChannels(
            lambda t, every, channels: hidden_channels_or_0(channels, stage_expand(t, every)),
            self._columns.of("t", stage),
            self._columns.of("expand"),
            self.out_channels(after),
        )

    def is_output(self, stage: int) -> Lookup:
        """Return whether a block may have the output channels of a stage."""
        return Lookup(lambda c: is_block(out_channels=c), self.out_channels(stage))

    def expands(self, stage: int) -> Lookup:
        """Return whether the blocks of a stage have an expansion."""
        return Lookup(
            lambda t, every: expands(stage_expand(t, every)),
            self._columns.of("t", stage),
            self._columns.of("expand"),
        )

    def repeats(self, stage: int) -> Lookup:
        """Return the number of blocks of a stage."""
        if stage in (0, self._columns.space.stages - 1):
            return own(self._columns, "n", stage)
        return Lookup(scaled_repeats, self._columns.of("n", stage), self._columns.of("depth_mult"))

    def stride(self, stage: int) -> Lookup:
        """Return the stride of the first block of a stage."""
        return Lookup(
            lambda output_stride, *strides: _held(output_stride, strides)[-1].stride,
            self._output_stride,
            *self._strides(stage + 1),
        )

    def dilation(self, stage: int, *, first: bool) -> Lookup:
        """Return the dilation of the first block of a stage, or of the others."""

        def found(dilation: int, output_stride: int | None, *strides: int) -> int:
            geometry = _held(output_stride, strides)[-1]
            return dilation * (geometry.first_dilation if first else geometry.dilation)

        columns = (self._columns.of("dilation", stage), self._output_stride)
        return Lookup(found, *columns, *self._strides(stage + 1))

    def reaches_output_stride(self) -> Lookup:
        """Return whether the stages can be held at the output stride asked for."""

        def reaches(output_stride: int | None, *strides: int) -> bool:
            return output_stride in (None, *possible_output_strides(strides))

        return Lookup(reaches, self._output_stride, *self._strides(self._columns.space.stages))

    def jump(self, stage: int) -> Lookup:
        """Return the jump of what goes into a stage: the product of the strides so far."""

        def jump(output_stride: int | None, *strides: int) -> int:
            return STEM_STRIDE * prod(one.stride for one in _held(output_stride, strides))

        return Lookup(jump, self._output_stride, *self._strides(stage))

    def side(self, stage: int, *, which: int) -> Lookup:
        """Return the height (0) or width (1) of what goes into a stage."""

        def side(size: tuple[int, int], output_stride: int | None, *strides: int) -> int:
            padding = same_padding(STEM_KERNEL, dilation=1)
            found = conv_side(size[which], STEM_KERNEL, STEM_STRIDE, padding, dilation=1)
            for geometry in _held(output_stride, strides):
                # with "same" padding neither kernel nor dilation changes the side
                found = conv_side(found, 1, geometry.stride, padding=0, dilation=1)
            return found

        columns = (self._columns.of("size"), self._output_stride, *self._strides(stage))
        return Lookup(side, *columns)

    def _strides(self, stages: int) -> list[Column]:
        return [self._columns.of("s", stage) for stage in range(stages)]


@lru_cache(maxsize=2**14)
def _held(output_stride: int | None, strides: tuple[int, ...]) -> tuple[StageGeometry, ...]:
    """Return the geometry of stages, held at an output stride or, at None, not at all."""
    reached = cumulative_strides(strides)[-1]
    return tuple(hold_output_stride(strides, output_stride or reached))
