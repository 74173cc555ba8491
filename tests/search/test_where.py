from __future__ import annotations

import itertools
import pickle
import re
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import example, given, reject
from hypothesis import strategies as st

from mbv2cli import UserError
from mbv2cli.costs.figures import Counting
from mbv2cli.search.engine import Engine
from mbv2cli.search.figures import figure_names, refuse_unknown
from mbv2cli.search.space import read_space
from mbv2cli.search.tables import LARGEST
from mbv2cli.search.where import MAX_LENGTH, read_where

FIGURES: Final = ("macs", "params", "peak")
Values = dict[str, float]


def python_says(text: str, values: Values) -> bool:
    """Return what Python makes of a condition that a test wrote."""
    return bool(eval(text, {"__builtins__": {}}, values))  # noqa: S307  (the reference)


def mbv2_says(text: str, values: Values) -> bool:
    found = read_where(text).holds({name: np.array([value]) for name, value in values.items()})
    assert found.dtype == np.bool_
    (one,) = found.tolist()
    return bool(one)


# whole numbers, so small that all but division is exact, and ties are frequent
names = st.sampled_from(FIGURES)
numbers = st.sampled_from(
    ["0", "1", "2", "3", "7", "2.5", "0.5", "1e1", "1_0", "0x10", "10.", ".5"]
)
blanks = st.sampled_from(["", " ", "  "])


def together(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Join texts, with or without blanks between them."""
    return st.tuples(*(part for one in parts for part in (one, blanks))).map("".join)


def in_parentheses(text: str) -> str:
    return f"({text})"


def larger_amounts(smaller: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    sign = st.sampled_from(["+", "-", "*"])
    # a constant that divides by 0 is refused, even where Python would never come to it
    divisor = st.one_of(names, st.sampled_from(["1", "2", "3", "0.5"]))
    return st.one_of(
        together(smaller, sign, smaller),
        together(smaller, st.just("/"), divisor),
        together(st.sampled_from(["-", "+"]), smaller),
        smaller.map(in_parentheses),
        together(names, st.just("**"), st.sampled_from(["0", "1", "2", "3"])),
        together(names, st.just("%"), st.sampled_from(["1", "2", "3", "2.5"])),
    )


amounts = st.recursive(st.one_of(names, numbers), larger_amounts, max_leaves=6)
signs = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
# a figure on one side of each sign
comparisons = st.one_of(
    together(names, signs, amounts),
    together(amounts, signs, names),
    together(amounts, signs, names, signs, amounts),
    together(amounts, signs, names, signs, amounts, signs, names),
)


def larger_conditions(smaller: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    between = st.sampled_from([" and ", " or "])
    return st.one_of(
        together(smaller, between, smaller),
        together(smaller, between, smaller, between, smaller),
        together(st.just("not "), smaller),
        smaller.map(in_parentheses),
    )


conditions = st.recursive(comparisons, larger_conditions, max_leaves=5)
all_values = st.fixed_dictionaries(dict.fromkeys(FIGURES, st.integers(0, 9).map(float)))
SOME: Final = [{"macs": macs, "params": 2.0, "peak": 9.0} for macs in (0.0, 2.0, 3.0, 7.0)]


@given(conditions, st.lists(all_values, min_size=5, max_size=20))
@example("not macs < 1 and params < 1", SOME)
@example("macs < 1 or macs > 5 and peak < 5", SOME)
@example("1 < macs < 3 != params", SOME)
@example("(macs + 1) * 2 == 8", SOME)
@example("peak - (macs - params) == 8", SOME)
@example("peak - macs - params == 4", SOME)
@example("peak / (params / macs) == 13.5", SOME)
@example("peak / params / macs == 1.5", SOME)
@example("-(macs + 1) == -4", SOME)
@example("-macs**2 == -9", SOME)
@example("(-macs)**2 == 9", SOME)
@example("2**macs**2 == 2**9", SOME)
@example("(2**macs)**2 == 2**6", SOME)
def test_a_condition_holds_where_python_says_so(text: str, several: list[Values]) -> None:
    for values in several:
        try:
            expected = python_says(text, values)
        except ArithmeticError:  # division by zero and the like raise in Python alone
            continue
        assert mbv2_says(text, values) == expected


@given(
    st.sampled_from(["macs - params", "-macs", "macs % (params - 5.5)", "params % -3"]),
    st.sampled_from(["2", "-2", "2.5", "(peak + 1)"]),
    signs,
    st.sampled_from(["0", "1", "-1", "0.5"]),
    all_values,
)
def test_a_remainder_has_python_s_sign(
    left: str, right: str, sign: str, limit: str, values: Values
) -> None:
    text = f"({left}) % {right} {sign} {limit}"
    assert mbv2_says(text, values) == python_says(text, values)


def test_it_looks_at_every_member() -> None:
    macs, params = np.arange(1_000), np.arange(1_000)[::-1]
    where = read_where("  macs < 2*params and not 100 <= macs <= 200 ")
    assert where.names == ("macs", "params")
    expected = (macs < 2 * params) & ~((macs >= 100) & (macs <= 200))
    assert np.array_equal(where.holds({"macs": macs, "params": params, "peak": macs}), expected)


def test_figures_beyond_int32_are_compared_in_full() -> None:
    large = {"macs": np.array([2**52, 2**52 + 1]), "params": np.array([2**40, 2**40])}
    assert read_where("macs > 4503599627370496").holds(large).tolist() == [False, True]
    assert read_where("params * params > 1e24").holds(large).tolist() == [True, True]


@pytest.mark.parametrize(
    "text",
    [
        "macs < 9007199254740993",
        "macs == 1152921504606846975",
        "macs != params",
        "macs in (9007199254740993, 1152921504606846975)",
        "macs not in [9007199254740993]",
        "macs % 2 == 1",
        "macs - 9007199254740992 == 1",
        "macs * params > 81129638414606726777489034543104",
        "macs ** 3 > params ** 3",
        "macs * params * peak < params ** 3",
        "macs / 3 == 3002399751580331",
        "macs / params > 1",
        "macs / params < params / peak",
        "1 / macs < 1 / params",
        "macs ** -2 < params ** -2",
        "macs * 0.1 == 900719925474099.3",
        "macs == 9007199254740993.0",
        "macs <= 9007199254740992.5",
        "-macs < -params",
        "macs + params - peak > 9007199254740992",
        "(macs - params) * 1000 == 1000",
        "macs % params == 1",
        "macs % (0 - params) == 1 - params",
        "macs % 0.5 == 0",
        "macs > 18446744073709551616",
        "macs < 18446744073709551616",
    ],
)
def test_whole_numbers_are_compared_exactly(text: str) -> None:
    values = [2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, LARGEST - 1, LARGEST, 3, 0, 1]
    members = [one for one in itertools.product(values, repeat=3) if 0 not in one[:2]]
    columns = dict(zip(FIGURES, map(np.array, zip(*members, strict=True)), strict=True))
    found = read_where(text).holds(columns).tolist()
    exact = re.sub(r"\d+(\.\d+)?", r"Fraction('\g<0>')", text)  # so that / is exact too
    for member, holds in zip(members, found, strict=True):
        names = dict(zip(FIGURES, map(Fraction, member), strict=True))
        if "/ peak" not in text or member[2]:
            assert holds == eval(exact, {"Fraction": Fraction}, names), (text, member)  # noqa: S307


whole = st.one_of(st.integers(0, 9), st.integers(2**53 - 9, 2**53 + 9), st.integers(0, LARGEST))


@given(conditions, st.lists(st.tuples(whole, whole, whole), min_size=1, max_size=9))
def test_a_condition_on_whole_numbers_holds_where_fractions_say_so(
    text: str, members: list[tuple[int, int, int]]
) -> None:
    try:
        where = read_where(text)
    except UserError:  # a number may be too large
        reject()
    columns = dict(zip(FIGURES, map(np.array, zip(*members, strict=True)), strict=True))
    found = where.holds(columns).tolist()
    exact = re.sub(r"(?<![\w.])(0x10|\d[\d_]*\.?\d*(?:e\d)?|\.\d)", _as_fraction, text)
    for member, holds in zip(members, found, strict=True):
        names = dict(zip(FIGURES, map(Fraction, member), strict=True))
        with suppress(ZeroDivisionError):  # some comparison does not hold then
            assert holds == eval(exact, {"Fraction": Fraction}, names), (exact, member)  # noqa: S307


def _as_fraction(number: re.Match[str]) -> str:
    return f"Fraction('{eval(number[0])}')"  # noqa: S307  (a number that a test wrote)


def test_a_comparison_with_a_division_by_0_does_not_hold() -> None:
    columns = {"macs": np.array([5, 0, 5]), "params": np.array([0, 0, 2])}
    floats = {name: column.astype(float) for name, column in columns.items()}
    for values in (columns, floats):
        for text in ("macs / params > 1", "macs / params != 9", "macs % params != 9"):
            assert read_where(text).holds(values).tolist() == [False, False, True]


@pytest.mark.parametrize("target", ["block", "network"])
def test_every_figure_of_the_list_can_be_used(target: str) -> None:
    space = read_space(target)
    for name in figure_names(space):
        for text in (
            f"{name} >= 0",
            f"not {name} < 0",
            f"0 <= {name} and ({name} >= 0)",
            f"{name} * 2 >= {name} + {name}",
            f"{name} not in (-1, -2)",
            f"{name} in ({name}, 3)",
        ):
            where = read_where(text)
            refuse_unknown(where.names, space, "--where")
            assert where.names == (name,)
            engine = Engine(space, where.names, Counting(), 0)
            values = dict(zip(where.names, engine.values(np.zeros((0, 1), np.intp)), strict=True))
            assert where.holds(values).tolist() == [True], text


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("in in (8, 16)", [True, False]),
        ("in not in (8, 16)", [False, True]),
        ("not in in (8, 16)", [False, True]),
        ("in in (in, 3) and in < 9", [True, False]),
        ("8 in [in]", [True, False]),
        ("-in<-8 or out in(in,)", [True, True]),
        ("1 < in <= 8", [True, False]),
        ("out in (in, 7)", [True, False]),
        ("in%8==0", [True, False]),
        ("peak in (1KiB, 2kB)", [True, False]),
        ("macs in (2k, 3M)", [True, False]),
        ("expand in (0.5, 6)", [True, False]),
        ("expand == 0.1", [False, True]),
        ("in * expand < 4.1", [True, True]),
        ("macs ** 0.5 > 44.715", [True, False]),
        ("2 ** in > 256", [False, True]),
    ],
)
def test_the_figure_in_and_the_operator_in(text: str, holds: list[bool]) -> None:
    columns = {"in": [8, 9], "out": [8, 8], "peak": [1024, 1025], "macs": [2000, 1999]}
    values = {name: np.array(column) for name, column in columns.items()}
    values["expand"] = np.array([0.5, 0.1])
    assert read_where(text).holds(values).tolist() == holds


def refused(text: str) -> str:
    """Return what is said of a condition that is read as `mbv2 sweep` reads it."""
    with pytest.raises(UserError) as error:
        refuse_unknown(read_where(text).names, read_space("network"), "--where")
    said = str(error.value)
    assert said.startswith("--where")
    assert "\n" not in said
    return said


MALICIOUS: Final = [
    '__import__("os").system("touch x")',
    '__import__("os").system("touch x") < macs',
    'macs < __import__("os").system("touch x")',
    "macs.__class__ == 1",
    "macs.real < 1",
    "().__class__.__bases__[0].__subclasses__() == macs",
    "(lambda: 1)() < 2",
    "(lambda: macs) < 2",
    "[x for x in macs] < 3",
    "(x for x in macs) < 3",
    "{macs} < 3",
    "{macs: 1} < 3",
    "[macs] < 3",
    "(macs, 1) < (2, 3)",
    'open("x", "w") < 1',
    'open("x", "w").write("x") < macs',
    'eval("1") < macs',
    'exec("open(\\"x\\", \\"w\\")") == macs',
    "sum(macs) < 1",
    "sin(macs) < 1",
    "where(macs < 1, 1, 2) == 1",
    "macs[0] < 1",
    "macs[:] < 1",
    "(macs := 3) < 4",
    "macs < (params := 3)",
    'f"{macs}" < 1',
    "f\"{open('x', 'w')}\" == macs",
    'macs < "a"',
    'macs == b"a"',
    "macs < 1 if params else 2",
    "(macs if params else 2) < 1",
    "await macs < 1",
    "(yield macs) < 1",
    "*macs < 1",
    "macs < 1; import os",
    "import os",
    "macs = 1",
    "macs < 1\nimport os",
    "macs < 1,",
    "del macs",
    "__builtins__ < 1",
    "__name__ == 1",
    "os < 1",
    "self < 1",
    "macs < x",
    "sqrt < 1",
    "where < 1",
]
TOO_MUCH: Final = [
    "9**9**9**9 < macs",
    "9**9**9**9**9 < 9**9**9**9**macs",
    "macs < 9**(9**9)",
    "macs < 10**400",
    f"macs < {'9' * 900}",
    "macs < 1e999",
    "macs < -1e999",
    "(" * 400 + "macs" + ")" * 400 + " < 1",
    "(" * 1_000 + "macs" + ")" * 1_000 + " < 1",
    "(" * 150 + "macs" + " + 1)" * 150 + " < 1",
    "macs" + " + 1" * 200 + " < 1",
    "not " * 101 + "macs < 1",
    "macs ** 17 < 1",
    "macs ** params ** 999999999 ** 99 < 1",
    "((macs ** 9) ** 9) ** 9 < 1",
    "macs ** 99999999999999999999 < 1",
    "macs < 2 ** 99999",
    "macs < 1e-999999999",
    "macs < 1e-99999999999999999999",
    "macs < 1e99999999999999999999",
    f"macs < 0.{'0' * 900}1",
    f"macs < 1.{'3' * 900}",
    "-" * 990 + "macs < 1",
    "not " * 240 + "macs < 1",
    "~" * 990 + "macs < 1",
    "[" * 900 + "macs < 1",
    "macs < 1 and " * 160 + "macs < 1",  # 2,000 characters
    " " * 1_000 + "macs < 1",
    "1 << 9999999999 < macs",
    "'a' * 9999999999 == macs",
]
MISTAKEN: Final = [
    "",
    " ",
    "macs",
    "macs < ",
    "< macs",
    "1 < 2",
    "True",
    "not 1 < 2",
    "1 < 2 and macs < 5",
    "macs < 5 or not 1 < 2",
    "1 < 2 < macs",
    "macs and params",
    "not macs",
    "macs < True",
    "macs == None",
    "macs < 1j",
    "macs < ...",
    "macs is 1",
    "macs is not 1",
    "macs in params",
    "macs not in params",
    "macs in ()",
    "macs in (1, (2, 3))",
    "macs in (1 < 2, 3)",
    "(1, macs) in (1, 2)",
    "in",
    "in in",
    "in in in",
    "in in 3",
    "not in",
    "figure_in < 3",
    "macs in ('a', 'b')",
    "macs in 'abc'",
    "macs in {1, 2}",
    "1 in (2, 3)",
    "(macs < 1) < 2",
    "(macs < 1) + 1 > 1",
    "macs < (params < 2)",
    "macs < (not params)",
    "macs << 1 < 2",
    "macs & 1 == 0",
    "macs | 1 == 0",
    "macs ^ 1 == 0",
    "macs @ 1 == 0",
    "macs // 2 == 0",
    "~macs < 1",
    "macs < 1 & params < 2",
    "macs <> 1",
    "macs < 100Q",
    "macs < 1/0",
    "macs < 1%0",
    "macs < 0**-1",
    "macs =< 1",
    "macs < 1 && params < 2",
    "macs\x00 < 1",
    "\x00",
    "macs < 1\x00",
    "\ud800 < 1",
    "mac < 1",
    "act < 1",
    "stages < 1",
]


@pytest.mark.parametrize("text", [*MALICIOUS, *TOO_MUCH, *MISTAKEN], ids=lambda text: text[:40])
def test_what_is_no_condition_is_refused_at_once(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    start = time.perf_counter()
    refused(text)
    assert time.perf_counter() - start < 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("macs", "'macs' is not a comparison"),
        ("not macs", "'macs' is not a comparison"),
        ("1 < 2", "there is no figure in '1' or '2'"),
        ("macs < 5 or 2 > 1", "there is no figure in '2' or '1'"),
        ('macs < "a"', "'a'"),
        ("macs // 2 == 0", "only the operators + - * / % ** are allowed there"),
        ("macs in params", "only the operators < <= > >= == != are allowed there"),
        ("macs < 1/0", "division by zero"),
        ("9**9**9**9 < macs", "cannot be computed"),
        (f"macs < {'9' * 900}", "too large"),
        ("macs < 1e999", "too large"),
        (" " * 1_000 + "macs < 1", "longer than 1,000 characters"),
        ("mac < 1", "there is no figure 'mac'"),
        ("mac < 1", "did you mean 'macs'?"),
        ("sqrt < 1", "there is no figure 'sqrt'"),
        ("macs < 100Q", "'macs < 100Q' is not an expression"),
        ("macs < 1 & params < 2", "only the operators"),
    ],
)
def test_what_is_wrong_is_told(text: str, words: str) -> None:
    assert words in refused(text)


def test_a_condition_can_be_sent_to_other_processes() -> None:
    where = read_where("not (1 < macs < 5 or -params ** 2 / 3 in (1, 2.5))")
    assert pickle.loads(pickle.dumps(where)) == where  # noqa: S301  (our own)


def test_a_condition_may_be_so_long() -> None:
    text = "macs < 1 or " * 80 + "macs < 1"
    assert 900 < len(text) <= MAX_LENGTH
    assert mbv2_says(text, {"macs": 0.0})


WORDS: Final = [
    *("macs", "params", "peak", "1", "2.5", "1e9", "0", "'", '"', "f'", "__class__", "\\"),
    *("(", ")", "[", "]", "{", "}", ".", ",", ":", ":=", "="),
    *("+", "-", "*", "/", "%", "**", "//", "@", "~", "&", "|", "<", "<=", "==", "!=", ">"),
    *("and", "or", "not", "in", "is", "if", "else", "lambda"),
]


@given(
    st.one_of(
        st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
        st.lists(st.sampled_from(WORDS), max_size=12).map("".join),
        st.text(max_size=20),
    )
)
@example("9" * 900 + " < macs")
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    values: dict[str, Any] = {name: np.array([1, 2]) for name in FIGURES}
    try:
        where = read_where(text)
    except UserError:
        return
    if set(where.names) <= set(FIGURES):
        assert where.holds(values).dtype == np.bool_


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("padding == 'same'", "'same' is text, and --where compares numbers"),
        ("macs < 1 and 'same' == padding", "'same' is text, and --where compares numbers"),
        ("'same'", "'same' is not a comparison"),
        ("f('same') < macs", "\"f('same')\" is not a figure"),
        ("60M", "'60M' is not a comparison"),
        ("f(60M) < macs", "'f(60M)' is not a figure"),
    ],
)
def test_a_text_is_quoted_once(text: str, words: str) -> None:
    with pytest.raises(UserError) as error:
        read_where(text)
    assert f"--where cannot be used: {words}" in str(error.value)
