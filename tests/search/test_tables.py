from __future__ import annotations

from math import prod
from typing import Final

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mbv2cli import UserError
from mbv2cli.costs.figures import Counting
from mbv2cli.search import tables
from mbv2cli.search.engine import Engine
from mbv2cli.search.engine import _segments as segments
from mbv2cli.search.space import MAX_CHOICES, read_space
from mbv2cli.search.tables import DIGIT, MAX_COMBINATIONS, Columns, Lookup, numbers
from tests.process import mbv2_here
from tests.search.test_draw import space_of
from tests.search.test_engine import assert_agrees, digits_of, random_digits
from tests.search.test_space import settings_of

# products around the largest number of one byte and of two, and far beyond
radices = st.one_of(
    st.lists(st.integers(1, 300), min_size=1, max_size=3),
    st.lists(st.sampled_from([1, 2, 3, 15, 16, 17, 255, 256, 257, MAX_CHOICES]), max_size=4),
).filter(lambda lengths: prod(lengths) <= MAX_COMBINATIONS)


@given(radices, st.sampled_from([DIGIT, np.intp]), st.data())
@example([MAX_CHOICES, 17], DIGIT, None)
@example([256], DIGIT, None)
@example([2, 128], DIGIT, None)
@example([16, 4_096], DIGIT, None)
@example([257, 255, 64], DIGIT, None)
def test_the_number_of_a_combination_never_wraps(
    lengths: list[int], kind: type[np.integer], data: st.DataObject | None
) -> None:
    columns = [Columns(space_of(*lengths)).of(f"axis{place}") for place in range(len(lengths))]
    varied = [length for length in lengths if length > 1]
    last = [length - 1 for length in varied]
    some = [data.draw(st.integers(0, length - 1)) for length in varied] if data else last
    digits = np.array([last, some, [0] * len(varied)], kind).T
    expected = []
    for member in digits.T.tolist():
        number = 0  # in ints of any size
        for length, digit in zip(varied, member, strict=True):
            number = number * length + digit
        expected.append(number)
    found = numbers(columns, digits)
    assert np.broadcast_to(found, 3).tolist() == expected


def test_there_are_no_numbers_beyond_the_largest_table() -> None:
    columns = Columns(space_of(MAX_CHOICES, MAX_CHOICES))
    with pytest.raises(OverflowError):
        numbers([columns.of("axis0"), columns.of("axis1")], np.zeros((2, 1), DIGIT))


def test_a_digit_holds_every_number_of_a_value() -> None:
    assert np.iinfo(DIGIT).max >= MAX_CHOICES - 1


LARGE: Final = (
    {"in": "1:4096:1", "expand": "1:17:1"},
    {"in": "1:4096:1", "expand": "0.01:0.41:0.025", "out": "1,2"},
    {"in": "2:4096:2", "expand": [1, 2.5], "size": "1:64:1", "stride": "1,2"},
)


@pytest.mark.parametrize("choices", LARGE)
def test_members_of_a_large_table_have_the_figures_of_their_plans(
    choices: dict[str, object],
) -> None:
    space = read_space("block", settings_of(choices))
    assert space.size > 2**16
    ends = [(0,) * len(space.varied), tuple(len(axis.values) - 1 for axis in space.varied)]
    digits = np.concatenate([digits_of(space, ends), random_digits(space, 300, seed=1)], axis=1)
    assert assert_agrees(space, digits.astype(DIGIT), Counting()) > 100


def test_a_sweep_of_a_large_table_is_no_bug() -> None:
    result = mbv2_here("sweep", "--in", "1:4096:1", "--expand", "1:17:1", "--top", "1")
    assert (result.code, result.stderr) == (0, "")
    assert "Tried 69,632: 69,632 feasible" in result.stdout
    assert "block:in=4096,expand=17" in result.stdout


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=6),
    st.lists(st.integers(0, 9), min_size=1, max_size=6),
    st.integers(1, 4),
)
def test_a_table_of_a_table_is_that_of_its_values(
    some: list[int], others: list[int], count: int
) -> None:
    columns = Columns(space_of(len(some), len(others), count))
    first, second, third = (columns.of(f"axis{place}") for place in range(3))
    inner = Lookup(lambda a, b: some[a] * others[b] - 7, first, second)
    outer = Lookup(lambda c, value: 10 * value + c, third, inner)
    members = np.array(list(np.ndindex(len(some), len(others), count)), DIGIT)
    rows = [place for place, length in enumerate((len(some), len(others), count)) if length > 1]
    found = np.broadcast_to(outer(members[:, rows].T), len(members)).tolist()
    expected = [10 * (some[a] * others[b] - 7) + c for a, b, c in members.tolist()]
    assert found == expected


def test_tables_that_take_too_long_together_are_refused_before_they_are_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stages = [{"t": [1, 2, 3], "c": [8, 16, 24]}] * 5
    space = read_space("network", settings_of({"stages": stages, "width_mult": [0.5, 1]}))
    Engine(space, ["params"], Counting(), 0)
    for bound in ("MAX_ARGUMENTS", "MAX_VALUES"):
        with monkeypatch.context() as patch:
            patch.setattr(tables, bound, 200)
            segments.cache_clear()
            with pytest.raises(UserError, match="too many combinations of values"):
                Engine(space, ["params"], Counting(), 0)
