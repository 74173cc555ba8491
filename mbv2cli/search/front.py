"""The Pareto front: the points that no other point dominates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_PIVOTS: Final = 32
"""Number of points of a front that rule out nearly all dominated points."""


def front(points: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
    """Return a mask of the points that are not dominated. Smaller coordinates are better.

    A point is dominated if another point is not worse in any coordinate and is better in one.
    Equal points do not dominate each other. The points have two or three coordinates. Of n
    points, this takes n log n steps for two coordinates and n (log n)² for three (the divide and
    conquer of Kung, Luccio and Preparata, "On finding the maxima of a set of vectors", 1975).
    """
    count = len(points[0])
    if not count:
        return np.ones(0, np.bool_)
    order = np.lexsort(tuple(reversed(points)))
    ordered = [coordinate[order] for coordinate in points]
    is_new = np.ones(count, np.bool_)  # whether a point differs from the one before it
    is_new[1:] = np.logical_or.reduce([here[1:] != here[:-1] for here in ordered])
    # no point is dominated by a later one, and an earlier one is not worse in the first coordinate
    others = [coordinate[is_new] for coordinate in ordered[1:]]
    kept = _above_all(others[0]) if len(others) == 1 else _undominated_by_earlier(*others)
    mask = np.empty(count, np.bool_)
    mask[order] = kept[np.cumsum(is_new) - 1]
    return mask


def _above_all(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which values are smaller than all values before them."""
    kept = np.ones(len(values), np.bool_)
    kept[1:] = values[1:] < np.minimum.accumulate(values)[:-1]
    return kept


def _undominated_by_earlier(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which points no earlier point equals or beats in both coordinates.

    At each level, the points are in blocks of 2, 4, 8, … In each block, the points are ordered by
    the first coordinate, so that the lowest second coordinate so far, of the points in the left
    half of the block, tells which points of the right half an earlier point beats.
    """
    count = len(first)
    first_rank, second_rank = (
        np.unique(values, return_inverse=True)[1].ravel() for values in (first, second)
    )
    kept = np.ones(count, np.bool_)
    places = np.arange(count)
    width = count + 1
    # Nothing wraps: ranks are below `count`, and below 2^31 there are `count` * `width` < 2^62.
    if count >= 2**31:
        raise OverflowError(f"{count:,} points")
    for level in range(1, (count - 1).bit_length() + 1):
        block = places >> level
        # the halves are in order already, and a stable sort merges such runs in linear time
        places = places[np.argsort(block * width + first_rank[places], kind="stable")]
        is_left = (places >> (level - 1)) % 2 == 0
        # a later block has lower numbers, so that no minimum of a block before it counts
        offset = (block[-1] - (places >> level)) * width
        lowest = np.minimum.accumulate(offset + np.where(is_left, second_rank[places], count))
        kept[places[~is_left & (lowest <= offset + second_rank[places])]] = False
    return kept


def pivots(points: Sequence[NDArray[Any]]) -> list[tuple[Any, ...]]:
    """Return a few points, spread over a front."""
    count = len(points[0])
    places = np.unique(np.linspace(0, count - 1, min(count, _PIVOTS)).astype(np.intp))
    spread = np.argsort(points[0], kind="stable")[places]
    return list(zip(*(coordinate[spread].tolist() for coordinate in points), strict=True))


def undominated_by(
    some: Sequence[tuple[Any, ...]], points: Sequence[NDArray[Any]], places: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Return those of ``places`` whose points no point of ``some`` dominates."""
    for pivot in some:
        worse = np.ones(len(places), np.bool_)
        equal = np.ones(len(places), np.bool_)
        for coordinate, bound in zip(points, pivot, strict=True):
            here = coordinate[places]
            worse &= here >= bound
            equal &= here == bound
        places = places[~worse | equal]
    return places
