"""The figures of many members at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mbv2cli.errors import UserError
from mbv2cli.search.figures import COSTS
from mbv2cli.search.measures import Amount, Counting, Measure, measure, whole
from mbv2cli.search.parts import SpacePart, parts_of
from mbv2cli.search.space import Space
from mbv2cli.search.tables import LARGEST, TOO_LARGE, Columns, Digits, Lookup, numbers

MAX_CELLS: Final = 2**22
"""Largest number of amounts in the tables of a part: 32 MiB."""

STEP: Final = 2**14
"""Table entries that are computed at once: their arrays fit in the cache."""

_COSTS: Final = frozenset(figure.name for figure in COSTS)


class Engine:
    """Computes figures, given by name, of members of a space.

    The amounts of a part are precomputed in a table if the part has fewer combinations of inputs
    than there are ``members`` to search. Then a member costs one look-up per part. Raises
    `UserError` if figures may be too large to be exact.
    """

    def __init__(
        self, space: Space, figures: Sequence[str], counting: Counting, members: int
    ) -> None:
        self.figures = tuple(figures)
        self._counting = counting
        self._columns = Columns(space)
        self._costs = [name for name in figures if name in _COSTS]
        self._measures = [measure(name, counting) for name in self._costs]
        self._own_input = [
            Lookup(int, self._columns.of("in")),
            Lookup(int, self._columns.of("batch")),
            Lookup(prod, self._columns.of("size")),
        ]
        parts = parts_of(self._columns)
        self._refuse_too_large(parts)
        self._parts = [_Tabulated(part, self._measures, members) for part in parts]
        self._scratch = np.empty((len(self._measures) + 2, 0), np.int64)
        """Filled again for each chunk: to allocate new arrays takes longer than to fill them."""

    def exist(self, digits: Digits) -> NDArray[np.bool_]:
        """Return a mask of the members that can be built."""
        return _array(prod(part.exists(digits) for part in self._parts), digits) > 0

    def values(self, digits: Digits) -> list[NDArray[Any]]:
        """Return an array for each figure; members that cannot be built have arbitrary numbers.

        The next call overwrites the arrays.
        """
        own_input = self._input_elements(digits)
        costs = {
            name: whole(name, self._counting, of_parts, own_input)
            for name, of_parts in zip(self._costs, self._of_parts(digits), strict=True)
        }
        return [
            _array(costs[name] if name in costs else self._axis_value(name, digits), digits)
            for name in self.figures
        ]

    def _of_parts(self, digits: Digits) -> NDArray[np.int64]:
        """Return a row for each measure: the sum or the maximum of the amounts of all parts."""
        members = digits.shape[1]
        if self._scratch.shape[1] < members:
            self._scratch = np.empty((len(self._measures) + 2, members), np.int64)
        found, scratch = np.split(self._scratch[:, :members], [-2])
        found[:] = 0  # no amount is below 0
        for part in self._parts:
            of_part = part.amounts(digits, scratch)
            for one, row, amounts in zip(self._measures, found, of_part, strict=True):
                combine = np.maximum if one.highest else np.add
                combine(row, amounts, out=row)
        return found

    def _input_elements(self, digits: Digits) -> Amount:
        return prod(lookup(digits) for lookup in self._own_input)

    def _axis_value(self, name: str, digits: Digits) -> Any:
        if name in _SIDES:
            return Lookup(_SIDES[name], self._columns.of("size"))(digits)
        column = self._columns.of(name)
        return np.array(column.axis.values)[numbers([column], digits)]

    def _refuse_too_large(self, parts: Sequence[SpacePart]) -> None:
        bounds = zip(*(part.at_most(self._measures) for part in parts), strict=True)
        own_input = prod(lookup.largest for lookup in self._own_input)
        for name, amounts in zip(self._costs, bounds, strict=True):
            if whole(name, self._counting, sum(amounts), own_input) > LARGEST:
                raise UserError(f"{name} of the largest members may {TOO_LARGE}")


_SIDES: Final[Mapping[str, Callable[[tuple[int, int]], int]]] = {
    "height": lambda size: size[0],
    "width": lambda size: size[1],
    "size": max,
}


class _Tabulated:
    """A part with precomputed amounts if it has few combinations of inputs."""

    def __init__(self, part: SpacePart, measures: Sequence[Measure], members: int) -> None:
        self._part = part
        self._measures = measures
        self._columns = part.columns
        self._entries = prod(map(len, self._columns))
        self._table: list[NDArray[np.int64]] | None = None
        if self._entries <= members and self._entries * len(measures) <= MAX_CELLS:
            self._table = [np.empty(self._entries, np.int64) for _ in measures]
            self._always_exists = self._fill(self._table)

    def exists(self, digits: Digits) -> Amount:
        """Return, for each member or all together, whether the part can be built."""
        return True if self._table and self._always_exists else self._part.exists(digits)

    def amounts(self, digits: Digits, scratch: NDArray[np.int64]) -> Iterator[Amount]:
        """Yield the amounts of the part, measure by measure: an array, or an int for all members.

        ``scratch`` has two rows. Each array overwrites the one before.
        """
        if self._table is None:
            yield from self._part.amounts(digits, self._measures)
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
        for start in range(0, self._entries, STEP):
            entries = np.arange(start, min(start + STEP, self._entries))
            digits = np.zeros((rows, len(entries)), np.intp)
            rest = entries
            for column in reversed(self._columns):
                rest, digits[column.row] = np.divmod(rest, len(column))
            always_exists &= bool(np.all(self._part.exists(digits)))
            for filled, amounts in zip(
                table, self._part.amounts(digits, self._measures), strict=True
            ):
                filled[start : start + STEP] = amounts
        return always_exists


def _array(value: Any, digits: Digits) -> NDArray[Any]:
    return np.broadcast_to(value, digits.shape[1:])
