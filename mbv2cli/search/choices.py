"""Read lists and ranges of values for one field of a spec."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Final

from pydantic import create_model
from pydantic.fields import FieldInfo

from mbv2cli.errors import UserError
from mbv2cli.specs.base import Spec
from mbv2cli.specs.reader import Setting

MAX_CHOICES: Final = 4_096
"""Largest number of values for one field."""

_NUMBER: Final = r"(-?\d{1,12}(?:\.\d{1,12})?)"
_RANGE: Final = re.compile(rf"{_NUMBER}:{_NUMBER}:{_NUMBER}")


def read_choices(setting: Setting, name: str, field: FieldInfo) -> tuple[Any, ...]:
    """Return the values of ``setting`` for a field, each once, in the order given.

    A text is a list of words, separated by commas. A word ``start:stop:step`` is a range. It
    includes stop if the steps reach it. Raises `UserError`.
    """
    words = [word for item in _items(setting) for word in _words(item, setting.place)]
    if not words:
        raise UserError(f"{setting.place} is an empty list; give a value")
    if len(words) > MAX_CHOICES:
        raise UserError(f"{setting.place} has {len(words):,} values; give at most {MAX_CHOICES:,}")
    model = _one_field_model(name, field)
    values = (
        getattr(
            model.model_validate({setting.key: word}, context={setting.key: setting.place}), name
        )
        for word in words
    )
    return tuple(dict.fromkeys(values))


def _items(setting: Setting) -> Sequence[object]:
    return setting.value if isinstance(setting.value, list) else [setting.value]


def _words(item: object, place: str) -> Iterator[object]:
    if not isinstance(item, str):
        yield item
        return
    for word in (word.strip() for word in item.split(",")):
        if ":" in word:
            yield from _range(word, place)
        else:
            yield word


def _range(word: str, place: str) -> Iterator[str]:
    found = _RANGE.fullmatch(word)
    if not found:
        raise UserError(
            f"{place}: '{word}' is not a range; write start:stop:step, such as 0.35:1.4:0.05"
        )
    start, stop, step = map(Decimal, found.groups())
    if step <= 0 or stop < start:
        raise UserError(
            f"{place}: '{word}' has no values; start must not be above stop, and step must be "
            "above 0"
        )
    count = int((stop - start) / step) + 1
    if count > MAX_CHOICES:
        raise UserError(
            f"{place}: '{word}' has {count:,} values; at most {MAX_CHOICES:,} are allowed, so use "
            "a larger step"
        )
    for number in range(count):
        yield f"{start + number * step:f}"


@cache
def _one_field_model(name: str, field: FieldInfo) -> type[Spec]:
    """Return a model of this field alone, so that no other field restricts its values."""
    fields: dict[str, Any] = {name: (field.annotation, field)}
    return create_model("OneField", __base__=Spec, **fields)
