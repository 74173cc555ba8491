"""The figures of many members at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
"""Amounts that a part's table may hold: 32 MiB."""

STEP: Final = 2**14
"""Rows worked out at once, so that all of their arrays stay in the cache."""

_COSTS: Final = frozenset(figure.name for figure in COSTS)


class Engine:
    """Works out ``figures`` of members of a space, by their names.

    What a part comes to is tabulated where the part has few combinations beside the members
    that are to be looked at: then a member costs a look-up a part. Raises `UserError` where
    figures would be too large to be exact.
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

    def exist(self, digits: Digits) -> NDArray[np.bool_]:
        """Return which members can be built at all."""
        return _array(prod(part.exists(digits) for part in self._parts), digits) > 0

    def values(self, digits: Digits) -> list[NDArray[Any]]:
        """Return each figure of each member; of members that cannot be built, any number."""
        of_parts = zip(*(part.amounts(digits) for part in self._parts), strict=True)
        costs = {
            name: whole(name, self._counting, one.together(amounts), self._input_elements(digits))
            for name, one, amounts in zip(self._costs, self._measures, of_parts, strict=True)
        }
        return [
            _array(costs[name] if name in costs else self._axis_value(name, digits), digits)
            for name in self.figures
        ]

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
                raise UserError(f"{name} of the largest members may go {TOO_LARGE}")


_SIDES: Final[Mapping[str, Callable[[tuple[int, int]], int]]] = {
    "height": lambda size: size[0],
    "width": lambda size: size[1],
    "size": max,
}


class _Tabulated:
    """A part, worked out beforehand where it has few combinations."""

    def __init__(self, part: SpacePart, measures: Sequence[Measure], members: int) -> None:
        self._part = part
        self._measures = measures
        self._columns = part.columns
        self._entries = prod(map(len, self._columns))
        cells = self._entries * len(measures)
        worth_it = self._entries <= members and cells <= MAX_CELLS
        self._table = self._worked_out() if worth_it else None

    def exists(self, digits: Digits) -> Amount:
        """Return whether the part of each member can be built."""
        return self._part.exists(digits)

    def amounts(self, digits: Digits) -> list[Amount]:
        """Return what the part of each member comes to, measure by measure."""
        if self._table is None:
            return self._part.amounts(digits, self._measures)
        number = numbers(self._columns, digits)
        return [column[number] for column in self._table]

    def _worked_out(self) -> list[NDArray[np.int64]]:
        rows = 1 + max((column.row or 0 for column in self._columns), default=0)
        table = [np.empty(self._entries, np.int64) for _ in self._measures]
        for start in range(0, self._entries, STEP):
            entries = np.arange(start, min(start + STEP, self._entries))
            digits = np.zeros((rows, len(entries)), np.intp)
            rest = entries
            for column in reversed(self._columns):
                rest, digits[column.row] = np.divmod(rest, len(column))
            for filled, amounts in zip(
                table, self._part.amounts(digits, self._measures), strict=True
            ):
                filled[start : start + STEP] = amounts
        return table


def _array(value: Any, digits: Digits) -> NDArray[Any]:
    return np.broadcast_to(value, digits.shape[1:])
