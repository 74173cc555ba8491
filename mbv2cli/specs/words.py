"""Words of a fixed list, as people write them: case, dashes and underscores do not matter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from mbv2cli.errors import UserError, nearest

_IGNORED: Final = re.compile("[-_ ]")

NO_SYNONYMS: Final[Mapping[str, str]] = {}

ACTIVATION_SYNONYMS: Final[Mapping[str, str]] = {
    "swish": "silu",
    "hswish": "hardswish",
    "lrelu": "leaky_relu",
    "linear": "identity",
}
DTYPE_SYNONYMS: Final[Mapping[str, str]] = {
    "float": "float32",
    "fp32": "float32",
    "f32": "float32",
    "half": "float16",
    "fp16": "float16",
    "f16": "float16",
    "bf16": "bfloat16",
    "double": "float64",
    "fp64": "float64",
    "f64": "float64",
    "qint8": "int8",
}


def listed(value: str, words: Iterable[str], synonyms: Mapping[str, str] = NO_SYNONYMS) -> str:
    """Return the word of the list that ``value`` means; ``value`` itself if there is none.

    ``ReLU-6`` means ``relu6``. ``synonyms`` has other words, in lower case without dashes, and the
    words of the list that they mean.
    """
    short = _short(value)
    return synonyms.get(short) or next((word for word in words if _short(word) == short), value)


def one_of(
    value: str, words: Iterable[str], place: str, synonyms: Mapping[str, str] = NO_SYNONYMS
) -> str:
    """Return the word of the list that ``value`` means. Raises `UserError` if there is none.

    ``place`` is where the user wrote it, such as ``--by``.
    """
    words = tuple(words)
    word = listed(value, words, synonyms)
    if word not in words:
        raise UserError(
            f"{place} must be one of {', '.join(words)}, not '{value}'{nearest(value, words)}"
        )
    return word


def _short(word: str) -> str:
    return _IGNORED.sub("", word.lower())
