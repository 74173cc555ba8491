"""Runs a search task by task, until the last one or Ctrl-C.

Tasks can run anywhere: the result of a task follows from its query and number. Whatever runs the
tasks yields their results in order.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from math import ceil
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mbv2cli.search.engine import Engine
from mbv2cli.search.interrupts import interrupts_held, raise_interrupt
from mbv2cli.search.members import CHUNK, Members, digits_of_chunk, empty_digits
from mbv2cli.search.partial import Kept, PartialResult, merged
from mbv2cli.search.query import REPORTED, Bound, Keep, Query
from mbv2cli.search.reducer import Reducer
from mbv2cli.search.tables import Digits
from mbv2cli.search.where import Where
from mbv2cli.search.whole import with_amounts

CHUNKS: Final = 32
"""Chunks of a task, unless members are planned one by one: then a task is a chunk."""

AHEAD: Final = 2
"""Tasks for each worker that are given out before their results are needed."""

POLL: Final = 0.1
"""Seconds to wait for a result before the next look for Ctrl-C."""


@dataclass(frozen=True, eq=False, slots=True)
class SearchResult:
    """The result of all tasks or, if the search is not ``complete``, of the first few."""

    result: PartialResult
    complete: bool


def search(
    query: Query,
    results: Generator[PartialResult],
    emit: Callable[[Kept], None],
    on_progress: Callable[[int], None],
) -> SearchResult:
    """Merge the results of all tasks. After Ctrl-C, return the result so far.

    ``emit`` gets the members to keep, in order. ``on_progress`` gets the number of members of
    each task that is done.
    """
    so_far = _Merged(query)
    complete = True
    try:
        with closing(results):
            for result in results:
                so_far.add(result)
                on_progress(result.tried)
                if result.kept is not None:
                    emit(result.kept)
    except KeyboardInterrupt:
        complete = False
    return SearchResult(so_far.result(), complete)


class _Merged:
    """Merges results of tasks.

    Results of as many tasks are merged with each other. So a member is part of few merges, where
    the front has many members and there are many tasks.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._merged: list[tuple[int, PartialResult]] = []
        """A number of tasks and their result: fewer tasks from result to result."""

    def add(self, result: PartialResult) -> None:
        """Add the result of the next task."""
        self._merged.append((1, replace(result, kept=None)))
        while len(self._merged) > 1 and self._merged[-2][0] == self._merged[-1][0]:
            (tasks, first), (_, second) = self._merged[-2:]
            self._merged[-2:] = [(2 * tasks, merged(self._query, first, second))]

    def result(self) -> PartialResult:
        """Return the result of all tasks."""
        results = (result for _, result in reversed(self._merged))
        nothing = Reducer(self._query).result()
        return reduce(lambda later, earlier: merged(self._query, earlier, later), results, nothing)


def in_this_process(query: Query) -> Generator[PartialResult]:
    """Yield the result of each task."""
    with interrupts_held():
        for number in range(count_tasks(query)):
            yield search_task(query, number)


def count_tasks(query: Query) -> int:
    """Return the number of tasks of a search."""
    return ceil(query.draw.count / (_chunks(query) * CHUNK))


def _chunks(query: Query) -> int:
    return 1 if query.whole else CHUNKS


def search_task(query: Query, number: int) -> PartialResult:
    """Return the result of the task of this number. Raises `UserError`."""
    return _searcher(query).result(number)


@lru_cache(maxsize=1)
def _searcher(query: Query) -> _Searcher:
    return _Searcher(query)


class _Searcher:
    """Works on the tasks of a query. Its tables are computed once per process."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._engine = self._engine_of(query.searched)
        self._reporter = self._engine_of(REPORTED) if query.keep is not Keep.NONE else None

    def result(self, task: int) -> PartialResult:
        """Return the result of the task of this number."""
        reducer = Reducer(self._query)
        last = ceil(self._query.draw.count / CHUNK)
        digits = empty_digits(self._query.space)
        chunks = _chunks(self._query)
        for chunk in range(task * chunks, min((task + 1) * chunks, last)):
            raise_interrupt()
            self._search_chunk(chunk, digits, reducer)
        return reducer.result()

    def _engine_of(self, figures: Sequence[str]) -> Engine:
        query = self._query
        return Engine(query.space, figures, query.counting, query.draw.count)

    def _search_chunk(self, chunk: int, reused: Digits, reducer: Reducer) -> None:
        query = self._query
        digits = digits_of_chunk(query.space, query.draw, chunk, out=reused)
        values = self._engine.values(digits)
        exist = self._engine.exist(digits)
        if query.whole:
            values = with_amounts(query, digits, exist, values)
        by_name = dict(zip(query.searched, values, strict=True))
        hold = [exist & holds(condition, by_name) for condition in query.conditions]
        fits = np.logical_and.reduce([exist, *hold])
        reducer.count(exist, hold, fits)
        reducer.select(Members.of_chunk(chunk * CHUNK, digits, values), exist, fits)
        if self._reporter is not None:
            places = np.flatnonzero(fits if query.keep is Keep.FEASIBLE else exist)
            figures = self._reporter.values(digits[:, places])
            kept = Members.of_chunk(chunk * CHUNK, digits, ()).at(places)
            figures = [*(one.copy() for one in figures), *(by_name[n][places] for n in query.whole)]
            reducer.keep(kept.with_values(figures), fits[places])


def holds(condition: Bound | Where, values: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Return whether each member meets a condition; ``values`` has the figures by name."""
    if isinstance(condition, Where):
        return condition.holds(values)
    held: NDArray[np.bool_] = condition.holds(values[condition.figure])
    return held
