"""Amounts of bytes as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli.specs.units import bytes_numbers, bytes_text, bytes_texts

MIB = 2**20
DIVISORS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@pytest.mark.parametrize(
    ("amounts", "texts"),
    [
        ([], []),
        ([0], ["0.00 KiB"]),
        ([10 * MIB - 1, 0], ["10,240.00 KiB", "0.00 KiB"]),
        ([10 * MIB, 0], ["10.00 MiB", "0.00 MiB"]),
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
        assert number == f"{amount / DIVISORS[unit]:,.2f}"
