"""Reduces the chunks of a task to a partial result. Members that cannot be in it are dropped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mbv2cli.search.front import pivots, undominated_by
from mbv2cli.search.members import Members, hashes, sample_of
from mbv2cli.search.partial import (
    Kept,
    PartialResult,
    best_of,
    bound_values,
    distances,
    front_of,
    keys,
    no_misses,
)
from mbv2cli.search.query import Bound, Query

_PENDING: Final = 2**13
"""Candidates that are collected, at least, before a selection is made of them."""

Places = NDArray[np.intp]


class Reducer:
    """Takes chunk after chunk and holds the result of those so far."""

    def __init__(self, query: Query) -> None:
        nothing = Members.none(len(query.space.varied), len(query.searched))
        self._tried = self._buildable = self._feasible = 0
        self._query = query
        self._failed = [0] * len(query.conditions)
        self._unmet = set(query.pairs)
        self._misses = _Misses(query)
        self._best = _Best(query, nothing)
        self._front = _Front(query, nothing)
        self._sampled = _Sample(query.sampled, nothing)
        self._others = _Sample(query.others_sampled, nothing)
        self._kept: list[Kept] = []

    def count(
        self,
        exist: NDArray[np.bool_],
        hold: Sequence[NDArray[np.bool_]],
        fits: NDArray[np.bool_],
    ) -> None:
        """Count the members that exist, that do not fulfil each condition, and that fit.

        ``hold`` has a mask for each condition: members that exist and fulfil it.
        """
        buildable = int(np.count_nonzero(exist))
        self._tried += len(exist)
        self._buildable += buildable
        self._feasible += int(np.count_nonzero(fits))
        met = [int(np.count_nonzero(held)) for held in hold]
        for number, count in enumerate(met):
            self._failed[number] += buildable - count
        for pair in [(one, other) for one, other in self._unmet if met[one] and met[other]]:
            if np.any(hold[pair[0]] & hold[pair[1]]):
                self._unmet.remove(pair)

    def select(self, members: Members, exist: NDArray[np.bool_], fits: NDArray[np.bool_]) -> None:
        """Select the members of a chunk that may be among the best, in the front or in a sample."""
        if self._query.bounds and not self._feasible:
            self._misses.add(members, exist)
        places = np.flatnonzero(fits)
        for selection in (self._best, self._front, self._sampled):
            selection.add(members, places)
        if self._query.others_sampled:
            self._others.add(members, np.flatnonzero(exist & ~fits))

    def keep(self, members: Members, fits: NDArray[np.bool_]) -> None:
        """Add members to emit."""
        self._kept.append(Kept(members, fits))

    def result(self) -> PartialResult:
        """Return the result of all chunks so far."""
        return PartialResult(
            self._tried,
            self._buildable,
            self._feasible,
            tuple(self._failed),
            self._best.members(),
            self._front.members(),
            self._sampled.members(),
            self._others.members(),
            tuple(pair not in self._unmet for pair in self._query.pairs),
            no_misses(self._query) if self._feasible else self._misses.members(),
            Kept.joined(self._kept) if self._kept else None,
        )


class _Misses:
    """The member that is nearest to each limit, and the one that is nearest to all limits."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._members = list(no_misses(query))
        self._amounts: list[Any] = [None] * len(query.bounds)
        self._distance = np.inf

    def add(self, members: Members, exist: NDArray[np.bool_]) -> None:
        """Look for nearer members in a chunk. Of equally near ones, the earlier is kept."""
        places = None if exist.all() else np.flatnonzero(exist)  # None: fast, as nothing is copied
        if places is not None and not len(places):
            return
        values = bound_values(self._query, members)
        least: list[float] = []
        for number, (bound, value) in enumerate(zip(self._query.bounds, values, strict=True)):
            place = _nearest(bound, value, places)
            amount, best = value[place].item(), self._amounts[number]
            if best is None or (amount > best if bound.is_minimum else amount < best):
                self._amounts[number] = amount
                self._members[number] = members.at(np.array([place]))
            least.append(bound.distance(amount))
        if max(least) < self._distance:  # else no member of the chunk is nearer to all limits
            hardest = least.index(max(least))
            distance = self._query.bounds[hardest].distance(values[hardest])
            self._add_to_all(members, np.flatnonzero(exist & (distance < self._distance)))

    def _add_to_all(self, members: Members, places: Places) -> None:
        """Look at ``places`` for a member that is nearer to all limits together."""
        if not len(places):
            return
        distance = distances(self._query, [v[places] for v in bound_values(self._query, members)])
        nearest = distance.argmin()
        if distance[nearest] < self._distance:
            self._distance = distance[nearest]
            self._members[-1] = members.at(places[[nearest]])

    def members(self) -> tuple[Members, ...]:
        """Return the nearest members."""
        return tuple(self._members)


def _nearest(bound: Bound, values: NDArray[Any], places: Places | None) -> Any:
    """Return the first of ``places``, by default of all, whose value is nearest to the limit."""
    some = values if places is None else values[places]
    nearest = some.argmax() if bound.is_minimum else some.argmin()
    return nearest if places is None else places[nearest]


class _Selection(ABC):
    """Members that may be in the result, until later ones rule them out."""

    def __init__(self, nothing: Members) -> None:
        self._selected = nothing
        self._pending: list[Members] = []
        self._candidates = 0

    def add(self, members: Members, places: Places) -> None:
        """Add the members at ``places`` of a chunk that may be selected."""
        places = self.candidates(members, places)
        if len(places):
            self._pending.append(members.at(places))
            self._candidates += len(places)
        # as many candidates as are selected: a large selection is not made again and again
        if self._candidates > max(_PENDING, len(self._selected)):
            self.members()

    def members(self) -> Members:
        """Return the selected members of all that were added."""
        if self._pending:
            self._selected = self.select(Members.joined([self._selected, *self._pending]))
            self._pending = []
            self._candidates = 0
        return self._selected

    @abstractmethod
    def candidates(self, members: Members, places: Places) -> Places:
        """Return those of ``places`` that no selected member rules out."""

    @abstractmethod
    def select(self, members: Members) -> Members:
        """Return the selected ones of ``members``, and note what they rule out."""


class _Best(_Selection):
    """The first members in the query's order."""

    def __init__(self, query: Query, nothing: Members) -> None:
        super().__init__(nothing)
        self._query = query
        self._bound: Any = None

    def candidates(self, members: Members, places: Places) -> Places:
        if not self._query.top:
            return places[:0]
        if self._bound is None:
            return places
        better: Places = places[self._key(members)[places] < self._bound]
        return better  # of members with equal keys, the earlier is selected

    def select(self, members: Members) -> Members:
        best = best_of(self._query, members)
        if len(best) == self._query.top:
            self._bound = self._key(best)[-1]
        return best

    def _key(self, members: Members) -> NDArray[Any]:
        (key,) = keys(self._query, members, [self._query.order])
        return key


class _Front(_Selection):
    """The Pareto front, if the query has one."""

    def __init__(self, query: Query, nothing: Members) -> None:
        super().__init__(nothing)
        self._query = query
        self._pivots: list[tuple[Any, ...]] = []

    def candidates(self, members: Members, places: Places) -> Places:
        if not self._query.front:
            return places[:0]
        points = keys(self._query, members, self._query.front)
        return undominated_by(self._pivots, points, places)

    def select(self, members: Members) -> Members:
        front = front_of(self._query, members)
        self._pivots = pivots(keys(self._query, front, self._query.front))
        return front


class _Sample(_Selection):
    """A uniform sample of ``count`` members."""

    def __init__(self, count: int, nothing: Members) -> None:
        super().__init__(nothing)
        self._count = count
        self._bound: np.uint64 | None = None

    def candidates(self, members: Members, places: Places) -> Places:
        if not self._count:
            return places[:0]
        if self._bound is None:
            return places
        return places[hashes(members.positions[places]) < self._bound]

    def select(self, members: Members) -> Members:
        sample = sample_of(members, self._count)
        if len(sample) == self._count:
            self._bound = hashes(sample.positions).max()
        return sample
