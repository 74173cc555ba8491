"""Members as columns: target, values of the varied axes, figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mbv2cli.search.found import Kept
from mbv2cli.search.question import REPORTED, Keep, Question
from mbv2cli.search.space import Space


@dataclass(frozen=True, slots=True)
class _AxisColumn:
    """What a column holds for each value of an axis, which has this number among the varied."""

    name: str
    number: int
    values: Sequence[Any]

    @property
    def type(self) -> type:
        """The type of all values; numbers are floats if one of them is."""
        types = {type(value) for value in self.values}
        return types.pop() if len(types) == 1 else float


class MemberRows:
    """The columns of a question's members; they follow from the question alone."""

    def __init__(self, question: Question) -> None:
        self._space = question.space
        self._axes = tuple(_axis_columns(question.space))
        self._tells_feasible = question.keep is Keep.BUILDABLE

    @property
    def types(self) -> dict[str, type]:
        """The name and type of each column."""
        types: dict[str, type] = {"target": str}
        types |= {column.name: column.type for column in self._axes}
        types |= dict.fromkeys(REPORTED, int)
        return types | ({"feasible": bool} if self._tells_feasible else {})

    def columns(self, kept: Kept) -> list[list[Any]]:
        """Return the columns of members, in the order of `types`."""
        members = kept.members
        digits = members.digits.tolist()
        axes = ([one.values[digit] for digit in digits[one.number]] for one in self._axes)
        figures = (figure.tolist() for figure in members.values)
        feasible = [kept.fits.tolist()] if self._tells_feasible else []
        return [[self._space.target(member) for member in members], *axes, *figures, *feasible]


def _axis_columns(space: Space) -> Iterator[_AxisColumn]:
    for number, axis in enumerate(space.varied):
        if axis.key == "size":
            yield _AxisColumn("height", number, [height for height, _ in axis.values])
            yield _AxisColumn("width", number, [width for _, width in axis.values])
        else:
            yield _AxisColumn(axis.name, number, axis.values)
