"""What a search looks for, read from flags, as data that can travel to other processes.

This module loads no numpy: `mbv2 sweep --help` and a wrong flag need none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

from pydantic import BeforeValidator, Field

from mbv2cli.costs.figures import Better, graded_figures
from mbv2cli.errors import UserError
from mbv2cli.gate.limits import Limits
from mbv2cli.search.figures import COSTS, WHOLE, figure_names, refuse_unknown
from mbv2cli.search.space import Space
from mbv2cli.search.where import Where, read_where
from mbv2cli.specs.base import Spec
from mbv2cli.specs.fields import Allowed, Number, Seed
from mbv2cli.specs.units import count_text, read_count
from mbv2cli.specs.words import listed

if TYPE_CHECKING:
    from mbv2cli.costs.figures import Counting
    from mbv2cli.costs.memory import Amount

MAX_SAMPLE: Final = 10**10
MAX_LISTED: Final = 1_000
MAX_JOBS: Final = 256

MAX_ENUMERATED: Final = 10**8
"""Largest space that is searched without a sample."""

REPORTED: Final = tuple(COSTS)
"""Figures that are written for each member, and whose distribution is shown."""

SAMPLE: Final = 2**17
"""Largest number of members that a distribution is computed from."""

CLOUD: Final = 1_000
"""Largest number of members in a picture, of those that fit and of those that do not."""

_PLOTTED: Final = ("macs", "peak")
_FRONT_FIGURES: Final = (2, 3)

_Sample = Annotated[
    int | None,
    BeforeValidator(read_count),
    Number,
    Field(ge=1, le=MAX_SAMPLE),
    Allowed("a count from 1 to 10G, such as 500, 10k or 1M"),
]
_Listed = Annotated[
    int,
    Number,
    Field(ge=0, le=MAX_LISTED),
    Allowed(f"a whole number from 0 to {MAX_LISTED}"),
]
_Jobs = Annotated[
    int, Number, Field(ge=1, le=MAX_JOBS), Allowed(f"a whole number from 1 to {MAX_JOBS}")
]


class SearchOptions(Spec):
    """How many members are searched, and by how many processes. Raises `UserError`."""

    noun = "search"

    sample: _Sample = Field(
        None, description="Search this many random members, such as 1M, instead of all members."
    )
    seed: Seed = Field(0, description="Random seed of the sample.")
    top: _Listed = Field(10, description="Number of members that --sort lists.")
    verify: _Listed = Field(
        0,
        description="Build the listed members and this many random members that fit, and run "
        "their forward passes. Every number must be that of the plan.",
    )
    jobs: _Jobs = Field(1, description="Number of processes.")


@dataclass(frozen=True, slots=True)
class Draw:
    """The members at positions 0, 1, … ``count`` - 1 of a space or, with a seed, of a sample."""

    count: int
    seed: int | None = None


class Bound(NamedTuple):
    """The largest allowed value of a figure or, if ``is_minimum``, the smallest."""

    figure: str
    limit: int
    is_minimum: bool = False

    def holds(self, amounts: Amount) -> Amount:
        """Return whether each amount keeps the limit; the limit itself is allowed."""
        return amounts >= self.limit if self.is_minimum else amounts <= self.limit

    def distance(self, amounts: Amount) -> Amount:
        """Return the factor by which each amount exceeds the limit, or falls short of it."""
        limit = max(float(self.limit), 1.0)  # 0 counts as 1: the factor stays finite
        return limit / (amounts + (amounts == 0)) if self.is_minimum else amounts * (1 / limit)


class Ordering(NamedTuple):
    """A figure of which smaller values are better or, if ``descending``, larger ones."""

    figure: str
    descending: bool = False


class Keep(Enum):
    """Which members are emitted, each with all reported figures."""

    NONE = "none"
    FEASIBLE = "feasible"
    BUILDABLE = "buildable"


@dataclass(frozen=True)
class Query:
    """Which members of ``space`` to search, the conditions on them, and the results to find.

    The first ``top`` members by ``order`` are found, the Pareto front of the figures ``front``,
    samples of members for a picture with the axes ``plotted``, and with ``cdf`` a sample for the
    distribution of the members that fit. With ``grid``, every member of a small space is listed.
    ``verified`` of these will be built. Without figures, there is no front or picture.
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
    grid: bool = False
    verified: int = 0
    keep: Keep = Keep.NONE

    @cached_property
    def searched(self) -> tuple[str, ...]:
        """The figures that are computed for every member."""
        names = (
            self.order.figure,
            *(ordering.figure for ordering in self.front),
            *(bound.figure for bound in self.bounds),
            *(self.where.names if self.where else ()),
            *self.plotted,
            *(REPORTED if self.cdf else ()),
        )
        return tuple(dict.fromkeys(names))

    @cached_property
    def whole(self) -> tuple[str, ...]:
        """The searched figures that only a whole model has."""
        return tuple(name for name in self.searched if name in WHOLE)

    @property
    def reported(self) -> tuple[str, ...]:
        """The figures that are reported of each member."""
        return (*REPORTED, *self.whole)

    @property
    def sampled(self) -> int:
        """Size of the sample of members that fit."""
        cloud = CLOUD if self.plotted else 0
        return max(SAMPLE if self.cdf else 0, cloud, self.verified)

    @property
    def others_sampled(self) -> int:
        """Size of the sample of members that can be built but do not fit."""
        return CLOUD if self.plotted else 0

    @cached_property
    def conditions(self) -> tuple[Bound | Where, ...]:
        """All conditions. A member fits if it fulfils each of them."""
        return (*self.bounds, self.where) if self.where else self.bounds

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """All pairs of different conditions, by their numbers."""
        return tuple(combinations(range(len(self.conditions)), 2))


def read_query(
    space: Space,
    limits: Limits,
    options: SearchOptions,
    counting: Counting,
    *,
    sort: str,
    pareto: str | None = None,
    where: str | None = None,
    cdf: bool = False,
    plot: bool = False,
    grid: bool = False,
    keep: Keep = Keep.NONE,
) -> Query:
    """Return the query that the flags of `mbv2 sweep` describe.

    Raises `UserError` if a text cannot be read, or if it names a figure that members of the space
    do not have.
    """
    bounds = tuple(_bounds(limits))
    condition = read_where(where) if where is not None else None
    if condition:
        refuse_unknown(condition.names, space, "--where")
    front = _front(pareto, space) if pareto is not None else ()
    return Query(
        space=space,
        draw=draw_of(space, options.sample, options.seed),
        counting=counting,
        bounds=bounds,
        where=condition,
        order=_ordering(sort, space, "--sort"),
        top=options.top,
        front=front,
        plotted=_axes(front, bounds) if plot else (),
        cdf=cdf,
        grid=grid,
        verified=options.verify,
        keep=keep,
    )


def draw_of(space: Space, sample: int | None, seed: int) -> Draw:
    """Return a draw of ``sample`` members, or of the whole space if it has no more.

    Raises `UserError` if there is no sample size and the space is too large to be enumerated.
    """
    if sample is not None and sample < space.size:
        return Draw(sample, seed)
    if sample is None and space.size > MAX_ENUMERATED:
        raise UserError(
            f"the space has {count_text(space.size)} members; without --sample, at most "
            f"{MAX_ENUMERATED:,} are allowed, so search a sample, such as --sample 1M"
        )
    return Draw(space.size)


def _bounds(limits: Limits) -> Iterator[Bound]:
    for figure in graded_figures():
        limit = limits.limit_of(figure)
        if limit is not None:
            yield Bound(figure.name, limit, is_minimum=figure.better is Better.LARGER)


def _front(text: str, space: Space) -> tuple[Ordering, ...]:
    """Read the figures of a front: ``params,-macs``."""
    orderings = tuple(_ordering(word, space, "--pareto") for word in text.split(","))
    figures = {ordering.figure for ordering in orderings}
    if len(figures) < len(orderings) or len(figures) not in _FRONT_FIGURES:
        raise UserError(
            f"--pareto takes two or three different figures, such as peak,-macs, not '{text}'"
        )
    return orderings


def _ordering(text: str, space: Space, place: str) -> Ordering:
    """Read ``macs``, or ``-macs`` if larger values are better."""
    word = text.strip()
    name = listed(word.removeprefix("-"), figure_names(space))
    refuse_unknown([name], space, place)
    return Ordering(name, descending=word.startswith("-"))


def _axes(front: tuple[Ordering, ...], bounds: tuple[Bound, ...]) -> tuple[str, str]:
    """Return two figures for a picture: of the front, else with a limit, else MACs and peak."""
    names = (
        *(ordering.figure for ordering in front),
        *(bound.figure for bound in bounds),
        *_PLOTTED,
    )
    x, y, *_more = dict.fromkeys(names)
    return x, y
