"""Some members of a space, held as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbv2cli.search.tables import Digits


@dataclass(frozen=True, eq=False, slots=True)
class Members:
    """Members in the order of their positions: digits (an axis a row) and figures (a row each)."""

    positions: NDArray[np.int64]
    digits: Digits
    values: tuple[NDArray[Any], ...]

    @classmethod
    def of_chunk(cls, start: int, digits: Digits, values: Sequence[NDArray[Any]]) -> Members:
        """Return the members of a chunk that starts at position ``start``."""
        return cls(np.arange(start, start + digits.shape[1]), digits, tuple(values))

    @classmethod
    def none(cls, axes: int, figures: int) -> Members:
        """Return no members."""
        empty = np.empty(0, np.int64)
        return cls(empty, np.empty((axes, 0), np.uint16), (empty,) * figures)

    @classmethod
    def joined(cls, several: Sequence[Members]) -> Members:
        """Return several together, in their order; at least one has to be given."""
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
        """Yield the numbers of each member's choices."""
        yield from map(tuple, self.digits.T.tolist())

    def at(self, places: NDArray[Any]) -> Members:
        """Return the members at these places, or where a mask is true."""
        return Members(
            self.positions[places],
            self.digits[:, places].astype(np.uint16, copy=False),
            tuple(value[places] for value in self.values),
        )

    def first(self, count: int) -> Members:
        """Return the first so many, or all if there are no more."""
        return self.at(np.arange(min(count, len(self))))

    def with_values(self, values: Sequence[NDArray[Any]]) -> Members:
        """Return the same members with other figures."""
        return Members(self.positions, self.digits, tuple(values))

    def firsts(self) -> NDArray[np.intp]:
        """Return the place of each member's first appearance: a sample may draw one twice."""
        _, places = np.unique(self.digits, axis=1, return_index=True)
        return np.sort(places)
