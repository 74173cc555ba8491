"""What is shown of a text: one line, every sign of it visible, no command of a CI service."""

from __future__ import annotations

import json
import re
import tomllib
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli.shown import escaped, is_visible, json_escaped, shown, toml_escaped
from tests.strategies import hostile_texts

INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def unseen(text: str) -> set[str]:
    """Return the signs of ``text`` that nobody can see, and those that mean no character."""
    return {sign for sign in text if category(sign) in INVISIBLE or ord(sign) & 0xFFFE == 0xFFFE}


def commands(text: str) -> list[str]:
    """Return the lines that a CI service takes for commands."""
    return [
        line
        for line in text.splitlines()
        if re.match(r"\s*::", line) or re.search(r"##\w*\[", line)
    ]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\nb\tc\rd\x00\x7f\x9b", r"a\nb\tc\rd\x00\x7f\x9b"),
        ("\u202eabc\u202c\u2066\u2069\u200e\u200f\u061c", None),
        ("\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u3164\u2028\u2029", None),
        ("\udcff\ufffe\U000e0041", r"\udcff\ufffe\U000e0041"),
        ("::error::x", r"\x3a:error::x"),
        ("a ::error::x a::b", r"a \x3a:error::x a::b"),
        ("##[error]x ##vso[y] ## [z]", r"\x23#[error]x \x23#vso[y] ## [z]"),
    ],
)
def test_what_nobody_can_see_is_an_escape(text: str, same: str | None) -> None:
    expected = same or "".join(f"\\u{ord(sign):04x}" for sign in text if sign not in "abc\xad")
    if same is None:
        assert escaped(text).replace("abc", "").replace(r"\xad", "") == expected
    else:
        assert escaped(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "edge", "a: b::c", "# heading", r"C:\new\table", "a\u3000b", "1,568", "9" * 100),
        *("中文", "é ü", "e\u0301", "Ελληνικά", "हिन्दी", "🩷 👍🏽 ❤️", "features.1.conv[size=96]"),
    ],
)
def test_names_in_any_language_and_numbers_stay_as_they_are(text: str) -> None:
    assert is_visible(text)
    assert shown(text) == escaped(text) == text


@given(hostile_texts)
def test_a_text_is_shown_on_one_line_and_only_as_text(text: str) -> None:
    for one in (shown(text), escaped(text)):
        assert not unseen(one)
        assert is_visible(one)
        assert not commands(one)
        assert len(one.splitlines()) <= 1
        one.encode()
    assert escaped(escaped(text)) == escaped(text)
    assert is_visible(text) == (escaped(text) == text) or "::" in text or "##" in text


@given(st.integers(121, 10_000))
def test_the_middle_of_a_long_word_is_left_out_and_counted(length: int) -> None:
    word = ("ab" * length)[:length]
    start, number, end = shown(f"no '{word}' here").split("...")
    assert start == f"no '{word[:39]}"
    assert end == f"{word[-39:]}' here"
    assert number == f"{length + 2 - 80:,} characters"


def test_a_path_and_a_target_are_long_and_whole() -> None:
    stages = "/".join(f"t6c{width}n2s1" for width in range(100, 190))
    target = f"{'/folder' * 20}/net.toml:width_mult=0.35,stages={stages}"
    assert len(target) > 1_000
    assert shown(target) == target


def test_the_middle_of_a_long_line_is_left_out_between_words() -> None:
    line = shown(" ".join(f"{number:,}" for number in range(1_000, 3_000)))
    start, number, end = line.split("...")
    assert len(line) < 4_100
    assert start.startswith("1,000 1,001 ")
    assert end.endswith(" 2,998 2,999")
    assert re.fullmatch(r"[\d,]+ characters", number)
    assert all(re.fullmatch(r"\d,\d{3}", one) for one in (*start.split(), *end.split()))


@given(hostile_texts)
def test_json_has_no_sign_that_nobody_can_see_and_holds_the_same_text(text: str) -> None:
    for is_ascii in (True, False):
        document = json_escaped(json.dumps({"a": text}, ensure_ascii=is_ascii, indent=2))
        assert json.loads(document) == {"a": text}
        assert unseen(document) <= {"\n"}
        assert not commands(document)


@given(hostile_texts)
def test_toml_has_no_sign_that_nobody_can_see_and_holds_the_same_text(text: str) -> None:
    text = text.encode(errors="replace").decode()
    document = toml_escaped(f"a = {json.dumps(text, ensure_ascii=False)}\n")
    assert tomllib.loads(document) == {"a": text}
    assert unseen(document) == {"\n"}
