"""What is asked of a space, as data that can travel to other processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from mbv2cli.costs.figures import Counting
from mbv2cli.errors import UserError
from mbv2cli.gate.limits import Limits
from mbv2cli.search.draw import Draw
from mbv2cli.search.figures import COSTS, refuse_unknown
from mbv2cli.search.space import Space
from mbv2cli.search.where import Where

REPORTED: Final = tuple(COSTS)
"""The figures of members that are handed on."""

DISTRIBUTED: Final = ("macs", "params", "peak", "flash")
"""The figures whose distribution is told."""

SAMPLE: Final = 2**17
"""Members that a distribution is taken of: all, or a uniform sample of so many."""

CLOUD: Final = 1_000
"""Members in a picture, of those that fit and of the others."""

_FRONT_FIGURES: Final = (2, 3)


class Bound(NamedTuple):
    """The most that a figure may be or, for ``is_minimum``, the least."""

    figure: str
    limit: int
    is_minimum: bool = False


class Ordering(NamedTuple):
    """A figure, the less the better or, ``descending``, the more."""

    figure: str
    descending: bool = False


class Keep(Enum):
    """Which members are handed on, one after the other."""

    NONE = "none"
    FEASIBLE = "feasible"
    BUILDABLE = "buildable"


@dataclass(frozen=True)
class Question:
    """Which members of ``space`` are looked at, what has to hold, and what is to be found.

    ``top`` members come first by ``order``; ``front`` are the figures of the Pareto front,
    ``plotted`` those of the axes of a picture, if there are to be any. ``cdf`` asks how the
    members that fit are distributed; ``verified`` of them will be built.
    """

    space: Space
    draw: Draw
    counting: Counting
    bounds: tuple[Bound, ...]
    where: Where | None
    order: Ordering
    top: int
    front: tuple[Ordering, ...] = ()
    plotted: tuple[str, ...] = ()
    cdf: bool = False
    verified: int = 0
    keep: Keep = Keep.NONE

    @property
    def searched(self) -> tuple[str, ...]:
        """The figures that every member is asked for."""
        names = (
            self.order.figure,
            *(ordering.figure for ordering in self.front),
            *(bound.figure for bound in self.bounds),
            *(self.where.names if self.where else ()),
            *self.plotted,
            *(DISTRIBUTED if self.cdf else ()),
        )
        return tuple(dict.fromkeys(names))

    @property
    def sampled(self) -> int:
        """How many of the members that fit are drawn."""
        cloud = CLOUD if self.plotted else 0
        return max(SAMPLE if self.cdf else 0, cloud, self.verified)

    @property
    def others_sampled(self) -> int:
        """How many of those are drawn that can be built and do not fit."""
        return CLOUD if self.plotted else 0

    @property
    def conditions(self) -> tuple[Bound | Where, ...]:
        """All that has to hold."""
        return (*self.bounds, self.where) if self.where else self.bounds


def bounds_of(limits: Limits) -> Iterator[Bound]:
    """Yield the limits that are set."""
    for key in type(limits).model_fields:
        kind, _, figure = key.partition("_")
        limit = getattr(limits, key)
        if kind in ("max", "min") and limit is not None:
            yield Bound(figure, limit, is_minimum=kind == "min")


def read_order(text: str, space: Space) -> Ordering:
    """Read ``macs``, or ``-macs`` for the most first. Raises `UserError`."""
    return _ordering(text, space, "--sort")


def read_front(text: str, space: Space) -> tuple[Ordering, ...]:
    """Read ``params,-macs``: two or three figures, the less the better but for ``-``.

    Raises `UserError`.
    """
    orderings = tuple(_ordering(word, space, "--pareto") for word in text.split(","))
    figures = {ordering.figure for ordering in orderings}
    if len(figures) < len(orderings) or len(figures) not in _FRONT_FIGURES:
        raise UserError(
            f"--pareto takes two or three different figures, such as peak,-macs, not '{text}'"
        )
    return orderings


def _ordering(text: str, space: Space, place: str) -> Ordering:
    word = text.strip()
    name = word.removeprefix("-")
    refuse_unknown([name], space, place)
    return Ordering(name, descending=name != word)
