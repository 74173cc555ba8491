"""What a stretch of a search came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mbv2cli.errors import UserError
from mbv2cli.search.best import lowest
from mbv2cli.search.front import front
from mbv2cli.search.members import Members
from mbv2cli.search.question import Ordering, Question
from mbv2cli.search.sample import of_lowest_hashes

MAX_FRONT: Final = 10**6
"""Members of a front that are held in memory."""


@dataclass(frozen=True, eq=False, slots=True)
class Kept:
    """Members that are handed on, with all reported figures, and which of them fit."""

    members: Members
    fits: NDArray[np.bool_]

    @classmethod
    def joined(cls, several: Sequence[Kept]) -> Kept:
        """Return several together, in their order."""
        return cls(
            Members.joined([one.members for one in several]),
            np.concatenate([one.fits for one in several]),
        )


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """Counts, and members with the figures that were searched.

    ``failed`` counts, condition by condition, the members that can be built and do not fulfil
    it. ``sampled`` are members that fit, ``others`` those that only can be built.
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


def together(question: Question, first: Found, second: Found) -> Found:
    """Return what two stretches found, without what they hand on."""
    best, found_front, sampled, others = (
        Members.joined(pair)
        for pair in (
            (first.best, second.best),
            (first.front, second.front),
            (first.sampled, second.sampled),
            (first.others, second.others),
        )
    )
    return Found(
        first.tried + second.tried,
        first.buildable + second.buildable,
        first.feasible + second.feasible,
        tuple(map(sum, zip(first.failed, second.failed, strict=True))),
        best_of(question, best),
        front_of(question, found_front),
        of_lowest_hashes(sampled, question.sampled),
        of_lowest_hashes(others, question.others_sampled),
    )


def best_of(question: Question, members: Members) -> Members:
    """Return the first few of ``members``, in order."""
    (key,) = keys(question, members, [question.order])
    return lowest(members, key, question.top)


def front_of(question: Question, members: Members) -> Members:
    """Return the Pareto front of ``members``. Raises `UserError` if it is beyond all bounds."""
    if not question.front:
        return members.first(0)
    found = members.at(front(keys(question, members, question.front)))
    if len(found) > MAX_FRONT:
        raise UserError(
            f"the Pareto front has more than {MAX_FRONT:,} members, for too many have the same "
            "figures; take other figures for --pareto"
        )
    return found.at(found.firsts())


def front_in_order(question: Question, members: Members) -> Members:
    """Return a front sorted by its figures, the best of the first foremost."""
    by_figures = reversed(keys(question, members, question.front))
    return members.at(np.lexsort((members.positions, *by_figures)))


def keys(question: Question, members: Members, orderings: Sequence[Ordering]) -> list[NDArray[Any]]:
    """Return, for each ordering, numbers of which the lower is the better."""
    searched = question.searched
    found = [members.values[searched.index(ordering.figure)] for ordering in orderings]
    return [
        -value if ordering.descending else value
        for value, ordering in zip(found, orderings, strict=True)
    ]
