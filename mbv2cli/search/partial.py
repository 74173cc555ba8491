"""Partial results: the results of some of the members, which merge into those of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbv2cli.errors import UserError
from mbv2cli.search.front import front
from mbv2cli.search.members import Members, lowest, sample_of
from mbv2cli.search.query import DISTRIBUTED, Ordering, Query

MAX_FRONT: Final = 10**6
"""Largest number of members of a front that is held in memory."""

PERCENTS: Final = tuple(range(0, 101, 10))


@dataclass(frozen=True, eq=False, slots=True)
class Kept:
    """Members to emit, with all reported figures, and a mask of those that fit."""

    members: Members
    fits: NDArray[np.bool_]

    @classmethod
    def joined(cls, several: Sequence[Kept]) -> Kept:
        """Return the members of at least one sequence, one after the other."""
        return cls(
            Members.joined([one.members for one in several]),
            np.concatenate([one.fits for one in several]),
        )


@dataclass(frozen=True, eq=False, slots=True)
class PartialResult:
    """Counts, and selected members with the figures that were searched.

    ``failed`` counts, for each condition, the buildable members that do not fulfil it.
    ``sampled`` is a sample of the members that fit, ``others`` one of the members that can be
    built but do not fit.
    """

    tried: int
    buildable: int
    feasible: int
    failed: tuple[int, ...]
    best: Members
    front: Members
    sampled: Members
    others: Members
    kept: Kept | None = None


class Quantile(NamedTuple):
    """For each figure, the value that ``percent`` percent of the members do not exceed."""

    percent: int
    macs: int
    params: int
    peak: int
    flash: int


def merged(query: Query, first: PartialResult, second: PartialResult) -> PartialResult:
    """Return the result of the members of both, without the members to emit."""
    return PartialResult(
        first.tried + second.tried,
        first.buildable + second.buildable,
        first.feasible + second.feasible,
        tuple(map(sum, zip(first.failed, second.failed, strict=True))),
        best_of(query, Members.joined([first.best, second.best])),
        front_of(query, Members.joined([first.front, second.front])),
        sample_of(Members.joined([first.sampled, second.sampled]), query.sampled),
        sample_of(Members.joined([first.others, second.others]), query.others_sampled),
    )


def best_of(query: Query, members: Members) -> Members:
    """Return the first ``query.top`` of ``members`` by the query's order."""
    (key,) = keys(query, members, [query.order])
    return lowest(members, key, query.top)


def front_of(query: Query, members: Members) -> Members:
    """Return the Pareto front of ``members``. Raises `UserError` if it is too large."""
    if not query.front:
        return members.first(0)
    found = members.at(front(keys(query, members, query.front)))
    if len(found) > MAX_FRONT:
        raise UserError(
            f"the Pareto front has more than {MAX_FRONT:,} members, because too many have equal "
            "figures; choose other figures for --pareto"
        )
    return found.different()


def front_in_order(query: Query, members: Members) -> Members:
    """Return the members of a front sorted by its figures: the first figure counts most."""
    by_figures = reversed(keys(query, members, query.front))
    return members.at(np.lexsort((members.positions, *by_figures)))


def keys(query: Query, members: Members, orderings: Sequence[Ordering]) -> list[NDArray[Any]]:
    """Return, for each ordering, a key of each member. Lower keys are better."""
    searched = query.searched
    found = [members.values[searched.index(ordering.figure)] for ordering in orderings]
    return [
        -value if ordering.descending else value
        for value, ordering in zip(found, orderings, strict=True)
    ]


def quantiles(query: Query, members: Members) -> tuple[Quantile, ...]:
    """Return the deciles of the figures of members. Without members, there are none.

    Each decile is the figure of a member (the inverse of the empirical distribution).
    """
    if not len(members):
        return ()
    columns = [members.values[query.searched.index(name)] for name in DISTRIBUTED]
    deciles = [
        np.percentile(column, PERCENTS, method="inverted_cdf").tolist() for column in columns
    ]
    return tuple(Quantile(*row) for row in zip(PERCENTS, *deciles, strict=True))
