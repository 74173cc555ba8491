"""From the name of a format to the format."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from mbv2cli.errors import UserError, nearest


class PlainFormat(StrEnum):
    """The formats of commands that print a short text or all of it as JSON."""

    TABLE = "table"
    JSON = "json"


AnyFormat = TypeVar("AnyFormat", bound=StrEnum)


def format_named(name: str, formats: type[AnyFormat]) -> AnyFormat:
    """Return the one of ``formats`` that has this name. Raises `UserError` if none has."""
    if name not in list(formats):
        raise UserError(
            f"--format must be one of {', '.join(formats)}, not '{name}'{nearest(name, formats)}"
        )
    return formats(name)
