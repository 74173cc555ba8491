"""Amounts as text, and read again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli.specs.units import (
    Unit,
    bytes_numbers,
    bytes_text,
    bytes_texts,
    distance_text,
    growth_text,
    read_bytes,
    read_count,
    room_text,
    rounded_up,
)

MIB = 2**20
DIVISORS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@pytest.mark.parametrize(
    ("amounts", "texts"),
    [
        ([], []),
        ([0], ["0.00 KiB"]),
        ([10 * MIB - 1, 0], ["10,240.00 KiB", "0.00 KiB"]),
        ([10 * MIB, 0], ["10.00 MiB", "0.00 MiB"]),
        ([10, 2048, 0], ["10 B", "2,048 B", "0 B"]),
        ([11, 2048], ["0.01 KiB", "2.00 KiB"]),
        ([1536, 74 * MIB], ["1.50 KiB", "75,776.00 KiB"]),
        ([10 * 1024 * MIB, 2**40], ["10.00 GiB", "1,024.00 GiB"]),
    ],
)
def test_amounts_have_one_unit(amounts: list[int], texts: list[str]) -> None:
    assert bytes_texts(amounts) == texts


@given(st.lists(st.integers(0, 2**50), min_size=1))
def test_the_unit_is_that_of_the_smallest_amount(amounts: list[int]) -> None:
    numbers, unit = bytes_numbers(amounts)
    assert bytes_texts(amounts) == [f"{number} {unit}" for number in numbers]
    smallest = min((amount for amount in amounts if amount), default=0)
    assert bytes_text(smallest).endswith(unit)
    for amount, number in zip(amounts, numbers, strict=True):
        assert number == f"{amount / DIVISORS[unit]:,.2f}".removesuffix(".00" * (unit == "B"))
        assert bool(amount) == bool(number.strip("0."))


amounts = st.integers(1, 10**12)


@pytest.mark.parametrize(
    ("limit", "actual", "words"),
    [
        (2000, 1568, "21.6 % left"),
        (2000, 2000, "0.0 % left"),
        (1000, 1123, "12.3 % over"),
        (1000, 1499, "49.9 % over"),
        (1000, 1500, "1.5 × over"),
        (1000, 1800, "1.8 × over"),
        (1, 3505, "3,505.0 × over"),
        (1_000_000, 1_000_001, "< 0.1 % over"),
        (0, 3, "over"),
        (0, 0, ""),
    ],
)
def test_the_room_below_a_limit(limit: int, actual: int, words: str) -> None:
    assert room_text(limit, actual) == words


@pytest.mark.parametrize(
    ("minimum", "actual", "words"),
    [
        (400, 491, "22.8 % above"),
        (400, 400, "0.0 % above"),
        (400, 300, "25.0 % below"),
        (0, 3, ""),
    ],
)
def test_the_distance_to_a_lower_limit(minimum: int, actual: int, words: str) -> None:
    assert distance_text(minimum, actual) == words


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (1568, 1088, "30.6 % smaller"),
        (1000, 1456, "45.6 % larger"),
        (1000, 1999, "99.9 % larger"),
        (1000, 3200, "3.2 × as large"),
        (8, 8, "unchanged"),
        (1_000_000, 999_999, "< 0.1 % smaller"),
        (3, 0, "100.0 % smaller"),
        (0, 3, "larger"),
    ],
)
def test_the_growth_of_a_figure(before: int, after: int, words: str) -> None:
    assert growth_text(before, after) == words


@given(amounts, amounts)
def test_words_have_no_sign_and_tell_the_side(one: int, other: int) -> None:
    assert room_text(one, other).endswith("left") is (other <= one)
    assert growth_text(one, other).endswith("smaller") is (other < one)
    assert distance_text(one, other).endswith("above") is (other >= one)
    for text in (room_text(one, other), growth_text(one, other), distance_text(one, other)):
        assert not {"+", "-"} & set(text)


@pytest.mark.parametrize(
    ("amount", "unit", "text"),
    [
        (2_165_548, Unit.COUNT, "2.17M"),
        (106_845_024, Unit.COUNT, "107M"),
        (1725, Unit.COUNT, "1.73k"),
        (999_999, Unit.COUNT, "1000k"),
        (8, Unit.COUNT, "8"),
        (827_904, Unit.BYTES, "809KiB"),
        (3_311_617, Unit.BYTES, "3240KiB"),
        (1945, Unit.BYTES, "1950"),
        (101_376, Unit.BYTES, "99KiB"),
        (101_377, Unit.BYTES, "99.25KiB"),
        (18_140_365, Unit.BYTES, "17.5MiB"),
    ],
)
def test_amounts_are_rounded_up_to_what_is_read_easily(amount: int, unit: Unit, text: str) -> None:
    assert rounded_up(amount, unit) == text


@given(amounts, st.sampled_from([(Unit.COUNT, read_count), (Unit.BYTES, read_bytes)]))
def test_what_is_rounded_up_is_read_again_and_hardly_more(
    amount: int, kind: tuple[Unit, Callable[[object], object]]
) -> None:
    unit, read = kind
    limit = read(rounded_up(amount, unit))
    assert isinstance(limit, int)
    assert amount <= limit <= amount * 1.025 + 1
