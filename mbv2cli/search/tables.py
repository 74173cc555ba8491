"""Values of members looked up by the numbers of their choices.

Members come as ``digits``: an array of (varied axes, members), each row the numbers of the
values taken on one axis.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from math import prod
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mbv2cli.errors import UserError
from mbv2cli.search.space import Axis, Space

Digits: TypeAlias = NDArray[np.integer[Any]]

LARGEST: Final = 2**60
"""Numbers up to this are exact in int64, with room for sums of a few."""

TOO_LARGE: Final = "beyond 2^60, where a sweep no longer counts exactly; give smaller values"

MAX_COMBINATIONS: Final = 2**22
"""Values that one table may hold: beyond, working them out would take minutes."""


class Column:
    """An axis, and the row of the digits that it has if it is varied."""

    def __init__(self, axis: Axis, row: int | None) -> None:
        self.axis = axis
        self.row = row

    def __len__(self) -> int:
        return len(self.axis.values)


class Columns:
    """The axes of a space with their rows."""

    def __init__(self, space: Space) -> None:
        self.space = space
        rows = itertools.count()
        self._by_place = {
            (axis.key, axis.stage): Column(axis, next(rows) if len(axis.values) > 1 else None)
            for axis in space.axes
        }

    def of(self, key: str, stage: int | None = None) -> Column:
        """Return the column of a field."""
        return self._by_place[key, stage]


def numbers(columns: Iterable[Column], digits: Digits) -> Any:
    """Return the number of each member's combination, the last column running fastest.

    A plain 0 where none of the columns is varied. The numbers have the smallest type that
    holds them all: it is several times as fast as the largest.
    """
    varied = [column for column in columns if column.row is not None]
    kind = np.min_scalar_type(prod(map(len, varied)) - 1)
    number: Any = 0
    for column in varied:
        number = number * len(column) + digits[column.row].astype(kind, copy=False)
    return number


class Lookup:
    """A whole number (or truth) that follows from the values of some axes."""

    def __init__(self, function: Callable[..., int], *columns: Column) -> None:
        self.function = function
        self.columns = columns
        combinations = prod(map(len, columns))
        if combinations > MAX_COMBINATIONS:
            names = ", ".join(column.axis.name for column in columns if column.row is not None)
            raise UserError(
                f"{names} make {combinations:,} combinations; at most {MAX_COMBINATIONS:,} are "
                "possible, so give fewer values"
            )
        axes = (column.axis.values for column in columns)
        values = [int(function(*combination)) for combination in itertools.product(*axes)]
        self.largest = max(values)
        self.smallest = min(values)
        if self.largest > LARGEST:
            raise UserError(f"strides, sizes or channels multiply {TOO_LARGE}")
        self._values = np.array(values, np.int64)

    def __call__(self, digits: Digits) -> Any:
        """Return each member's value; one int where all members have the same."""
        if self.smallest == self.largest:
            return self.largest
        return self._values[numbers(self.columns, digits)]
