from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mbv2cli.costs.figures import Counting
from mbv2cli.search import members, query, reducer, run
from mbv2cli.search.engine import Engine
from mbv2cli.search.members import Members, digits_of_chunk, lowest
from mbv2cli.search.partial import Kept, PartialResult, merged
from mbv2cli.search.query import REPORTED, Bound, Draw, Keep, Ordering, Query
from mbv2cli.search.reducer import Reducer
from mbv2cli.search.run import count_tasks, in_this_process, search, search_task
from mbv2cli.search.space import read_space
from mbv2cli.search.where import read_where
from tests.search.test_front import rows, undominated
from tests.search.test_space import settings_of

HUGE: Final = 2**60
keys_of_eight = st.one_of(
    st.lists(st.integers(0, 3), min_size=8, max_size=8),
    st.lists(st.integers(HUGE - 2, HUGE), min_size=8, max_size=8),
    st.lists(st.sampled_from([-0.5, 0.0, 0.25]), min_size=8, max_size=8),
)


def first_few(numbered: Sequence[tuple[Any, int, tuple[int, ...]]], count: int) -> list[int]:
    """Return the positions of the first few different ones of (key, position, digits)."""
    different: dict[tuple[int, ...], int] = {}
    for _key, position, digits in sorted(numbered):
        different.setdefault(digits, position)
    return list(different.values())[:count]


@given(st.permutations(range(40)), st.lists(st.integers(0, 7)), keys_of_eight, st.integers(0, 12))
@example(list(range(40)), [0] * 30 + [1], [0, 1] * 4, 2)  # many duplicates before the second
def test_the_lowest_are_those_of_all_sorted(
    positions: list[int], drawn: list[int], key_of: list[Any], count: int
) -> None:
    # a member has two digits, and wherever it appears it has the same key
    digits = np.array([[one // 4, one % 4] for one in drawn[:40]], np.uint16).reshape(-1, 2).T
    key = np.array(key_of)[drawn[:40]] if drawn else np.empty(0)
    members = Members(np.array(positions[: digits.shape[1]], np.int64), digits, (key,))
    found = lowest(members, key, count)
    numbered = list(zip(key.tolist(), members.positions.tolist(), members, strict=True))
    assert found.positions.tolist() == first_few(numbered, count)
    by_position = {position: (key, one) for key, position, one in numbered}
    assert [(key, one) for key, one in zip(found.values[0].tolist(), found, strict=True)] == [
        by_position[position] for position in found.positions.tolist()
    ]


# 108 members; many are alike in some figure, others differ by 1 in it, and those of 4 × 0.1
# channels cannot be built
SPACE: Final = read_space(
    "block",
    settings_of(
        {"in": [5, 4, 16], "out": [4, 5], "expand": [0.1, 1, 6], "act": ["relu", "gelu", "silu"]}
        | {"size": "8,16"}
    ),
)
names = st.sampled_from(["params", "macs", "peak", "flash", "layers", "in", "height", "expand"])
orderings = st.builds(Ordering, names, st.booleans())
bounds = st.one_of(
    st.builds(Bound, st.just("params"), st.integers(20, 600), st.booleans()),
    st.builds(Bound, st.just("macs"), st.integers(2_000, 200_000), st.booleans()),
    st.builds(Bound, st.just("in"), st.sampled_from([4, 5, 16]), st.booleans()),
)
conditions = st.sampled_from([None, "macs < 60*params", "expand == 1 or peak > 1000"])
draws = st.one_of(
    st.just(Draw(SPACE.size)),
    st.builds(Draw, st.integers(1, 150), st.integers(0, 2**63 - 1)),
)
queries = st.builds(
    lambda where, plotted, **rest: Query(
        space=SPACE,
        counting=Counting(),
        where=read_where(where) if where else None,
        plotted=("macs", "peak") if plotted else (),
        **rest,
    ),
    where=conditions,
    plotted=st.booleans(),
    draw=draws,
    bounds=st.lists(bounds, max_size=2).map(tuple),
    order=orderings,
    top=st.integers(1, 9),
    front=st.sampled_from([0, 2, 3]).flatmap(
        lambda count: st.lists(
            orderings, min_size=count, max_size=count, unique_by=lambda one: one.figure
        ).map(tuple)
    ),
    cdf=st.booleans(),
    verified=st.integers(0, 9),
    keep=st.sampled_from(Keep),
)


@dataclass(frozen=True)
class Split:
    """How a stream is split: members of a chunk, chunks of a task, candidates held at once."""

    chunk: int
    chunks: int
    pending: int


@contextmanager
def split_so(split: Split, cloud: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members, "CHUNK", split.chunk)
        patch.setattr(run, "CHUNK", split.chunk)
        patch.setattr(run, "CHUNKS", split.chunks)
        patch.setattr(reducer, "_PENDING", split.pending)
        patch.setattr(query, "CLOUD", cloud)
        patch.setattr(query, "SAMPLE", cloud + 2)
        yield


def hash_of(position: int) -> int:
    """Return splitmix64 of a position, in ints that do not overflow."""
    mixed = (position + 1) * 0x9E3779B97F4A7C15 % 2**64
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
    return mixed ^ mixed >> 31


def sampled(positions: Sequence[int], count: int) -> list[int]:
    return sorted(sorted(positions, key=hash_of)[:count])


class BruteForce:
    """All members that a question looks at, one by one."""

    def __init__(self, asked: Query) -> None:
        self.asked = asked
        chunks = range(-(-asked.draw.count // members.CHUNK))
        digits = np.concatenate(
            [digits_of_chunk(SPACE, asked.draw, chunk) for chunk in chunks], axis=1
        )
        engine = Engine(SPACE, (*asked.searched, *REPORTED), asked.counting, 0)
        self.digits = [tuple(one) for one in digits.T.tolist()]
        columns = [value.tolist() for value in engine.values(digits)]
        self.values = list(zip(*columns[: -len(REPORTED)], strict=True))
        self.reported = list(zip(*columns[-len(REPORTED) :], strict=True))
        exist = engine.exist(digits).tolist()
        self.buildable = [position for position, one in enumerate(exist) if one]
        self.fit = [position for position in self.buildable if all(self.hold(position))]

    def hold(self, position: int) -> list[bool]:
        figures = dict(zip(self.asked.searched, self.values[position], strict=True))
        held = [
            figures[one.figure] >= one.limit if one.is_minimum else figures[one.figure] <= one.limit
            for one in self.asked.bounds
        ]
        if self.asked.where:
            held.append(eval(self.asked.where.text, {}, figures))  # noqa: S307  (our own text)
        return held

    def key(self, position: int, ordering: Ordering) -> Any:
        value = self.values[position][self.asked.searched.index(ordering.figure)]
        return -value if ordering.descending else value

    def miss_keys(self) -> list[Callable[[int], Any]]:
        """Return a key for each limit and one for all: the lower, the nearer."""

        def signed(bound: Bound) -> Callable[[int], Any]:
            return lambda position: self.key(position, Ordering(bound.figure, bound.is_minimum))

        def worst(position: int) -> Any:
            figures = dict(zip(self.asked.searched, self.values[position], strict=True))
            amounts = [(one, figures[one.figure]) for one in self.asked.bounds]
            return max(
                one.limit / amount if one.is_minimum else amount * (1 / one.limit)
                for one, amount in amounts
            )

        return [*map(signed, self.asked.bounds), worst]

    def best(self) -> list[int]:
        order = self.asked.order
        numbered = [(self.key(one, order), one, self.digits[one]) for one in self.fit]
        return first_few(numbered, self.asked.top)

    def front(self) -> list[int]:
        if not self.asked.front:
            return []
        different = list({self.digits[one]: one for one in reversed(self.fit)}.values())
        points = [tuple(self.key(one, by) for by in self.asked.front) for one in different]
        return sorted(np.array(different, int)[undominated(points, points)].tolist())


def assert_is(members: Members, positions: Sequence[int], all_of: BruteForce) -> None:
    assert members.positions.tolist() == list(positions)
    assert list(members) == [all_of.digits[one] for one in positions]
    assert rows(list(members.values)) == [all_of.values[one] for one in positions]


def assert_misses(found: PartialResult, all_of: BruteForce) -> None:
    held = [all_of.hold(one) for one in all_of.buildable]
    met = [any(one[a] and one[b] for one in held) for a, b in all_of.asked.pairs]
    assert list(found.pairs_met) == met
    if all_of.fit or not all_of.asked.bounds or not all_of.buildable:
        assert not any(map(len, found.misses))
        return
    expected = [min(all_of.buildable, key=key) for key in all_of.miss_keys()]
    for nearest, position in zip(found.misses, expected, strict=True):
        assert_is(nearest, [position], all_of)


def assert_found(found: PartialResult, kept: Sequence[Kept], all_of: BruteForce) -> None:
    asked = all_of.asked
    assert (found.tried, found.buildable, found.feasible) == (
        asked.draw.count,
        len(all_of.buildable),
        len(all_of.fit),
    )
    holds = [all_of.hold(one) for one in all_of.buildable]
    failed = [sum(not held[number] for held in holds) for number in range(len(asked.conditions))]
    assert list(found.failed) == failed
    others = sorted(set(all_of.buildable) - set(all_of.fit))
    assert_is(found.best, all_of.best(), all_of)
    assert_is(found.front, all_of.front(), all_of)
    assert_is(found.sampled, sampled(all_of.fit, asked.sampled), all_of)
    assert_is(found.others, sampled(others, asked.others_sampled), all_of)
    assert_misses(found, all_of)
    emitted = {
        Keep.NONE: [],
        Keep.FEASIBLE: all_of.fit,
        Keep.BUILDABLE: all_of.buildable,
    }[asked.keep]
    members = [one for several in kept for one in several.members.positions.tolist()]
    assert members == list(emitted)
    figures = [one for several in kept for one in rows(list(several.members.values))]
    assert figures == [all_of.reported[one] for one in emitted]
    fits = [one for several in kept for one in several.fits.tolist()]
    assert fits == [one in set(all_of.fit) for one in emitted]


splits = st.builds(
    Split, chunk=st.sampled_from([2, 8, 40]), chunks=st.integers(1, 4), pending=st.integers(0, 30)
)


@given(queries, splits, st.integers(1, 9))
def test_a_search_finds_what_looking_at_one_by_one_finds(
    asked: Query, split: Split, cloud: int
) -> None:
    with split_so(split, cloud):
        kept: list[Kept] = []
        watched: list[int] = []
        searched = search(asked, in_this_process(asked), kept.append, watched.append)
        assert searched.complete
        assert len(watched) == count_tasks(asked)
        assert sum(watched) == asked.draw.count
        assert_found(searched.result, kept, BruteForce(asked))


unreachable = st.lists(
    st.builds(Bound, st.sampled_from(["params", "macs", "peak"]), st.sampled_from([1, 10**9])).map(
        lambda bound: bound._replace(is_minimum=bound.limit > 1)
    ),
    min_size=1,
    max_size=3,
).map(tuple)


@given(queries, unreachable, splits)
def test_the_nearest_misses_are_those_of_looking_at_one_by_one(
    asked: Query, limits: tuple[Bound, ...], split: Split
) -> None:
    asked = replace(asked, bounds=limits, keep=Keep.NONE)
    with split_so(split, cloud=5):
        assert_found(
            search(asked, in_this_process(asked), _ignore, _ignore).result, [], BruteForce(asked)
        )


@given(queries, splits, st.data())
def test_stretches_come_together_in_any_grouping(
    asked: Query, split: Split, data: st.DataObject
) -> None:
    with split_so(split, cloud=5):
        found = [search_task(asked, number) for number in range(count_tasks(asked))]
        kept = [one.kept for one in found if one.kept]
        while len(found) > 1:
            place = data.draw(st.integers(0, len(found) - 2))
            found[place : place + 2] = [merged(asked, found[place], found[place + 1])]
        assert_found(found[0], kept, BruteForce(asked))


@given(queries, st.integers(1, 9))
def test_nothing_looked_at_is_nothing_found(asked: Query, cloud: int) -> None:
    with split_so(Split(chunk=8, chunks=1, pending=4), cloud):
        nothing = Reducer(asked).result()
        assert (nothing.tried, nothing.buildable, nothing.feasible) == (0, 0, 0)
        assert not any(map(len, (nothing.best, nothing.front, nothing.sampled, nothing.others)))
        for pair in ((nothing, search_task(asked, 0)), (search_task(asked, 0), nothing)):
            alone, beside = search_task(asked, 0), merged(asked, *pair)
            assert rows(list(beside.best.values)) == rows(list(alone.best.values))
            assert beside.front.positions.tolist() == alone.front.positions.tolist()
            assert beside.tried == alone.tried


@given(queries)
def test_a_search_may_list_nothing(asked: Query) -> None:
    unlisted = replace(asked, top=0)
    with split_so(Split(chunk=8, chunks=2, pending=4), cloud=5):
        found = search(unlisted, in_this_process(unlisted), _ignore, _ignore).result
    assert len(found.best) == 0
    assert found.tried == asked.draw.count


def _ignore(_: object) -> None:
    pass


def interrupted_after(count: int) -> Callable[[int], None]:
    """Return a function for progress during which the user presses Ctrl-C."""
    seen: list[int] = []

    def on_progress(done: int) -> None:
        seen.append(done)
        if len(seen) == count:
            raise KeyboardInterrupt

    return on_progress


@given(queries, st.integers(1, 5))
def test_an_interrupted_search_has_what_was_found_by_then(asked: Query, tasks: int) -> None:
    with split_so(Split(chunk=8, chunks=2, pending=4), cloud=5):
        results = in_this_process(asked)
        searched = search(asked, results, _ignore, interrupted_after(tasks))
        assert searched.complete == (tasks > count_tasks(asked))
        if not searched.complete:
            until = replace(asked, draw=replace(asked.draw, count=searched.result.tried))
            assert searched.result.tried == min(16 * tasks, asked.draw.count)
            assert_found(searched.result, [], BruteForce(replace(until, keep=Keep.NONE)))
        assert next(results, None) is None  # closed
