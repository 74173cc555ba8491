"""Lookups of what the segments of a network depend on: channels, sides, strides, repeats.

Every rule is that of the spec or of the graph, applied once to each combination of values.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

from mbv2cli.errors import UserError
from mbv2cli.graph.ops import conv_side, same_padding
from mbv2cli.search.tables import Column, Columns, Lookup
from mbv2cli.specs.block import BlockSpec, expands
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


def is_block(**fields: Any) -> bool:
    """Return whether there is a block with these fields."""
    return _hidden_channels(**fields) > 0


def hidden_channels(in_channels: int, expand: float) -> int:
    """Return the hidden channels of a block, or 1 if there is no such block."""
    return _hidden_channels(in_channels=in_channels, expand=expand) or 1


@cache
def _hidden_channels(**fields: Any) -> int:
    """Return the hidden channels of a block, or 0 if there is no such block."""
    try:
        return BlockSpec(**fields).hidden_channels
    except UserError:
        return 0


class NetworkInputs:
    """The lookups of a space of networks. Stages count from 0; -1 is the stem."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._scaling = (columns.of("width_mult"), columns.of("round_nearest"))
        self._output_stride = columns.of("output_stride")

    def out_channels(self, stage: int) -> Lookup:
        """Return the output channels of a stage."""
        columns = self._columns
        if stage < 0:
            return Lookup(
                scaled_stem, columns.of("stem"), columns.of("stem_scaling"), *self._scaling
            )
        return Lookup(scale_channels, columns.of("c", stage), *self._scaling)

    def head_channels(self) -> Lookup:
        """Return the output channels of the head, the last 1×1 convolution; 0 if it has none."""
        columns = self._columns
        return Lookup(scaled_head, columns.of("head"), columns.of("head_scaling"), *self._scaling)

    def feature_channels(self) -> Lookup:
        """Return the channels of the last feature map, which the classifier takes."""
        head = self.head_channels()
        if head.smallest > 0:  # so the last stage does not matter, and the table stays small
            return head
        last = self.out_channels(self._columns.space.stages - 1)

        def channels(head: int, scaling: HeadScaling, *of_stage: Any) -> int:
            width_mult, round_nearest = of_stage[-2:]
            return scaled_head(head, scaling, width_mult, round_nearest) or last.function(*of_stage)

        return Lookup(channels, *head.columns[:2], *last.columns)

    def hidden_channels(self, stage: int, *, after: int) -> Lookup:
        """Return the hidden channels of a block of ``stage`` on the output of stage ``after``."""
        return self._of_expand(hidden_channels, stage, after)

    def is_block(self, stage: int, *, after: int) -> Lookup:
        """Return whether there is such a block."""
        return self._of_expand(lambda c, t: is_block(in_channels=c, expand=t), stage, after)

    def is_output(self, stage: int) -> Lookup:
        """Return whether a block may have the output channels of a stage."""
        channels = self.out_channels(stage)
        return Lookup(
            lambda *values: is_block(out_channels=channels.function(*values)), *channels.columns
        )

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
        return self._of_dilation(int, stage, first=first)

    def is_dilation(self, stage: int, *, first: bool) -> Lookup:
        """Return whether a block may have that dilation."""
        return self._of_dilation(lambda d: is_block(dilation=d), stage, first=first)

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

    def _of_expand(self, function: Callable[[int, float], int], stage: int, after: int) -> Lookup:
        channels = self.out_channels(after)

        def found(t: float, every: float | None, *values: Any) -> int:
            return function(channels.function(*values), stage_expand(t, every))

        columns = (self._columns.of("t", stage), self._columns.of("expand"), *channels.columns)
        return Lookup(found, *columns)

    def _of_dilation(self, function: Callable[[int], int], stage: int, *, first: bool) -> Lookup:
        def found(dilation: int, output_stride: int | None, *strides: int) -> int:
            geometry = _held(output_stride, strides)[-1]
            return function(dilation * (geometry.first_dilation if first else geometry.dilation))

        columns = (self._columns.of("dilation", stage), self._output_stride)
        return Lookup(found, *columns, *self._strides(stage + 1))


@cache
def _held(output_stride: int | None, strides: tuple[int, ...]) -> tuple[StageGeometry, ...]:
    """Return the geometry of stages, held at an output stride or, at None, not at all."""
    reached = cumulative_strides(strides)[-1]
    return tuple(hold_output_stride(strides, output_stride or reached))
