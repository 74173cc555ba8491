"""Stages as text, in the notations that people write.

``t1c16/t6c24n2s2k5`` has two stages, each a row of the paper's Table 2. What is no number follows
after ``_``: ``t6c24_se0.25_hardswish``. timm writes ``ds_r1_k3_s1_c16/ir_r2_k3_s2_e6_c24``; most
PyTorch repositories write ``[[1, 16, 1, 1], [6, 24, 2, 2]]``, which are t, c, n and s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, get_args

from mbv2cli.errors import UserError, nearest, value_text
from mbv2cli.specs.fields import Activation
from mbv2cli.specs.idle import is_of_user
from mbv2cli.specs.synonyms import same_key

LETTERS: Final[Mapping[str, str]] = {
    "t": "t",
    "c": "c",
    "n": "n",
    "s": "s",
    "k": "kernel",
    "d": "dilation",
    "h": "hidden",
}
"""The key that each letter stands for, in the order of writing."""

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    **{word: ("type", word) for word in ("inverted", "fused", "conv")},
    "swish": ("act", "silu"),  # words of other codebases come before ours, which are written
    "hswish": ("act", "hardswish"),
    **{word: ("act", word) for word in get_args(Activation)},
    "skip": ("shortcut", "identity"),
    "proj": ("shortcut", "projection"),
    "noskip": ("shortcut", "none"),
    "auto": ("expansion", "auto"),
    "always": ("expansion", "always"),
}
"""The key and the value of each word after ``_``."""

RATIO: Final = "se"
"""What stands before a squeeze-excite ratio."""

BETWEEN: Final = "/"

_KEYS: Final = (*LETTERS.values(), "type", "act", "se", "shortcut", "expansion")

_NUMBER: Final = r"\d{1,9}(?:\.\d{1,25})?(?:e-\d{1,3})?"
_FIELD: Final = re.compile(rf"([tcnskdh])({_NUMBER}(?:x\d{{1,9}})?)")
_STAGE: Final = re.compile(rf"((?:{_FIELD.pattern})+)((?:_[a-z_]+[\d.]*)*)")
_WORD: Final = re.compile(rf"_({RATIO}(?={_NUMBER})|{'|'.join(sorted(WORDS, key=len)[::-1])})")
_OTHER_FIELD: Final = re.compile(f"([a-z]++)_?({_NUMBER})?_?")
_OTHER_STAGE: Final = re.compile(f"(?:{_OTHER_FIELD.pattern})+")
"""A stage in the letters of another codebase."""

_TIMM_TYPES: Final[Mapping[str, Mapping[str, str]]] = {
    "ir": {},
    "ds": {"t": "1"},
    "er": {"type": "fused"},
    "cn": {"type": "conv", "shortcut": "none"},
}
"""timm's types of blocks, with the keys that each sets."""

_OTHER_TIMM_TYPES: Final = ("dsa", "uir", "mha", "mqa")
"""Its other types: of MobileNetV1 and LCNet, and of MobileNetV4."""

_TIMM_FIELD: Final = re.compile(rf"(se|[a-z])({_NUMBER}(?:x\d{{1,9}})?)")
_TIMM_KEYS: Final = {"r": "n", "k": "kernel", "s": "s", "e": "t", "c": "c", RATIO: "se"}
_TIMM_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "nre": ("act", "relu"),
    "nr6": ("act", "relu6"),
    "nhs": ("act", "hardswish"),
    "nsw": ("act", "silu"),
    "nge": ("act", "gelu"),
    "nlr": ("act", "leaky_relu"),
    "noskip": ("shortcut", "none"),
    "skip": ("shortcut", "identity"),
}
_ROW: Final = ("t", "c", "n", "s")
"""The keys of a stage that is a list of four numbers, as torchvision has it."""


def read_stages(value: object, place: str | None = None) -> object:
    """Return the stages of a text, or of tables, rows and texts, as tables.

    A table may have letters for keys. Returns other values unchanged: the field rejects them.
    Raises `ValueError` if a text is no stage. With a ``place``, where a user wrote the stages,
    raises `UserError` for keys that are not a stage's.
    """
    stages = _read_text(value, place) if isinstance(value, str) else value
    if not isinstance(stages, list | tuple):
        return stages
    tables = [_table(stage, place, number) for number, stage in enumerate(_flat(stages))]
    if place:
        for number, stage in enumerate(tables):
            if isinstance(stage, dict):
                _refuse_other_keys(stage, f"{place}[{number}]")
    return [_with_keys(stage) if isinstance(stage, dict) else stage for stage in tables]


def _flat(stages: Iterable[object]) -> Iterable[object]:
    """Yield the stages; timm has lists of texts, one list for each resolution."""
    for stage in stages:
        if isinstance(stage, list | tuple) and stage and all(isinstance(s, str) for s in stage):
            yield from stage
        else:
            yield stage


def _table(stage: object, place: str | None, number: int) -> object:
    if isinstance(stage, str):
        return _read_stage(stage, place)
    if not isinstance(stage, list | tuple):
        return stage
    if place and len(stage) != len(_ROW):
        raise UserError(
            f"{place}[{number}] must be a row of t, c, n and s, such as [6, 24, 2, 2], not "
            f"{value_text(stage)}; for other columns, write text such as h72c40s2k5_relu_se0.25 "
            "(h is hidden channels, k is the kernel)"
        )
    return dict(zip(_ROW, stage, strict=True)) if len(stage) == len(_ROW) else stage


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
    _refuse_two_widths(_with_keys(table), place)


def _refuse_two_widths(table: Mapping[str, Any], place: str) -> None:
    """Raise `UserError` if a table has a ratio and no use for it; a report has the usual one."""
    ratio = str(table.get("t"))
    usual = ("None",) if is_of_user(place) else ("None", "6", "6.0")
    if table.get("hidden") is not None and ratio not in usual:
        raise UserError(
            f"{place} has t and hidden, which both make the hidden channels; keep one of them"
        )
    if table.get("type") == "conv" and ratio not in ("None", "1", "1.0"):
        raise UserError(
            f"{place} has type conv, a convolution without hidden channels; leave t out"
        )


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


def _read_text(text: str, place: str | None) -> Sequence[Any]:
    text = text.strip()
    if text.startswith(("[(", "((")):
        text = text.translate(_BRACKETS)
    if text.startswith(("{", "[")):
        return _read_tables(text if text.startswith("[") else f"[{text}]")
    return [_read_stage(stage, place) for stage in text.split(BETWEEN)]


_BRACKETS: Final = str.maketrans("()", "[]")
"""Python code has tuples where TOML has lists."""


def _read_tables(array: str) -> list[Any]:
    import tomllib

    try:
        tables: list[Any] = tomllib.loads(f"stages = {array}")["stages"]
    except RecursionError:
        raise ValueError("too deep") from None
    return tables


def _read_stage(text: str, place: str | None) -> dict[str, str]:
    """Return the keys and letters of a stage with their values."""
    text = text.strip().lower()
    kind, _, rest = text.partition("_")
    if kind in _TIMM_TYPES:
        return _read_timm(text, kind, rest.split("_"), place)
    if kind in _OTHER_TIMM_TYPES:
        raise _not_in_timm(text, kind, _TIMM_TYPES, place)
    found = _STAGE.fullmatch(text)
    if not found:
        return _read_other_letters(text)
    fields = _FIELD.findall(found[1])
    words = _words_of(found[found.re.groups], f"{place or 'stages'}: '{text}'")
    return _once([*fields, *words], text, place)


def _once(pairs: Sequence[tuple[str, str]], text: str, place: str | None) -> dict[str, str]:
    """Return keys with their values. Raises `UserError` if a key comes twice."""
    table: dict[str, str] = {}
    for key, value in pairs:
        if key in table:
            name = LETTERS.get(key, key)
            raise UserError(f"{place or 'stages'}: '{text}' gives {name} twice; give it once")
        table[key] = value
    return table


def _words_of(text: str, place: str) -> list[tuple[str, str]]:
    """Return the keys and values of words, each after ``_``. Raises `UserError`, `ValueError`."""
    pairs: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        word = _WORD.match(text, position)
        if word is None:
            wrong = text[position:].strip("_").partition("_")[0]
            raise UserError(
                f"{place}: '{wrong}' is not a word of a stage; the words are {RATIO}0.25, "
                f"{', '.join(WORDS)}{nearest(wrong, WORDS)}"
            )
        position = word.end()
        if word[1] == RATIO:
            number = re.compile(_NUMBER).match(text, position)
            position = number.end() if number else position
            pairs.append(("se", number[0] if number else ""))
        else:
            pairs.append(WORDS[word[1]])
        if position < len(text) and text[position] != "_":
            raise ValueError("not a word of a stage")
    return pairs


def _read_timm(text: str, kind: str, words: Sequence[str], place: str | None) -> dict[str, str]:
    """Return the keys of a stage in timm's notation.

    timm's ``ir`` has an expansion at ``e1`` too, and its ``ds`` has none. Raises `UserError` for
    what no key of a stage has.
    """
    pairs: list[tuple[str, str]] = []
    for word in words:
        field = _TIMM_FIELD.fullmatch(word)
        if word in _TIMM_WORDS:
            pairs.append(_TIMM_WORDS[word])
        elif kind in ("ds", "cn") and field and field[1] == "e":
            continue  # timm ignores it
        elif field and field[1] in _TIMM_KEYS:
            pairs.append((_TIMM_KEYS[field[1]], field[2]))
        else:
            raise _not_in_timm(text, word, [*_TIMM_KEYS, *_TIMM_WORDS], place)
    table = {**_TIMM_TYPES[kind], **_once(pairs, text, place)}
    if kind in ("ir", "er") and "t" not in table:
        raise UserError(f"{place or 'stages'}: '{text}' lacks its expand ratio, such as e6")
    if kind == "ir" and float(table["t"]) == 1:
        table["expansion"] = "always"
    return table


def _not_in_timm(text: str, word: str, known: Iterable[str], place: str | None) -> UserError:
    return UserError(
        f"{place or 'stages'}: '{text}': mbv2 has no '{word}' of timm's notation; it has "
        f"{', '.join(known)}; for other blocks, give a module of your own, such as my_model.py:Net"
    )


def _read_other_letters(text: str) -> dict[str, str]:
    """Return the letters of another codebase with their numbers, for a message that names them."""
    fields = _OTHER_FIELD.findall(text)
    has_numbers = len(fields) > 1 and all(number for _, number in fields[1:])
    is_other = _OTHER_STAGE.fullmatch(text) and not {name for name, _ in fields} <= set(LETTERS)
    if not (has_numbers and is_other) or len(dict(fields)) < len(fields):
        raise ValueError("not a stage")
    return dict(fields)
