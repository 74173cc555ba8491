from __future__ import annotations

import time
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, UserError
from mbv2cli.search.space import MAX_CHOICES, read_choices
from mbv2cli.specs.base import Spec, keys
from mbv2cli.specs.reader import Setting


def chosen(key: str, value: object, model: type[Spec] = NetworkSpec) -> tuple[Any, ...]:
    field = keys(model)[key]
    name = next(name for name, one in model.model_fields.items() if one is field)
    return read_choices(Setting(key, value, f"--{key}"), name, field)


def test_a_range_holds_its_stop_where_the_steps_reach_it() -> None:
    widths = chosen("width_mult", "0.35:1.4:0.05")
    assert len(widths) == 22
    assert widths[:3] == (0.35, 0.4, 0.45)
    assert widths[-1] == 1.4
    assert chosen("width_mult", "0.1:0.34:0.1") == (0.1, 0.2, 0.3)
    assert chosen("size", "96:256:16", InputSpec)[-1] == (256, 256)
    assert chosen("in", "5:5:1") == (5,)


HUNDREDTHS = st.integers(1, 400)


@given(start=HUNDREDTHS, count=st.integers(1, 40), step=st.integers(1, 30), rest=st.data())
def test_a_range_is_that_of_decimals(
    start: int, count: int, step: int, rest: st.DataObject
) -> None:
    # no multiple of 0.01 but 0, 0.25, … is a binary fraction, so floats that are added up drift
    stop = start + (count - 1) * step + rest.draw(st.integers(0, step - 1))
    text = ":".join(str(Decimal(number) / 100) for number in (start, stop, step))
    expected = [float(Decimal(start + number * step) / 100) for number in range(count)]
    assert list(chosen("width_mult", text)) == expected


@given(st.integers(1, 500), st.integers(0, 500), st.integers(1, 50))
def test_a_range_of_whole_numbers_is_python_s_with_its_stop(
    start: int, span: int, step: int
) -> None:
    found = chosen("in", f"{start}:{start + span}:{step}")
    assert found == tuple(range(start, start + span + 1, step))
    assert {type(value) for value in found} == {int}


@given(st.lists(st.integers(1, 9), min_size=1))
def test_each_value_is_there_once_in_the_order_given(values: list[int]) -> None:
    once = tuple(dict.fromkeys(values))
    assert chosen("in", values) == once
    assert chosen("in", ",".join(map(str, values))) == once
    assert chosen("in", list(map(str, values))) == once


def test_lists_ranges_and_words_mix() -> None:
    assert chosen("in", "3, 8:16:4 ,3,1") == (3, 8, 12, 16, 1)
    assert chosen("in", [3, "8:16:4,2", "1"]) == (3, 8, 12, 16, 2, 1)
    assert chosen("expand", "1:2:0.5,2.0") == (1, 1.5, 2)
    assert chosen("act", "relu,silu", BlockSpec) == ("relu", "silu")
    sizes = ((96, 96), (64, 128), (32, 48))
    assert chosen("size", "96,64x128,32x48", InputSpec) == sizes
    assert chosen("size", [96, [64, 128], "32x48"], InputSpec) == sizes


def test_numbers_that_are_equal_are_one_value() -> None:
    assert chosen("expand", [6, 6.0, "6", "6.00"]) == (6,)


def test_there_may_be_so_many_values_and_no_more() -> None:
    assert len(chosen("in", f"1:{MAX_CHOICES}:1")) == MAX_CHOICES
    with pytest.raises(UserError, match="4,097 values; at most 4,096 are allowed"):
        chosen("in", f"1:{MAX_CHOICES + 1}:1")
    with pytest.raises(UserError, match="4,097 values; give at most 4,096"):
        chosen("in", [f"1:{MAX_CHOICES}:1", 1])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (",".join(["1:4096:1"] * 10_000), "has 10,000 values; give at most 4,096"),
        (["1:4096:1"] * 4_000, "has 16,384,000 values; give at most 4,096"),
        (",".join(["5"] * 10**6), "has 1,000,000 values; give at most 4,096"),
        ([5] * 10**6, "has 1,000,000 values; give at most 4,096"),
        ("1:1000000000000000000:1", "is not a range"),
        ("1:999999999999:1", "has 999,999,999,999 values; at most 4,096 are allowed"),
    ],
    ids=["ranges", "list of ranges", "words", "list", "digits", "range"],
)
def test_too_many_values_are_refused_before_they_are_worked_out(value: object, words: str) -> None:
    start = time.process_time()
    with pytest.raises(UserError) as error:
        chosen("in", value)
    assert words in str(error.value)
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "--in must be a whole number"),
        ("3,", "--in must be a whole number"),
        ([], "--in is an empty list"),
        ("5:3:1", "'5:3:1' has no values"),
        ("3:5:0", "step must be above 0"),
        ("3:5:-1", "step must be above 0"),
        ("3:5", "'3:5' is not a range; write start:stop:step"),
        ("3:5:1:1", "is not a range"),
        (":5:1", "is not a range"),
        ("a:b:c", "is not a range"),
        ("1e1:1e2:1", "is not a range"),
        ("nan:5:1", "is not a range"),
        ("1:inf:1", "is not a range"),
        ("1:999999999999:0.000000000001", "so use a larger step"),
        ("1:9999999999999:1", "is not a range"),  # too many digits to be meant
        ("0:3:1", "--in must be a whole number from 1"),
        ("1:2:0.5", "--in must be a whole number"),
        ("3,many", "not 'many'"),
        ("3 5", "not '3 5'"),
        ([3, True], "not true"),
        ([[3, 5]], "not [3, 5]"),
        ([3, None], "not None"),
        ({"a": 1}, "not {'a': 1}"),
    ],
)
def test_what_is_no_choice_is_told_with_its_place(value: object, words: str) -> None:
    with pytest.raises(UserError) as error:
        chosen("in", value)
    assert str(error.value).startswith("--in")
    assert words in str(error.value)


def test_a_misspelt_word_is_told_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'relu6'"):
        chosen("act", "relu,rellu6", BlockSpec)


@given(st.text(alphabet="0123456789:.,-x eE", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(UserError):  # and no other exception
        values = chosen("size", text, InputSpec)
        assert 1 <= len(values) <= MAX_CHOICES
        assert all(1 <= side <= 65_536 for size in values for side in size)
