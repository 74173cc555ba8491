"""Look-up tables of values that follow from some axes of a space.

Members are given as ``digits``, an array of shape (varied axes, members). A digit is the number
of the value that a member has on an axis.
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
"""Largest number that is computed: sums of a few of them are exact in int64."""

TOO_LARGE: Final = "exceed 2^60, the largest exact number of a sweep; use smaller values"

MAX_COMBINATIONS: Final = 2**22
"""Largest number of values in a table: it takes seconds to compute them."""


class Column:
    """An axis, and its row of the digits if it is varied."""

    def __init__(self, axis: Axis, row: int | None) -> None:
        self.axis = axis
        self.row = row

    def __len__(self) -> int:
        return len(self.axis.values)


class Columns:
    """The columns of all axes of a space."""

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
    """Return the number of each member's combination of values. The last column varies fastest.

    Without varied columns, it is 0 for all members. The array has the smallest type that holds
    every number, because small types are several times as fast.
    """
    varied = [column for column in columns if column.row is not None]
    kind = np.min_scalar_type(prod(map(len, varied)) - 1)
    number: Any = 0
    for column in varied:
        number = number * len(column) + digits[column.row].astype(kind, copy=False)
    return number


class Lookup:
    """A table of a function from values of some axes to a whole number or a truth value."""

    def __init__(self, function: Callable[..., int], *columns: Column) -> None:
        self.function = function
        self.columns = columns
        combinations = prod(map(len, columns))
        if combinations > MAX_COMBINATIONS:
            names = ", ".join(column.axis.name for column in columns if column.row is not None)
            raise UserError(
                f"{names} have {combinations:,} combinations; at most {MAX_COMBINATIONS:,} are "
                "allowed, so use fewer values"
            )
        axes = (column.axis.values for column in columns)
        values = [int(function(*combination)) for combination in itertools.product(*axes)]
        self.largest = max(values)
        self.smallest = min(values)
        if self.largest > LARGEST:
            raise UserError(f"products of strides, sizes or channels {TOO_LARGE}")
        self._values = np.array(values, np.int64)

    def __call__(self, digits: Digits) -> Any:
        """Return the value of each member, or one int if all have the same value."""
        if self.smallest == self.largest:
            return self.largest
        return self._values[numbers(self.columns, digits)]
