"""A spec's fields as users know them: one name for flag, file key and JSON field."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mbv2cli.specs.fields import Allowed


@cache
def keys(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return the fields of ``model`` by the name they have in flags, files and JSON."""
    return {field.serialization_alias or name: field for name, field in model.model_fields.items()}


def choices(field: FieldInfo) -> tuple[str, ...]:
    """Return the words ``field`` may hold, or ``()`` where it is no choice of words."""
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def allowed_values(field: FieldInfo) -> str:
    """Return what ``field`` accepts, as the end of the sentence "KEY must be …"."""
    if words := choices(field):
        return "one of " + ", ".join(words)
    return next(extra.phrase for extra in field.metadata if isinstance(extra, Allowed))
