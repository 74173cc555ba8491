"""Stages as text: ``t1c16/t6c24n2s2k5`` has two, each a row of the paper's Table 2."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from mbv2cli.errors import UserError, nearest
from mbv2cli.specs.synonyms import same_key

LETTERS: Final[Mapping[str, str]] = {
    "t": "t",
    "c": "c",
    "n": "n",
    "s": "s",
    "k": "kernel",
    "d": "dilation",
}
"""The key that each letter stands for, in the order of writing."""

BETWEEN: Final = "/"

_KEYS: Final = tuple(LETTERS.values())

_NUMBER: Final = r"\d{1,9}(?:\.\d{1,25})?(?:e-\d{1,3})?"
_FIELD: Final = re.compile(f"([tcnskd])({_NUMBER})")
_STAGE: Final = re.compile(f"(?:{_FIELD.pattern})+")
_OTHER_FIELD: Final = re.compile(f"([a-z]++)_?({_NUMBER})?_?")
_OTHER_STAGE: Final = re.compile(f"(?:{_OTHER_FIELD.pattern})+")
"""A stage in the letters of another codebase, such as ``ir_r2_k3_s2_e6_c24``."""


def read_stages(value: object, place: str | None = None) -> object:
    """Return the stages of a text, or of tables that may have letters for keys, as tables.

    The text has letters with numbers, or tables as a TOML file has them. Returns other values
    unchanged: the field rejects them. Raises `ValueError` if the text is neither. With a
    ``place``, where a user wrote the stages, raises `UserError` for keys that are not a stage's.
    """
    stages = _read_text(value) if isinstance(value, str) else value
    if not isinstance(stages, list | tuple):
        return stages
    if place:
        for number, stage in enumerate(stages):
            if isinstance(stage, dict):
                _refuse_other_keys(stage, f"{place}[{number}]")
    return [_with_keys(stage) if isinstance(stage, dict) else stage for stage in stages]


def _refuse_other_keys(table: Mapping[str, Any], place: str) -> None:
    """Raise `UserError` if a table has a key that is not a stage's, or a key and its letter."""
    wrong = [str(key) for key in table if key not in LETTERS and key not in _KEYS]
    if wrong:
        complaints = ", and ".join(_complaint(key, place) for key in wrong)
        hint = "".join(nearest(key, _KEYS) for key in wrong if not same_key(key, _KEYS))
        raise UserError(f"{complaints} (the keys of a stage are {', '.join(_KEYS)}){hint}")
    for letter, key in LETTERS.items():
        if letter != key and letter in table and key in table:
            raise UserError(f"{place} has {letter} and {key}, which are the same; keep {key}")


def _complaint(key: str, place: str) -> str:
    own = same_key(key, _KEYS)
    return f"{place}.{key} is not a key{f'; {own} is' if own else ' of a stage'}"


def _with_keys(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of a stage with keys instead of letters.

    Raises `ValueError` if the table has both a letter and its key.
    """
    spelled = {LETTERS.get(key, key): value for key, value in table.items()}
    if len(spelled) < len(table):
        raise ValueError("a key is given twice")
    return spelled


def _read_text(text: str) -> list[Any]:
    text = text.strip()
    if text.startswith(("{", "[")):
        return _read_tables(text if text.startswith("[") else f"[{text}]")
    return [_read_stage(stage) for stage in text.lower().split(BETWEEN)]


def _read_tables(array: str) -> list[Any]:
    try:
        tables: list[Any] = tomllib.loads(f"stages = {array}")["stages"]
    except RecursionError:
        raise ValueError("too deep") from None
    return tables


def _read_stage(text: str) -> dict[str, str]:
    """Return the letters of a stage with their numbers; those of other codebases too."""
    fields = _FIELD.findall(text)
    if not _STAGE.fullmatch(text):
        fields = _OTHER_FIELD.findall(text)
        has_numbers = len(fields) > 1 and all(number for _, number in fields[1:])
        is_other = _OTHER_STAGE.fullmatch(text) and not {name for name, _ in fields} <= set(LETTERS)
        if not (has_numbers and is_other):
            raise ValueError("not a stage")
    if len(dict(fields)) < len(fields):
        raise ValueError("a letter is given twice")
    return dict(fields)
