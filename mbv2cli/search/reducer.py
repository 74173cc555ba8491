"""Reduces the chunks of a task to a partial result. Members that cannot be in it are dropped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mbv2cli.search.front import pivots, undominated_by
from mbv2cli.search.members import Members, hashes, sample_of
from mbv2cli.search.partial import Kept, PartialResult, best_of, front_of, keys
from mbv2cli.search.query import Query

_PENDING: Final = 2**13
"""Candidates that are collected before a selection is made of them."""

Places = NDArray[np.intp]


class Reducer:
    """Takes chunk after chunk and holds the result of those so far."""

    def __init__(self, query: Query) -> None:
        nothing = Members.none(len(query.space.varied), len(query.searched))
        self._tried = self._buildable = self._feasible = 0
        self._failed = [0] * len(query.conditions)
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
        for number, held in enumerate(hold):
            self._failed[number] += buildable - int(np.count_nonzero(held))

    def select(self, members: Members, exist: NDArray[np.bool_], fits: NDArray[np.bool_]) -> None:
        """Select the members of a chunk that may be among the best, in the front or in a sample."""
        places = np.flatnonzero(fits)
        for selection in (self._best, self._front, self._sampled):
            selection.add(members, places)
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
            Kept.joined(self._kept) if self._kept else None,
        )


class _Selection(ABC):
    """Members that may be in the result, until later ones rule them out."""

    def __init__(self, nothing: Members) -> None:
        self._selected = nothing
        self._pending: list[Members] = []

    def add(self, members: Members, places: Places) -> None:
        """Add the members at ``places`` of a chunk that may be selected."""
        places = self.candidates(members, places)
        if len(places):
            self._pending.append(members.at(places))
        if sum(map(len, self._pending)) > _PENDING:
            self.members()

    def members(self) -> Members:
        """Return the selected members of all that were added."""
        if self._pending:
            self._selected = self.select(Members.joined([self._selected, *self._pending]))
            self._pending = []
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
