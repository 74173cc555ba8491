"""Where a spec comes from if another codebase wrote its file, and what the file does not say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple


class How(StrEnum):
    """How a field is known."""

    READ = "read"
    ASSUMED = "assumed"
    CONTRADICTED = "contradicted"


class FieldOrigin(NamedTuple):
    """How a field of a spec or of its input is known, and why: the end of a sentence."""

    key: str
    how: How
    why: str


@dataclass(frozen=True, slots=True)
class Origin:
    """The file that a spec was read from, and what the file is.

    ``what`` is such as ``Hugging Face configuration``. ``fields`` tells how each field is known.
    """

    file: str
    what: str
    fields: tuple[FieldOrigin, ...] = ()

    def without(self, keys: Collection[str]) -> Origin:
        """Return the origin without the fields that the user set."""
        return replace(self, fields=tuple(one for one in self.fields if one.key not in keys))
