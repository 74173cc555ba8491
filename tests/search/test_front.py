from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mbv2cli.search.front import front, pivots, undominated_by

Points: TypeAlias = list[NDArray[Any]]

HUGE = 2**60
# few different values, so that ties and equal points abound; huge ones are equal as floats
COORDINATES = (
    (np.int64, st.integers(-3, 3)),
    (np.int64, st.integers(HUGE - 3, HUGE)),
    (np.int64, st.integers(-HUGE, -HUGE + 3)),
    (np.int64, st.sampled_from([1, HUGE - 1, HUGE])),
    (np.float64, st.sampled_from([-0.5, 0.0, 0.1, 0.25, 0.3])),
)


@st.composite
def points(draw: st.DrawFn, dimensions: int | None = None) -> Points:
    count = draw(st.integers(0, 30))
    chosen = draw(
        st.lists(st.sampled_from(COORDINATES), min_size=dimensions or 2, max_size=dimensions or 3)
    )
    return [
        np.array(draw(st.lists(values, min_size=count, max_size=count)), dtype)
        for dtype, values in chosen
    ]


def rows(several: Points) -> list[tuple[Any, ...]]:
    return list(zip(*(one.tolist() for one in several), strict=True))


def dominates(one: Sequence[Any], other: Sequence[Any]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def undominated(some: Sequence[Any], others: Sequence[Any]) -> list[bool]:
    return [not any(dominates(other, one) for other in others) for one in some]


@given(points())
@example([np.array([HUGE, HUGE - 1]), np.array([HUGE, HUGE])])  # the later dominates
@example([np.array([1, 0]), np.array([HUGE, HUGE])])
@example([np.array([], np.int64), np.array([], float)])
@example([np.array([2]), np.array([0.5]), np.array([HUGE])])
def test_the_front_is_what_no_other_point_dominates(several: Points) -> None:
    assert front(several).tolist() == undominated(rows(several), rows(several))


@given(points(), st.randoms(use_true_random=False))
def test_the_order_of_the_points_is_no_matter(several: Points, random: Any) -> None:
    order = list(range(len(several[0])))
    random.shuffle(order)
    shuffled = [one[order] for one in several]
    assert front(shuffled).tolist() == front(several)[order].tolist()


@given(points())
def test_equal_points_are_in_the_front_together(several: Points) -> None:
    twice = [np.concatenate([one, one]) for one in several]
    assert front(twice).tolist() == front(several).tolist() * 2


def test_the_front_of_a_chain_is_its_least_and_that_of_an_antichain_is_all() -> None:
    up = np.arange(3_000)
    assert np.flatnonzero(front([up, up, up])).tolist() == [0]
    assert front([up, -up]).all()


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("shape", ["antichain", "equal", "random", "few", "chain"])
def test_the_front_of_many_points_takes_no_quadratic_time(dimensions: int, shape: str) -> None:
    count = 360_000
    random = np.random.default_rng(0)
    up = random.permutation(count)
    several = {
        "antichain": [up, -up, random.integers(0, 9, count)],
        "equal": [up * 0] * 3,
        "random": [random.permutation(count) for _ in range(3)],
        "few": [random.integers(0, 50, count) for _ in range(3)],
        "chain": [up] * 3,
    }[shape][:dimensions]
    start = time.process_time()
    found = front(several)
    assert time.process_time() - start < 3  # all pairs would take minutes
    assert found.any()
    assert found.all() == (shape in ("antichain", "equal"))


@given(st.integers(2, 3).flatmap(lambda count: st.tuples(points(count), points(count))))
def test_pivots_rule_out_what_they_dominate_and_nothing_else(both: tuple[Points, Points]) -> None:
    first, second = both
    found = pivots([one[front(first)] for one in first]) if len(first[0]) else []
    places = np.arange(len(second[0]))
    kept = undominated_by(found, second, places).tolist()
    assert kept == np.flatnonzero(undominated(rows(second), found)).tolist()


@given(points())
def test_pivots_are_points_of_the_front(several: Points) -> None:
    on_front = [one[front(several)] for one in several]
    if len(on_front[0]):
        assert set(pivots(on_front)) <= set(rows(on_front))


def test_pivots_are_spread_over_the_front() -> None:
    x = np.random.default_rng(0).permutation(10_000)
    found = sorted(pivots([x, -x]))
    assert 8 <= len(found) <= 64
    assert (found[0], found[-1]) == ((0, 0), (9_999, -9_999))
    gaps = np.diff([a for a, _ in found])
    assert gaps.max() < 2 * gaps.min()
