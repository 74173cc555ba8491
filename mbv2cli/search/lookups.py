"""Lookups of what the segments of a network depend on: channels, sides, strides, repeats.

Every rule is that of the spec or of the graph, applied once to each combination of values.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

from mbv2cli.errors import UserError
from mbv2cli.graph.ops import conv_side, same_padding
from mbv2cli.search.block_lookups import BlockLookups, is_block
from mbv2cli.search.tables import Column, Columns, Lookup
from mbv2cli.specs.block import sides_of
from mbv2cli.specs.fields import HeadScaling
from mbv2cli.specs.network import (
    STEM_KERNEL,
    cumulative_strides,
    held_stride,
    hold_output_stride,
    possible_output_strides,
    scale_channels,
    scaled_head,
    scaled_repeats,
    scaled_stem,
)


def own(columns: Columns, key: str, stage: int | None = None) -> Lookup:
    """Return the values of an axis of whole numbers as they are."""
    return Lookup(int, columns.of(key, stage))


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

    def blocks(self, stage: int, *, after: int) -> BlockLookups:
        """Return the lookups of the blocks of ``stage`` on the output of stage ``after``."""
        return BlockLookups(self._columns, stage, self.out_channels(after))

    def is_output(self, stage: int) -> Lookup:
        """Return whether a block may have the output channels of a stage."""
        return Lookup(lambda c: is_block(out_channels=c), self.out_channels(stage))

    def repeats(self, stage: int) -> Lookup:
        """Return the number of blocks of a stage."""
        if stage in (0, self._columns.space.stages - 1):
            return own(self._columns, "n", stage)
        return Lookup(scaled_repeats, self._columns.of("n", stage), self._columns.of("depth_mult"))

    @property
    def stem_strides(self) -> tuple[Lookup, Lookup]:
        """The stride of the stem: height, width."""
        stem = self._columns.of("stem_stride")
        return Lookup(lambda s: sides_of(s)[0], stem), Lookup(lambda s: sides_of(s)[1], stem)

    @property
    def is_square(self) -> bool:
        """Whether every stride is the same over height and width."""
        columns = self._strides(self._columns.space.stages)
        return all(isinstance(s, int) for column in columns for s in column.axis.values)

    def stride(self, stage: int, *, which: int) -> Lookup:
        """Return the stride of the first block of a stage over height (0) or width (1)."""
        return Lookup(
            lambda output_stride, *strides: _held(output_stride, strides)[-1].strides[which],
            self._output_stride,
            *self._strides(stage + 1),
        )

    def dilation(self, stage: int, *, first: bool) -> Lookup:
        """Return the dilation of the first block of a stage, or of the others."""

        def found(dilation: int, output_stride: int | None, *strides: Any) -> int:
            held = _held(output_stride, strides)[-1]
            return dilation * (held.first_dilation if first else held.dilation)

        columns = (self._columns.of("dilation", stage), self._output_stride)
        return Lookup(found, *columns, *self._strides(stage + 1))

    def reaches_output_stride(self) -> Lookup:
        """Return whether the stages can be held at the output stride asked for."""

        def reaches(output_stride: int | None, stem: Any, *strides: Any) -> bool:
            heights = [sides_of(stride)[0] for stride in strides]
            possible = possible_output_strides(heights, sides_of(stem)[0])
            if output_stride not in (None, *possible):
                return False
            return all(one.exists for one in _held(output_stride, (stem, *strides)))

        return Lookup(reaches, self._output_stride, *self._strides(self._columns.space.stages))

    def jump(self, stage: int, *, which: int) -> Lookup:
        """Return the jump of what goes into a stage: the product of the strides so far."""

        def jump(output_stride: int | None, stem: Any, *strides: Any) -> int:
            held = _held(output_stride, (stem, *strides))
            return prod((sides_of(stem)[which], *(one.strides[which] for one in held)))

        return Lookup(jump, self._output_stride, *self._strides(stage))

    def side(self, stage: int, *, which: int) -> Lookup:
        """Return the height (0) or width (1) of what goes into a stage."""

        def side(size: tuple[int, int], output_stride: int | None, stem: Any, *rest: Any) -> int:
            padding = same_padding(STEM_KERNEL, dilation=1)
            stride = sides_of(stem)[which]
            found = conv_side(size[which], STEM_KERNEL, stride, padding, dilation=1)
            for held in _held(output_stride, (stem, *rest)):
                # with "same" padding neither kernel nor dilation changes the side
                found = conv_side(found, 1, held.strides[which], padding=0, dilation=1)
            return found

        columns = (self._columns.of("size"), self._output_stride, *self._strides(stage))
        return Lookup(side, *columns)

    def _strides(self, stages: int) -> list[Column]:
        """Return the columns of the strides: of the stem, then of so many stages."""
        own = (self._columns.of("s", stage) for stage in range(stages))
        return [self._columns.of("stem_stride"), *own]


class _Held(NamedTuple):
    """The strides and dilations of a stage, and whether there is a stage with these."""

    strides: tuple[int, int]
    first_dilation: int
    dilation: int
    exists: bool


@lru_cache(maxsize=2**14)
def _held(output_stride: int | None, strides: tuple[Any, ...]) -> tuple[_Held, ...]:
    """Return the geometry of stages, held at an output stride or, at None, not at all.

    ``strides`` are that of the stem and those of the stages.
    """
    stem, *heights = (sides_of(stride)[0] for stride in strides)
    reached = cumulative_strides(heights, stem)[-1]
    geometries = hold_output_stride(heights, output_stride or reached, stem)
    found: list[_Held] = []
    for stride, geometry in zip(strides[1:], geometries, strict=True):
        try:
            sides, exists = sides_of(held_stride(stride, geometry)), True
        except UserError:
            sides, exists = sides_of(stride), False
        found.append(_Held(sides, geometry.first_dilation, geometry.dilation, exists))
    return tuple(found)
