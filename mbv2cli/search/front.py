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
    Equal points do not dominate each other. Points are visited in the order of their sums, so
    that no point is dominated by a later one (Chomicki et al., "Skyline with Presorting", ICDE
    2003).
    """
    order = _by_sum(points)
    ordered = [coordinate[order] for coordinate in points]
    left = np.arange(len(order))
    found: list[NDArray[np.intp]] = []
    while len(left):
        rest = [coordinate[left] for coordinate in ordered]
        found.append(left[np.logical_and.reduce([here == here[0] for here in rest])])
        left = left[np.logical_or.reduce([here < here[0] for here in rest])]
    mask = np.zeros(len(order), np.bool_)
    if found:
        mask[order[np.concatenate(found)]] = True
    return mask


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


def _by_sum(points: Sequence[NDArray[Any]]) -> NDArray[np.intp]:
    """Return an order in which no point comes after one that it dominates.

    Sums are floats. If two are equal, maybe by rounding, the coordinates decide.
    """
    scaled = [point / max(np.abs(point).max(initial=0), 1) for point in points]
    return np.lexsort((*reversed(points), sum(scaled)))
