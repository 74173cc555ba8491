"""Which members of a space are looked at: all of them in order, or a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from mbv2cli.errors import UserError
from mbv2cli.search.space import Space
from mbv2cli.search.tables import Digits

CHUNK: Final = 2**13
"""Members worked out at once, so that their arrays stay in the cache. Samples depend on it."""

MAX_ENUMERATED: Final = 10**8
"""Members of a space that is looked at as a whole."""


@dataclass(frozen=True, slots=True)
class Draw:
    """The members at positions 0, 1, … ``count`` - 1 of a space or, with a seed, of a sample."""

    count: int
    seed: int | None = None


def draw_of(space: Space, sample: int | None, seed: int) -> Draw:
    """Return how to look at ``sample`` members, or at all where there are no more.

    Raises `UserError` where that would be all of too large a space.
    """
    if sample is not None and sample < space.size:
        return Draw(sample, seed)
    if sample is None and space.size > MAX_ENUMERATED:
        raise UserError(
            f"the space has {space.size:,} members, and at most {MAX_ENUMERATED:,} are gone "
            "through one by one; draw some of them with --sample 1M"
        )
    return Draw(space.size)


def digits_of_chunk(space: Space, draw: Draw, chunk: int, out: Digits | None = None) -> Digits:
    """Return the digits of the members at the positions of a chunk, written to ``out`` if given.

    ``out`` is an array of `empty_digits`. To fill it again is faster than to get a new one.
    """
    digits = empty_digits(space) if out is None else out
    radices = [len(axis.values) for axis in space.varied]
    if draw.seed is None:
        _number(digits, radices, chunk * CHUNK)
    else:
        _draw(digits, radices, draw.seed, chunk)
    return digits[:, : draw.count - chunk * CHUNK]


def empty_digits(space: Space) -> Digits:
    """Return an array for the digits of a chunk, not yet filled."""
    return np.empty((len(space.varied), CHUNK), np.uint16)


def _number(digits: Digits, radices: list[int], start: int) -> None:
    """Write the digits of consecutive members."""
    rest = np.arange(start, start + CHUNK)
    for row, radix in reversed(list(enumerate(radices))):
        above = rest // radix
        digits[row] = rest - above * radix
        rest = above


def _draw(digits: Digits, radices: list[int], seed: int, chunk: int) -> None:
    """Draw uniformly, with replacement; the same on every machine and with every numpy.

    numpy keeps the raw bits of a generator the same for ever, not what it makes of them; 32
    bits scaled to at most 4,096 choices are uniform to one part in a million.
    """
    generator = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(chunk,)))
    for row, radix in enumerate(radices):
        bits = np.asarray(generator.random_raw(CHUNK // 2), "<u8").view("<u4")
        scaled = np.multiply(bits, radix, dtype=np.uint64)
        digits[row] = np.right_shift(scaled, 32, out=scaled)
