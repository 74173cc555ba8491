"""Members of a space as arrays: enumerated or drawn, and selected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mbv2cli.search.query import Draw
from mbv2cli.search.space import Space
from mbv2cli.search.tables import DIGIT, Digits

CHUNK: Final = 2**13
"""Members that are computed at once: their arrays fit in the cache. Samples depend on it."""


@dataclass(frozen=True, eq=False, slots=True)
class Members:
    """Members by position, with digits of shape (axes, members) and an array for each figure.

    A sample may hold a member twice, at two positions.
    """

    positions: NDArray[np.int64]
    digits: Digits
    values: tuple[NDArray[Any], ...]

    @classmethod
    def of_chunk(cls, start: int, digits: Digits, values: Sequence[NDArray[Any]]) -> Members:
        """Return the members of a chunk that starts at position ``start``."""
        return cls(np.arange(start, start + digits.shape[1], dtype=np.int64), digits, tuple(values))

    @classmethod
    def none(cls, axes: int, figures: int) -> Members:
        """Return no members."""
        empty = np.empty(0, np.int64)
        return cls(empty, np.empty((axes, 0), DIGIT), (empty,) * figures)

    @classmethod
    def joined(cls, several: Sequence[Members]) -> Members:
        """Return the members of at least one sequence, one after the other."""
        return cls(
            np.concatenate([one.positions for one in several]),
            np.concatenate([one.digits for one in several], axis=1),
            tuple(
                np.concatenate(values)
                for values in zip(*(one.values for one in several), strict=True)
            ),
        )

    def __len__(self) -> int:
        return len(self.positions)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        """Yield the digits of each member."""
        yield from map(tuple, self.digits.T.tolist())

    def at(self, places: NDArray[Any]) -> Members:
        """Return copies of the members at these places, or of those where a mask is true."""
        return Members(
            self.positions[places],
            self.digits[:, places].astype(DIGIT, copy=False),
            tuple(value[places] for value in self.values),
        )

    def first(self, count: int) -> Members:
        """Return the first ``count`` members, or all if there are fewer."""
        return self.at(np.arange(min(count, len(self))))

    def with_values(self, values: Sequence[NDArray[Any]]) -> Members:
        """Return the same members with other figures."""
        return Members(self.positions, self.digits, tuple(values))

    def different(self) -> Members:
        """Return each member once, at its first place."""
        _, places = np.unique(self.digits, axis=1, return_index=True)
        return self.at(np.sort(places))


def digits_of_chunk(space: Space, draw: Draw, chunk: int, out: Digits | None = None) -> Digits:
    """Return the digits of the members at the positions of a chunk.

    They are written to ``out`` if it is given, an array of `empty_digits`. That is faster than to
    allocate a new array for each chunk.
    """
    digits = empty_digits(space) if out is None else out
    radices = [len(axis.values) for axis in space.varied]
    if draw.seed is None:
        _enumerate(digits, radices, chunk * CHUNK)
    else:
        _draw(digits, radices, draw.seed, chunk)
    return digits[:, : draw.count - chunk * CHUNK]


def empty_digits(space: Space) -> Digits:
    """Return an uninitialized array for the digits of a chunk."""
    return np.empty((len(space.varied), CHUNK), DIGIT)


def lowest(members: Members, key: NDArray[Any], count: int) -> Members:
    """Return the ``count`` different members with the lowest keys; of equal ones, the earlier."""
    looked_at = count
    while True:
        few = _about_lowest(key, looked_at)
        few = few[np.lexsort((members.positions[few], key[few]))]
        different = members.at(few).different().first(count)
        if len(different) == count or len(few) == len(key):
            return different
        looked_at = 4 * len(few)


def sample_of(members: Members, count: int) -> Members:
    """Return a uniform sample of ``count`` members, in order of position.

    These are the members with the lowest hashes, so that the sample of samples is the same
    however members were split.
    """
    if len(members) <= count:
        return members
    places = np.argpartition(hashes(members.positions), count)[:count]
    return members.at(np.sort(places))


def hashes(positions: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return a pseudo-random number for each position (splitmix64, Steele et al. 2014)."""
    mixed = (positions.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _enumerate(digits: Digits, radices: list[int], start: int) -> None:
    """Write the digits of consecutive members."""
    rest = np.arange(start, start + CHUNK, dtype=np.int64)  # below MAX_SAMPLE + CHUNK
    for row, radix in reversed(list(enumerate(radices))):
        above = rest // radix
        digits[row] = rest - above * radix
        rest = above


def _draw(digits: Digits, radices: list[int], seed: int, chunk: int) -> None:
    """Draw uniformly, with replacement; the same on every machine and with every numpy.

    numpy promises to keep the raw bits of a generator, not the numbers that it makes of them. 32
    bits that are scaled to at most 4,096 choices are uniform to one part in a million.
    """
    generator = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(chunk,)))
    for row, radix in enumerate(radices):
        bits = np.asarray(generator.random_raw(CHUNK // 2), "<u8").view("<u4")
        scaled = np.multiply(bits, radix, dtype=np.uint64)
        digits[row] = np.right_shift(scaled, 32, out=scaled)


def _about_lowest(key: NDArray[Any], count: int) -> NDArray[np.intp]:
    """Return the places of the ``count`` lowest keys, and of all that equal the last of them."""
    if count >= len(key):
        return np.arange(len(key))
    return np.flatnonzero(key <= np.partition(key, count - 1)[count - 1])
