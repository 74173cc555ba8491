r"""Text of users as it is shown: on one line, and only as text.

A name, a key or a path may hold signs that move a cursor, hide or reverse what stands beside
them, end a line or command a CI service. Each of these signs is shown as its escape: ``\x1b``.
Letters of every script, their marks and emoji are shown as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

_FILLERS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Letters and marks that nobody can see."""

_NEW_EMOJI: Final = range(0x1F000, 0x1FB00)
"""Emoji that Python may not know yet: every sign here is one, or will be one."""

_LONGEST_WORD: Final = 120
_LONGEST_LINE: Final = 4_000
_KEPT: Final = 40
"""The signs at the start and at the end of a long word that are shown."""

# compiled when they are used first: few texts need them
_LONG_WORD: Final = rf"[^\s,/:;=]{{{_LONGEST_WORD + 1},}}"
_COMMAND: Final = r"(?<!\S)::|##(?=\w*\[)"
"""What starts a command of a CI service: GitHub reads ``::`` and ``##[``, Azure ``##vso[``."""


class _Signs(dict[int, str]):
    """What is shown of each sign, by its number: the sign, or its escape."""

    def __init__(self, escape: Callable[[int], str]) -> None:
        super().__init__()
        self._escape = escape

    def __missing__(self, number: int) -> str:
        shown = self[number] = chr(number) if _is_visible(number) else self._escape(number)
        return shown


def _is_visible(number: int) -> bool:
    sign = chr(number)
    if sign.isprintable():
        return sign not in _FILLERS
    from unicodedata import category

    return category(sign) == "Zs" or (number in _NEW_EMOJI and category(sign) == "Cn")


def _escape(number: int) -> str:
    """Return the escape of a sign, as Python writes it."""
    named = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(chr(number))
    if named:
        return named
    return f"\\x{number:02x}" if number < 0x100 else _toml_escape(number)  # noqa: PLR2004


def _toml_escape(number: int) -> str:
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"  # noqa: PLR2004


def _json_escape(number: int) -> str:
    """Return the escape of a sign in JSON, which has two for a sign of the upper planes."""
    pair = chr(number).encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{pair[start : start + 4]}" for start in range(0, len(pair), 4))


_SHOWN: Final = _Signs(_escape)
_IN_TOML: Final = _Signs(_toml_escape)
_IN_JSON: Final = _Signs(_json_escape)
_IN_TOML[ord("\n")] = _IN_JSON[ord("\n")] = "\n"


def shown(text: str) -> str:
    """Return ``text`` for a person: escaped, and without the middle of a word or a line too long.

    The text says how many characters are left out.
    """
    if len(text) > _LONGEST_WORD:
        text = _shorter(re.sub(_LONG_WORD, lambda word: _without_middle(word[0]), text))
    return escaped(text)


def escaped(text: str) -> str:
    """Return ``text`` on one line, every sign of it there: what nobody can see is an escape."""
    if not is_visible(text):
        text = text.translate(_SHOWN)
    if "::" in text or "##" in text:
        text = re.sub(_COMMAND, lambda start: f"\\x{ord(start[0][0]):02x}{start[0][1:]}", text)
    return text


def is_visible(text: str) -> bool:
    """Return whether each sign of ``text`` can be seen, or is a space."""
    if text.isprintable():
        return text.isascii() or _FILLERS.isdisjoint(text)
    return all(_is_visible(ord(sign)) for sign in text)


def toml_escaped(text: str) -> str:
    """Return a TOML document that holds the same values, with escapes of what nobody can see."""
    return text.translate(_IN_TOML)


def json_escaped(text: str) -> str:
    """Return a JSON document that holds the same values, with escapes of what nobody can see."""
    if not text.isascii() or "\x7f" in text:
        text = text.translate(_IN_JSON)
    return text.replace("##", r"\u0023\u0023")


def _shorter(line: str) -> str:
    """Return a line of which whole words in the middle are left out, if it is too long."""
    half = _LONGEST_LINE // 2
    if len(line) <= _LONGEST_LINE:
        return line
    start, end = line[:half].rpartition(" ")[0], line[-half:].partition(" ")[2]
    start, end = start or line[:half], end or line[-half:]
    return f"{start} ...{len(line) - len(start) - len(end):,} characters... {end}"


def _without_middle(word: str) -> str:
    return f"{word[:_KEPT]}...{len(word) - 2 * _KEPT:,} characters...{word[-_KEPT:]}"


def first_three(names: Sequence[str]) -> str:
    """Return the first three names, and how many more there are; "" if there are none."""
    more = len(names) - 3
    return ", ".join([*names[:3], *([f"{more:,} more"] if more > 0 else [])])
