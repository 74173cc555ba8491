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
    LEFT_OUT = "left_out"
    CONTRADICTED = "contradicted"

    @property
    def text(self) -> str:
        """The words for it: ``left out``."""
        return self.replace("_", " ")


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

    @property
    def doubt(self) -> str:
        """Why figures of the spec may not be those of the file: the end of a sentence, or "".

        The file has more than the spec, or contradicts itself.
        """
        told = (
            ("the spec leaves out", How.LEFT_OUT),
            ("the file contradicts itself:", How.CONTRADICTED),
        )
        texts = ((start, self.text_of(how)) for start, how in told)
        return "; ".join(f"{start} {text}" for start, text in texts if text)

    def text_of(self, how: How) -> str:
        """Return the fields that are known in one way, with the reasons; "" if there is none."""
        keys_of: dict[str, list[str]] = {}
        for field in self.fields:
            if field.how is how:
                keys_of.setdefault(field.why, []).append(field.key)
        return ", ".join(f"{', '.join(keys)} ({why})" for why, keys in keys_of.items())

    def without(self, keys: Collection[str]) -> Origin:
        """Return the origin without the fields that the user set."""
        return replace(self, fields=tuple(one for one in self.fields if one.key not in keys))
