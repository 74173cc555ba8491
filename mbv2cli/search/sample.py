"""A uniform sample of a stream of members, the same however the stream is split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mbv2cli.search.members import Members


def hashes(positions: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return an own pseudo-random number for each position (splitmix64, Steele et al. 2014)."""
    mixed = (positions.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def of_lowest_hashes(members: Members, count: int) -> Members:
    """Return the ``count`` members of the lowest hashes, in order of position."""
    if len(members) <= count:
        return members
    places = np.argpartition(hashes(members.positions), count)[:count]
    return members.at(np.sort(places))
