"""The figures of many members at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mbv2cli.costs.figures import Combine, Counting, Figure
from mbv2cli.costs.memory import Amount
from mbv2cli.errors import UserError
from mbv2cli.search.figures import BOUNDS, COSTS
from mbv2cli.search.interrupts import raise_interrupt
from mbv2cli.search.segments import SpaceSegment, needs_of_model, segments_of
from mbv2cli.search.space import Space
from mbv2cli.search.tables import LARGEST, TOO_LARGE, Columns, Digits, Lookup, numbers

MAX_CELLS: Final = 2**22
"""Amounts that the table of a segment may hold: 32 MiB."""

MAX_ALL_CELLS: Final = 2**24
"""Amounts that the tables of all segments may hold: 128 MiB."""

STEP: Final = 2**14
"""Table entries that are computed at once: their arrays fit in the cache."""


class Engine:
    """Computes figures, given by name, of members of a space; of some, a bound (`BOUNDS`).

    The amounts of a segment are precomputed if the segment has fewer combinations than there
    are members to look at: then a member costs one look-up a segment. Raises `UserError` if
    figures would be too large to be exact.
    """

    def __init__(
        self, space: Space, figures: Sequence[str], counting: Counting, members: int
    ) -> None:
        self.figures = tuple(figures)
        self._counting = counting
        costs = {**COSTS, **BOUNDS}
        self._costs = [costs[name] for name in figures if name in costs]
        columns, segments = _segments(space, counting)
        self._needs = needs_of_model(columns)
        self._refuse_too_large(segments)
        self._segments = _tabulated(segments, self._costs, members)
        self._axes = {name: _axis_value(columns, name) for name in figures if name not in costs}
        self._scratch = np.empty((len(self._costs) + 2, 0), np.int64)
        """Filled again for each chunk: to get new arrays takes longer than to fill them."""

    def exist(self, digits: Digits) -> NDArray[np.bool_]:
        """Return which members can be built at all."""
        of_segments = prod(one.exists(digits) for one in self._segments)
        return _array(of_segments * prod(one(digits) for one in self._needs), digits) > 0

    def values(self, digits: Digits) -> list[NDArray[Any]]:
        """Return an array for each figure; members that cannot be built have arbitrary numbers.

        The next call overwrites the arrays.
        """
        of_segments = zip(self._costs, self._of_segments(digits), strict=True)
        costs = {figure.name: figure.start + amounts for figure, amounts in of_segments}
        return [
            _array(costs[name] if name in costs else self._axes[name](digits), digits)
            for name in self.figures
        ]

    def _of_segments(self, digits: Digits) -> NDArray[np.int64]:
        """Return, a row for each figure, the sum of all segments' amounts or the highest."""
        members = digits.shape[1]
        if self._scratch.shape[1] < members:
            self._scratch = np.empty((len(self._costs) + 2, members), np.int64)
        found, scratch = np.split(self._scratch[:, :members], [-2])
        found[:] = 0  # no amount is below 0
        for segment in self._segments:
            of_segment = segment.amounts(digits, scratch)
            for figure, row, amounts in zip(self._costs, found, of_segment, strict=True):
                is_sum = figure.combine(self._counting) is Combine.SUM
                (np.add if is_sum else np.maximum)(row, amounts, out=row)
        return found

    def _refuse_too_large(self, segments: Sequence[SpaceSegment]) -> None:
        bounds = zip(*(segment.at_most(self._costs) for segment in segments), strict=True)
        for figure, amounts in zip(self._costs, bounds, strict=True):
            # a sum, for a model's highest amount is not above it either
            if figure.start + sum(amounts) > LARGEST:
                raise UserError(f"{figure.name} of the largest members may {TOO_LARGE}")


_SIDES: Final[Mapping[str, Callable[[tuple[int, int]], int]]] = {
    "height": lambda size: size[0],
    "width": lambda size: size[1],
    "size": max,
}


@lru_cache(maxsize=1)
def _segments(space: Space, counting: Counting) -> tuple[Columns, Sequence[SpaceSegment]]:
    """Return the columns and segments of a space. Several engines share their tables."""
    columns = Columns(space)
    return columns, segments_of(columns, counting)


def _axis_value(columns: Columns, name: str) -> Callable[[Digits], Any]:
    """Return what gives each member's value of an axis, or a side of its input."""
    if name in _SIDES:
        return Lookup(_SIDES[name], columns.of("size"))
    column = columns.of(name)
    values = np.array(column.axis.values)
    return lambda digits: values[numbers([column], digits)]


def _tabulated(
    segments: Sequence[SpaceSegment], figures: Sequence[Figure], members: int
) -> list[_Tabulated]:
    """Return the segments, with tables of those that have few combinations."""
    tabulated = [_Tabulated(one, figures) for one in segments]
    cells = 0
    for one in sorted(tabulated, key=lambda segment: segment.entries):
        cells += one.entries * len(figures)
        if cells <= MAX_ALL_CELLS and one.entries * len(figures) <= MAX_CELLS:
            one.fill(members)
    return tabulated


class _Tabulated:
    """A segment, and a table of its amounts if it has few combinations (``entries``)."""

    def __init__(self, segment: SpaceSegment, figures: Sequence[Figure]) -> None:
        self._segment = segment
        self._figures = figures
        self._columns = segment.columns
        self.entries = prod(map(len, self._columns))
        self._table: list[NDArray[np.int64]] | None = None

    def fill(self, members: int) -> None:
        """Compute the table if it has no more entries than there are members to look at."""
        if self.entries <= members:
            self._table = [np.empty(self.entries, np.int64) for _ in self._figures]
            self._always_exists = self._fill(self._table)

    def exists(self, digits: Digits) -> Amount:
        """Return whether the segment of each member can be built."""
        return True if self._table and self._always_exists else self._segment.exists(digits)

    def amounts(self, digits: Digits, scratch: NDArray[np.int64]) -> Iterator[Amount]:
        """Yield what the segment of each member adds to each figure.

        ``scratch`` has two rows. Each array overwrites the one before.
        """
        if self._table is None:
            yield from self._segment.amounts(digits, self._figures)
            return
        entries, amounts = scratch
        entries[:] = numbers(self._columns, digits)
        for column in self._table:
            # no entry is out of bounds; with mode="raise", `take` copies its output once more
            yield column.take(entries, out=amounts, mode="clip")

    def _fill(self, table: Sequence[NDArray[np.int64]]) -> bool:
        """Compute the amounts of all combinations; return whether all of them can be built."""
        always_exists = True
        rows = 1 + max((column.row or 0 for column in self._columns), default=0)
        for start in range(0, self.entries, STEP):
            raise_interrupt()
            entries = np.arange(start, min(start + STEP, self.entries))
            digits = np.zeros((rows, len(entries)), np.intp)
            rest = entries
            for column in reversed(self._columns):
                rest, digits[column.row] = np.divmod(rest, len(column))
            always_exists &= bool(np.all(self._segment.exists(digits)))
            for filled, amounts in zip(
                table, self._segment.amounts(digits, self._figures), strict=True
            ):
                filled[start : start + STEP] = amounts
        return always_exists


def _array(value: Any, digits: Digits) -> NDArray[Any]:
    return np.broadcast_to(value, digits.shape[1:])
