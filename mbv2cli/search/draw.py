"""Which members of a space are looked at: all of them in order, or a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

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


def digits_of_chunk(space: Space, draw: Draw, chunk: int) -> Digits:
    """Return the digits of the members at the positions of a chunk."""
    radices = [len(axis.values) for axis in space.varied]
    rows = min(CHUNK, draw.count - chunk * CHUNK)
    if draw.seed is None:
        return _in_order(radices, chunk * CHUNK, rows)
    return _drawn(radices, draw.seed, chunk)[:, :rows]


def _in_order(radices: list[int], start: int, rows: int) -> Digits:
    digits = np.empty((len(radices), rows), np.intp)
    rest = np.arange(start, start + rows)
    for row, radix in reversed(list(enumerate(radices))):
        above = rest // radix
        digits[row] = rest - above * radix
        rest = above
    return digits


def _drawn(radices: list[int], seed: int, chunk: int) -> Digits:
    """Draw uniformly, with replacement; the same on every machine and with every numpy.

    numpy keeps the raw bits of a generator the same for ever, not what it makes of them; 32
    bits scaled to at most 4,096 choices are uniform to one part in a million.
    """
    generator = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(chunk,)))
    raw = generator.random_raw(len(radices) * CHUNK // 2)
    bits: NDArray[np.uint32] = np.asarray(raw, "<u8").view("<u4").reshape(len(radices), CHUNK)
    digits = np.empty(bits.shape, np.intp)
    for row, radix in enumerate(radices):
        np.right_shift(np.multiply(bits[row], radix, dtype=np.int64), 32, out=digits[row])
    return digits
