"""Look-up tables of values that follow from some axes of a space.

Members are given as ``digits``, an array of shape (varied axes, members). A digit is the number
of the value that a member has on an axis.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from math import prod
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mbv2cli.errors import UserError
from mbv2cli.search.interrupts import raise_interrupt
from mbv2cli.search.space import Axis, Space
from mbv2cli.specs.units import count_text

Digits: TypeAlias = NDArray[np.integer[Any]]

DIGIT: Final = np.uint16
"""The type of a digit. It holds every number below `MAX_CHOICES`, the most values of an axis."""

LARGEST: Final = 2**60
"""Largest number that is computed: sums of a few of them are exact in int64."""

TOO_LARGE: Final = "exceed 2^60, the largest exact number of a sweep; use smaller values"

MAX_COMBINATIONS: Final = 2**22
"""Largest number of values in a table."""

MAX_ARGUMENTS: Final = 3 * 2**22
"""Largest number of arguments to the functions of all tables of a space: it takes seconds."""

_LOOK: Final = 2**12
"""Values that are computed before the next look for Ctrl-C."""

MAX_VALUES: Final = 2**25
"""Largest number of values in all tables of a space: 256 MiB."""


class Work:
    """The work for all tables of a space so far."""

    def __init__(self) -> None:
        self._arguments = 0
        self._values = 0

    def add(self, arguments: int, values: int) -> None:
        """Note a table that is about to be computed.

        Raises `UserError` if the tables of the space would take too long, or too much memory.
        """
        self._arguments += arguments
        self._values += values
        if self._arguments > MAX_ARGUMENTS or self._values > MAX_VALUES:
            raise UserError(
                "the fields of the space have too many combinations of values; use fewer values "
                "for the fields that set channels, strides or sizes"
            )


class Column:
    """An axis, and its row of the digits if it is varied. ``work`` is that of its space."""

    def __init__(self, axis: Axis, row: int | None, work: Work) -> None:
        self.axis = axis
        self.row = row
        self.work = work

    def __len__(self) -> int:
        return len(self.axis.values)

    @property
    def distinct(self) -> tuple[Sequence[Any], NDArray[np.intp]]:
        """The values, and the place of each of them."""
        return self.axis.values, np.arange(len(self))


class Columns:
    """The columns of all axes of a space."""

    def __init__(self, space: Space) -> None:
        self.space = space
        rows = itertools.count()
        work = Work()
        self._by_place = {
            (axis.key, axis.stage): Column(axis, next(rows) if len(axis.values) > 1 else None, work)
            for axis in space.axes
        }

    def of(self, key: str, stage: int | None = None) -> Column:
        """Return the column of a field."""
        return self._by_place[key, stage]

    def words(self, *keys: str) -> tuple[str, ...]:
        """Return every value of the fields of these names, of the stages too; None is left out."""
        axes = (column.axis for (key, _), column in self._by_place.items() if key in keys)
        return tuple(
            dict.fromkeys(value for axis in axes for value in axis.values if value is not None)
        )


def numbers(columns: Iterable[Column], digits: Digits) -> Any:
    """Return the number of each member's combination of values. The last column varies fastest.

    Without varied columns, it is 0 for all members. The array has the smallest type that holds
    every number, because small types are several times as fast.
    """
    varied = [column for column in columns if column.row is not None]
    # Nothing wraps: each step makes numbers below the product of the lengths so far. This product
    # divides `combinations`, and `kind` holds the largest number, combinations - 1. A length
    # that is multiplied with an array is at most half of it, as a varied column is before it.
    combinations = prod(map(len, varied))
    if combinations > MAX_COMBINATIONS:
        raise OverflowError(f"{combinations:,} combinations have no numbers")
    kind = np.min_scalar_type(combinations - 1)
    number: Any = 0
    for column in varied:
        number = number * len(column) + digits[column.row].astype(kind, copy=False)
    return number


class Lookup:
    """A table of a function from values of some axes to a whole number or a truth value.

    A source of the function is a column or another lookup. The function runs once for each
    combination of different values of its sources, when the table is used for the first time.
    """

    def __init__(self, function: Callable[..., int], *sources: Column | Lookup) -> None:
        self._function = function
        self._sources = sources
        self.columns: tuple[Column, ...] = tuple(
            column
            for source in sources
            for column in ((source,) if isinstance(source, Column) else source.columns)
        )
        self._combinations = prod(map(len, self.columns))
        if self._combinations > MAX_COMBINATIONS:
            names = ", ".join(column.axis.name for column in self.columns if column.row is not None)
            raise UserError(
                f"{names} have {count_text(self._combinations)} combinations; at most "
                f"{MAX_COMBINATIONS:,} are allowed, so use fewer values"
            )

    @cached_property
    def largest(self) -> int:
        """The largest value."""
        return self._only if self._combinations == 1 else int(self._values.max())

    @cached_property
    def smallest(self) -> int:
        """The smallest value."""
        return self._only if self._combinations == 1 else int(self._values.min())

    @cached_property
    def _only(self) -> int:
        """The value, where there is one combination: without an array, in a tenth of the time."""
        found = int(self._function(*(source.distinct[0][0] for source in self._sources)))
        if found > LARGEST:
            raise UserError(f"products of strides, sizes or channels {TOO_LARGE}")
        return found

    @cached_property
    def _values(self) -> NDArray[np.int64]:
        """The value of each combination, by its number. None is above `LARGEST`."""
        of_sources = [source.distinct for source in self._sources]
        counts = [len(values) for values, _ in of_sources]
        self.columns[0].work.add(prod(counts) * len(counts), self._combinations)
        every = itertools.product(*(values for values, _ in of_sources))
        try:
            found = np.fromiter(self._called(every), np.int64, prod(counts))
        except OverflowError:
            found = np.array([LARGEST + 1])
        if found.max() > LARGEST:
            raise UserError(f"products of strides, sizes or channels {TOO_LARGE}")
        if all(isinstance(source, Column) for source in self._sources):
            return found
        return found.reshape(counts)[np.ix_(*(places for _, places in of_sources))].ravel()

    def _called(self, every: Iterator[tuple[Any, ...]]) -> Iterator[int]:
        """Yield the function of each combination. Raises `KeyboardInterrupt`."""
        while some := tuple(itertools.islice(every, _LOOK)):
            raise_interrupt()
            yield from itertools.starmap(self._function, some)

    @cached_property
    def distinct(self) -> tuple[Sequence[int], NDArray[np.intp]]:
        """The different values, and for each combination the place of its value."""
        if self._combinations == 1:
            return [self._only], np.zeros(1, np.intp)
        values, places = np.unique(self._values, return_inverse=True)
        return values.tolist(), places.ravel()

    def __call__(self, digits: Digits) -> Any:
        """Return the value of each member, or one int if all have the same value."""
        if self.smallest == self.largest:
            return self.largest
        return self._values[numbers(self.columns, digits)]
