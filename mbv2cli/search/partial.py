"""Partial results: the results of some of the members, which merge into those of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbv2cli.errors import UserError
from mbv2cli.search.front import front
from mbv2cli.search.members import Members, lowest, sample_of
from mbv2cli.search.query import REPORTED, Bound, Ordering, Query

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
    built but do not fit. ``pairs_met`` tells, for each pair of conditions, whether some member
    fulfils both. While no member fits, ``misses`` has the buildable member that is nearest to each
    limit, then the one that is nearest to all limits.
    """

    tried: int
    buildable: int
    feasible: int
    failed: tuple[int, ...]
    best: Members
    front: Members
    sampled: Members
    others: Members
    pairs_met: tuple[bool, ...]
    misses: tuple[Members, ...]
    kept: Kept | None = None


class Quantile(NamedTuple):
    """For each figure, the value that ``percent`` percent of the members do not exceed."""

    percent: int
    figures: Mapping[str, int]


def merged(query: Query, first: PartialResult, second: PartialResult) -> PartialResult:
    """Return the result of the members of both, without the members to emit."""
    feasible = first.feasible + second.feasible
    return PartialResult(
        first.tried + second.tried,
        first.buildable + second.buildable,
        feasible,
        tuple(map(sum, zip(first.failed, second.failed, strict=True))),
        best_of(query, Members.joined([first.best, second.best])),
        front_of(query, Members.joined([first.front, second.front])),
        sample_of(Members.joined([first.sampled, second.sampled]), query.sampled),
        sample_of(Members.joined([first.others, second.others]), query.others_sampled),
        tuple(map(or_, first.pairs_met, second.pairs_met)),
        no_misses(query) if feasible else misses_of(query, first.misses, second.misses),
    )


def no_misses(query: Query) -> tuple[Members, ...]:
    """Return no member for each limit, and none for all limits together."""
    nothing = Members.none(len(query.space.varied), len(query.searched))
    return (nothing,) * (len(query.bounds) + 1)


def misses_of(query: Query, *several: tuple[Members, ...]) -> tuple[Members, ...]:
    """Return, for each limit and for all limits together, the nearest of several members."""
    if not query.bounds:
        return no_misses(query)
    *of_bounds, of_all = (Members.joined(some) for some in zip(*several, strict=True))
    nearest = [
        _first(members, _bound_key(bound, bound_values(query, members)[number]))
        for number, (bound, members) in enumerate(zip(query.bounds, of_bounds, strict=True))
    ]
    return (*nearest, _first(of_all, distances(query, bound_values(query, of_all))))


def bound_values(query: Query, members: Members) -> list[NDArray[Any]]:
    """Return, for each limit, the figure of each member."""
    by_name = dict(zip(query.searched, members.values, strict=True))
    return [by_name[bound.figure] for bound in query.bounds]


def distances(query: Query, values: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the largest factor by which members break a limit. ``values`` has its figures."""
    of_bounds = map(Bound.distance, query.bounds, values)
    found: NDArray[Any] = reduce(np.maximum, of_bounds)
    return found


def _first(members: Members, key: NDArray[Any]) -> Members:
    """Return the member with the lowest key; of equal ones, the earlier."""
    return members.at(np.lexsort((members.positions, key))[:1])


def _bound_key(bound: Bound, values: NDArray[Any]) -> NDArray[Any]:
    return -values if bound.is_minimum else values


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
    # only a sample may hold a member twice
    return found if query.draw.seed is None else found.different()


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
    columns = [members.values[query.searched.index(name)] for name in REPORTED]
    places = [max(0, -(-len(members) * percent // 100) - 1) for percent in PERCENTS]
    deciles = [np.sort(column)[places].tolist() for column in columns]
    return tuple(
        Quantile(percent, dict(zip(REPORTED, amounts, strict=True)))
        for percent, *amounts in zip(PERCENTS, *deciles, strict=True)
    )
