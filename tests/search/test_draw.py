from __future__ import annotations

from itertools import product
from math import prod, sqrt
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mbv2cli import UserError
from mbv2cli.search import members
from mbv2cli.search.members import CHUNK, digits_of_chunk
from mbv2cli.search.query import MAX_ENUMERATED, Draw, draw_of
from mbv2cli.search.space import Axis, Space

SEED: Final = 7


def space_of(*radices: int) -> Space:
    """Return a space with so many values on each axis; what they mean is no matter here."""
    axes = (Axis(f"axis{number}", tuple(range(count))) for number, count in enumerate(radices))
    return Space("block", "block", tuple(axes))


def drawn(space: Space, how: Draw) -> NDArray[np.integer]:
    chunks = range(-(-how.count // members.CHUNK))
    return np.concatenate([digits_of_chunk(space, how, chunk) for chunk in chunks], axis=1)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(1, 50))
def test_all_members_are_there_once_and_in_order(radices: list[int], chunk: int) -> None:
    space = space_of(*radices)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members, "CHUNK", chunk)
        digits = drawn(space, draw_of(space, None, SEED))
    varied = [range(count) for count in radices if count > 1]
    assert [tuple(one) for one in digits.T.tolist()] == list(product(*varied))


def test_a_chunk_goes_on_where_the_one_before_it_ended() -> None:
    space = space_of(3, 1, 4_096, 5)
    digits = drawn(space, draw_of(space, None, SEED))
    assert digits.shape == (3, space.size)
    assert space.size > 7 * CHUNK
    expected = np.unravel_index(np.arange(space.size), (3, 4_096, 5))
    assert np.array_equal(digits, np.array(expected))


def test_the_last_of_the_most_members_are_right() -> None:
    space = space_of(100, 1_000, 1_000)
    how = draw_of(space, None, SEED)
    assert how.count == MAX_ENUMERATED
    last = digits_of_chunk(space, how, (how.count - 1) // CHUNK)
    assert last[:, -1].tolist() == [99, 999, 999]
    assert last.shape[1] == how.count % CHUNK


def test_a_sample_is_the_same_everywhere() -> None:
    # with the raw bits of PCG64, which numpy promises to keep: a change breaks published samples
    space = space_of(10, 4_096, 3)
    digits = drawn(space, Draw(20_000, seed=0))
    assert digits[:, :6].tolist() == [
        [8, 9, 0, 3, 7, 7],
        [3753, 2859, 1172, 3748, 179, 926],
        [0, 2, 0, 1, 0, 0],
    ]
    assert digits[:, -3:].tolist() == [[5, 5, 5], [2502, 3669, 3402], [0, 1, 1]]
    assert np.array_equal(digits, drawn(space, Draw(20_000, seed=0)))


@given(
    st.lists(st.integers(2, 4_096), min_size=1, max_size=6),
    st.integers(1, 20_000),
    st.integers(1, 20_000),
    st.integers(0, 2**63 - 1),
)
def test_a_sample_starts_every_larger_one(radices: list[int], a: int, b: int, seed: int) -> None:
    fewer, more = sorted((a, b))
    space = space_of(*radices)
    sample = drawn(space, Draw(fewer, seed))
    assert sample.shape == (len(radices), fewer)
    assert np.array_equal(sample, drawn(space, Draw(more, seed))[:, :fewer])


def test_another_seed_or_chunk_is_another_sample() -> None:
    space = space_of(4_096, 4_096)
    count = 2 * CHUNK
    one, other = (drawn(space, Draw(count, seed)) for seed in (0, 1))
    pairs = [(one, other), (one[:, :CHUNK], one[:, CHUNK:]), (one[0], one[1])]
    for first, second in pairs:
        assert np.mean(first == second) < 0.01  # 1 of 4,096 by chance


def assert_uniform(numbers: NDArray[np.integer], bins: int) -> None:
    """Hold Pearson's statistic against its mean and deviation (chi-square, bins - 1)."""
    expected = len(numbers) / bins
    assert expected > 20
    seen = np.bincount(numbers, minlength=bins)
    assert len(seen) == bins
    statistic = float(((seen - expected) ** 2 / expected).sum())
    freedom = bins - 1
    assert abs(statistic - freedom) < 6 * sqrt(2 * freedom) + 6  # too even is wrong as well


RADICES: Final = (2, 3, 7, 22, 100, 4_096)


def test_a_sample_is_uniform_on_each_axis_and_on_each_two() -> None:
    space = space_of(*RADICES)
    digits = drawn(space, Draw(200_000, SEED))
    for row, radix in enumerate(RADICES):
        assert_uniform(digits[row], radix)
    small = RADICES.index(100) + 1
    for first in range(small):
        for second in range(first):
            pairs = digits[first] * RADICES[second] + digits[second]
            assert_uniform(pairs, RADICES[first] * RADICES[second])


def test_a_member_does_not_tell_the_next() -> None:
    digits = drawn(space_of(7, 5), Draw(200_000, SEED))
    number = digits[0] * 5 + digits[1]
    assert_uniform(number[:-1] * 35 + number[1:], 35 * 35)
    # nor the member at its place in the next chunk
    assert_uniform(number[:-CHUNK] * 35 + number[CHUNK:], 35 * 35)


@given(st.lists(st.integers(1, 4_096), max_size=9), st.data())
def test_less_than_all_is_a_sample_and_no_less_is_all(
    radices: list[int], data: st.DataObject
) -> None:
    space = space_of(*radices)
    size = prod(radices)
    if size > 1:
        sample = data.draw(st.integers(1, size - 1))
        assert draw_of(space, sample, SEED) == Draw(sample, SEED)
    assert draw_of(space, size, SEED) == draw_of(space, size + 5, SEED) == Draw(size)


def test_too_large_a_space_needs_a_sample() -> None:
    space = space_of(4_096, 4_096, 6)
    assert space.size > MAX_ENUMERATED
    with pytest.raises(UserError) as error:
        draw_of(space, None, SEED)
    assert str(error.value).startswith("the space has 100,663,296 members")
    assert "--sample 1M" in str(error.value)
    assert draw_of(space, 1_000_000, SEED) == Draw(1_000_000, SEED)
