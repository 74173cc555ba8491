"""Several values where a spec has one: lists and ranges, as users write them."""

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
"""Values that one field may be given to choose from."""

_NUMBER: Final = r"(-?\d{1,12}(?:\.\d{1,12})?)"
_RANGE: Final = re.compile(rf"{_NUMBER}:{_NUMBER}:{_NUMBER}")


def read_choices(setting: Setting, name: str, field: FieldInfo) -> tuple[Any, ...]:
    """Return the values of ``setting`` for a field, each once, in the order given.

    A text is words separated by commas; a word ``start:stop:step`` stands for the values from
    start up to stop, itself included where the steps reach it. Raises `UserError`.
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
        raise UserError(f"{place}: '{word}' is no range; write start:stop:step, such as 96:256:16")
    start, stop, step = map(Decimal, found.groups())
    if step <= 0 or stop < start:
        raise UserError(
            f"{place}: '{word}' holds no value; the start must not be above the stop, and the "
            "step must be above 0"
        )
    count = int((stop - start) / step) + 1
    if count > MAX_CHOICES:
        raise UserError(
            f"{place}: '{word}' holds {count:,} values; at most {MAX_CHOICES:,} are possible, "
            "so take a larger step"
        )
    for number in range(count):
        yield f"{start + number * step:f}"


@cache
def _one_field_model(name: str, field: FieldInfo) -> type[Spec]:
    """Return a model of this field alone: what it takes beside others is no matter yet."""
    fields: dict[str, Any] = {name: (field.annotation, field)}
    return create_model("OneField", __base__=Spec, **fields)
