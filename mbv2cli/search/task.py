"""A stretch of a search, worked out anywhere: what is found follows from the task alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import ceil
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mbv2cli.search.draw import CHUNK, digits_of_chunk, empty_digits
from mbv2cli.search.engine import Engine
from mbv2cli.search.found import Found
from mbv2cli.search.gathering import Gathering
from mbv2cli.search.interrupts import raise_interrupt
from mbv2cli.search.members import Members
from mbv2cli.search.question import REPORTED, Bound, Keep, Question
from mbv2cli.search.tables import Digits
from mbv2cli.search.where import Where

CHUNKS: Final = 32
"""Chunks of a task."""


def count_tasks(question: Question) -> int:
    """Return how many tasks a search is made of."""
    return ceil(question.draw.count / (CHUNKS * CHUNK))


def search_task(question: Question, number: int) -> Found:
    """Return what the task of this number finds. Raises `UserError`."""
    return _searcher(question).found(number)


@lru_cache(maxsize=1)
def _searcher(question: Question) -> _Searcher:
    return _Searcher(question)


class _Searcher:
    """Finds what a question asks for; its tables are worked out once a process."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._engine = self._engine_of(question.searched)
        self._reporter = self._engine_of(REPORTED) if question.keep is not Keep.NONE else None

    def found(self, task: int) -> Found:
        """Return what the task of this number finds."""
        gathering = Gathering(self._question)
        last = ceil(self._question.draw.count / CHUNK)
        digits = empty_digits(self._question.space)
        for chunk in range(task * CHUNKS, min((task + 1) * CHUNKS, last)):
            raise_interrupt()
            self._look_at(chunk, digits, gathering)
        return gathering.found()

    def _engine_of(self, figures: Sequence[str]) -> Engine:
        question = self._question
        return Engine(question.space, figures, question.counting, question.draw.count)

    def _look_at(self, chunk: int, reused: Digits, gathering: Gathering) -> None:
        question = self._question
        digits = digits_of_chunk(question.space, question.draw, chunk, out=reused)
        values = self._engine.values(digits)
        exist = self._engine.exist(digits)
        by_name = dict(zip(question.searched, values, strict=True))
        hold = [exist & _holds(condition, by_name) for condition in question.conditions]
        fits = np.logical_and.reduce([exist, *hold])
        members = Members.of_chunk(chunk * CHUNK, digits, values)
        gathering.count(exist, hold, fits)
        gathering.gather(members, exist, fits)
        if self._reporter is not None:
            places = np.flatnonzero(fits if question.keep is Keep.FEASIBLE else exist)
            figures = self._reporter.values(digits[:, places])
            kept = Members.of_chunk(chunk * CHUNK, digits, ()).at(places)
            gathering.keep(kept.with_values([one.copy() for one in figures]), fits[places])


def _holds(condition: Bound | Where, values: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    if isinstance(condition, Where):
        return condition.holds(values)
    figure, limit, is_minimum = condition
    return values[figure] >= limit if is_minimum else values[figure] <= limit
