"""Stages as one word: ``t1c16/t6c24n2s2k5``, a stage for each row of the paper's Table 2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

LETTERS: Final[Mapping[str, str]] = {
    "t": "t",
    "c": "c",
    "n": "n",
    "s": "s",
    "k": "kernel",
    "d": "dilation",
}
"""The letter of each key of a stage, in the order in which they are written."""

BETWEEN: Final = "/"

_FIELD: Final = re.compile(r"([tcnskd])(\d{1,9}(?:\.\d{1,25})?(?:e-\d{1,3})?)")
_STAGE: Final = re.compile(f"(?:{_FIELD.pattern})+")


def read_stages(value: object) -> object:
    """Read stages from text, or from tables that may have letters for keys.

    What is neither is left to the field. Raises `ValueError` where a stage is no sequence of
    letters, each with its number.
    """
    if isinstance(value, str):
        return [_read_stage(text) for text in value.strip().lower().split(BETWEEN)]
    if isinstance(value, list | tuple):
        return [with_keys(stage) if isinstance(stage, dict) else stage for stage in value]
    return value


def with_keys(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stage's table with its letters spelled out as keys.

    Raises `ValueError` where a letter and its key are both there.
    """
    spelled = {LETTERS.get(key, key): value for key, value in table.items()}
    if len(spelled) < len(table):
        raise ValueError("a key twice")
    return spelled


def _read_stage(text: str) -> dict[str, str]:
    fields = _FIELD.findall(text)
    if not _STAGE.fullmatch(text) or len(dict(fields)) < len(fields):
        raise ValueError("no stage")
    return with_keys(dict(fields))
