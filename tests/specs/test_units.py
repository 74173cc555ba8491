from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli.specs.units import distance_text, growth_text, room_text

amounts = st.integers(1, 10**12)


@pytest.mark.parametrize(
    ("limit", "actual", "words"),
    [
        (2000, 1568, "21.6 % left"),
        (2000, 2000, "0.0 % left"),
        (1000, 1123, "12.3 % over"),
        (1000, 1999, "99.9 % over"),
        (1000, 2000, "2.0 × the limit"),
        (1, 3505, "3,505.0 × the limit"),
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
