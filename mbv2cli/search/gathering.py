"""Gathers what a task finds, chunk by chunk, holding no more than may still matter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mbv2cli.search.found import Found, Kept, best_of, front_of, keys
from mbv2cli.search.front import pivots, undominated_by
from mbv2cli.search.members import Members
from mbv2cli.search.question import Question
from mbv2cli.search.sample import hashes, of_lowest_hashes

_PENDING: Final = 2**13
"""Candidates that come together before the best of them are picked out."""

Places = NDArray[np.intp]


class Gathering:
    """What the chunks of a task that were looked at so far came to."""

    def __init__(self, question: Question) -> None:
        axes = len(question.space.varied)
        self._nothing = Members.none(axes, len(question.searched))
        self._tried = self._buildable = self._feasible = 0
        self._failed = [0] * len(question.conditions)
        self._best = _Best(question, self._nothing)
        self._front = _Front(question, self._nothing)
        self._sampled = _Sampled(question.sampled, self._nothing)
        self._others = _Sampled(question.others_sampled, self._nothing)
        self._kept: list[Kept] = []

    def count(
        self,
        exist: NDArray[np.bool_],
        hold: Sequence[NDArray[np.bool_]],
        fits: NDArray[np.bool_],
    ) -> None:
        """Count members that can be built, those that each condition rules out, those that fit."""
        buildable = int(np.count_nonzero(exist))
        self._tried += len(exist)
        self._buildable += buildable
        self._feasible += int(np.count_nonzero(fits))
        for number, held in enumerate(hold):
            self._failed[number] += buildable - int(np.count_nonzero(held))

    def gather(self, members: Members, exist: NDArray[np.bool_], fits: NDArray[np.bool_]) -> None:
        """Take what may be among the best, in the front or in a sample out of a chunk."""
        places = np.flatnonzero(fits)
        for gatherer in (self._best, self._front, self._sampled):
            gatherer.add(members, places)
        self._others.add(members, np.flatnonzero(exist & ~fits))

    def keep(self, members: Members, fits: NDArray[np.bool_]) -> None:
        """Hand members on."""
        self._kept.append(Kept(members, fits))

    def found(self) -> Found:
        """Return what came together."""
        return Found(
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


class _Gatherer(ABC):
    """Members that may be wanted in the end: those that later ones rule out are let go."""

    def __init__(self, nothing: Members) -> None:
        self._wanted = nothing
        self._pending: list[Members] = []

    def add(self, members: Members, places: Places) -> None:
        """Take those of a chunk's ``places`` that may be wanted."""
        places = self.candidates(members, places)
        if len(places):
            self._pending.append(members.at(places))
        if sum(map(len, self._pending)) > _PENDING:
            self.members()

    def members(self) -> Members:
        """Return the wanted ones of all that were added."""
        if self._pending:
            self._wanted = self.wanted(Members.joined([self._wanted, *self._pending]))
            self._pending = []
        return self._wanted

    @abstractmethod
    def candidates(self, members: Members, places: Places) -> Places:
        """Return those of ``places`` that the wanted ones of before do not rule out."""

    @abstractmethod
    def wanted(self, members: Members) -> Members:
        """Return the wanted ones of ``members``, and note what rules others out."""


class _Best(_Gatherer):
    """The first few by the order asked for."""

    def __init__(self, question: Question, nothing: Members) -> None:
        super().__init__(nothing)
        self._question = question
        self._bound: Any = None

    def candidates(self, members: Members, places: Places) -> Places:
        if not self._question.top:
            return places[:0]
        if self._bound is None:
            return places
        better: Places = places[self._key(members)[places] < self._bound]
        return better  # without equal ones: they come too late

    def wanted(self, members: Members) -> Members:
        best = best_of(self._question, members)
        if len(best) == self._question.top:
            self._bound = self._key(best)[-1]
        return best

    def _key(self, members: Members) -> NDArray[Any]:
        (key,) = keys(self._question, members, [self._question.order])
        return key


class _Front(_Gatherer):
    """The Pareto front, if one is asked for."""

    def __init__(self, question: Question, nothing: Members) -> None:
        super().__init__(nothing)
        self._question = question
        self._pivots: list[tuple[Any, ...]] = []

    def candidates(self, members: Members, places: Places) -> Places:
        if not self._question.front:
            return places[:0]
        points = keys(self._question, members, self._question.front)
        return undominated_by(self._pivots, points, places)

    def wanted(self, members: Members) -> Members:
        front = front_of(self._question, members)
        self._pivots = pivots(keys(self._question, front, self._question.front))
        return front


class _Sampled(_Gatherer):
    """A uniform sample of a certain size."""

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

    def wanted(self, members: Members) -> Members:
        sample = of_lowest_hashes(members, self._count)
        if len(sample) == self._count:
            self._bound = hashes(sample.positions).max()
        return sample
