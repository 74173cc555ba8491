"""Stages as text: ``t1c16/t6c24n2s2k5`` has two, each a row of the paper's Table 2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from mbv2cli.errors import UserError, nearest

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

_OTHER_NAMES: Final[Mapping[str, str]] = {
    "e": "t",
    "expand": "t",
    "expand_ratio": "t",
    "expansion": "t",
    "o": "c",
    "out": "c",
    "out_channels": "c",
    "channels": "c",
    "filters": "c",
    "width": "c",
    "r": "n",
    "repeat": "n",
    "repeats": "n",
    "num_layers": "n",
    "stride": "s",
    "strides": "s",
    "kernel_size": "kernel",
}
"""What other codebases call the keys of a stage. A stage does not take these keys."""

_FIELD: Final = re.compile(r"([tcnskd])(\d{1,9}(?:\.\d{1,25})?(?:e-\d{1,3})?)")
_STAGE: Final = re.compile(f"(?:{_FIELD.pattern})+")


def read_stages(value: object) -> object:
    """Return the stages of a text, or of tables that may have letters for keys, as tables.

    Returns other values unchanged: the field rejects them. Raises `ValueError` if a stage is not
    a sequence of letters with numbers.
    """
    if isinstance(value, str):
        return [_read_stage(text) for text in value.strip().lower().split(BETWEEN)]
    if isinstance(value, list | tuple):
        return [with_keys(stage) if isinstance(stage, dict) else stage for stage in value]
    return value


def refuse_other_keys(table: Mapping[str, Any], place: str) -> None:
    """Raise `UserError` if the table of the stage at ``place`` has a key that is not a stage's."""
    wrong = [str(key) for key in table if key not in LETTERS and key not in _KEYS]
    if wrong:
        complaints = ", and ".join(_complaint(key, place) for key in wrong)
        hint = "".join(nearest(key, _KEYS) for key in wrong if key not in _OTHER_NAMES)
        raise UserError(f"{complaints} (the keys of a stage are {', '.join(_KEYS)}){hint}")


def _complaint(key: str, place: str) -> str:
    own = _OTHER_NAMES.get(key)
    return f"{place}.{key} is not a key{f'; {own} is' if own else ' of a stage'}"


def with_keys(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of a stage with keys instead of letters.

    Raises `ValueError` if the table has both a letter and its key.
    """
    spelled = {LETTERS.get(key, key): value for key, value in table.items()}
    if len(spelled) < len(table):
        raise ValueError("a key is given twice")
    return spelled


def _read_stage(text: str) -> dict[str, str]:
    fields = _FIELD.findall(text)
    if not _STAGE.fullmatch(text) or len(dict(fields)) < len(fields):
        raise ValueError("not a stage")
    return with_keys(dict(fields))
