"""How a network trades its last strides for dilation to reach a smaller output stride."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from operator import mul
from typing import NamedTuple


class StageGeometry(NamedTuple):
    """What the rule makes of one stage."""

    stride: int
    first_dilation: int
    dilation: int


def cumulative_strides(stem_stride: int, strides: Iterable[int]) -> list[int]:
    """Return input size ÷ feature map size after the stem and after each stage."""
    return list(accumulate(strides, mul, initial=stem_stride))


def possible_output_strides(stem_stride: int, strides: Iterable[int]) -> list[int]:
    """Return the output strides that stages can be held at: 8, 16, 32 and all they reach."""
    reached = cumulative_strides(stem_stride, strides)
    return sorted({stride for stride in reached if stride in (8, 16, 32)} | {reached[-1]})


def hold_output_stride(
    strides: Iterable[int], stem_stride: int, output_stride: int
) -> Iterator[StageGeometry]:
    """Yield the stride and dilations of each stage, with the output stride held.

    Once ``output_stride`` is reached, a stage's stride becomes dilation: its first block
    keeps the dilation so far, the blocks after it take the new one (TF-slim, DeepLab,
    Hugging Face).
    """
    reached, dilation = stem_stride, 1
    for stride in strides:
        first_dilation = dilation
        if reached == output_stride:
            dilation *= stride
            yield StageGeometry(1, first_dilation, dilation)
        else:
            reached *= stride
            yield StageGeometry(stride, first_dilation, dilation)
