"""The named networks of ``presets.toml``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

_TABLE: Final = re.compile(r"^\[(\w+)\]\n(.*?)(?=^\[|\Z)", re.MULTILINE | re.DOTALL)
_ALIASES: Final = re.compile(r"^aliases = \[(.*)\]$", re.MULTILINE)
_TEXT: Final = re.compile('"(.*?)"')


@dataclass(frozen=True, slots=True)
class Preset:
    """A named network: where it comes from, its names in other codebases, its keys' values.

    ``family`` is what it shares with its relatives, such as ``mobilenetv3``.
    """

    name: str
    family: str
    source: str
    aliases: tuple[str, ...]
    values: Mapping[str, object]


class Presets(Mapping[str, Preset]):
    """The presets by name, in the order of the file.

    A preset is parsed when a command asks for it: to parse all of them takes longer than to plan a
    network.
    """

    def __init__(self, text: str) -> None:
        self._tables = dict(_TABLE.findall(text))

    def __getitem__(self, name: str) -> Preset:
        values = self._values(name)
        return Preset(name, values.pop("family"), values.pop("source"), self.aliases(name), values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    def aliases(self, name: str) -> tuple[str, ...]:
        """Return the names that other codebases give a preset."""
        found = _ALIASES.search(self._tables[name])
        return tuple(_TEXT.findall(found[1])) if found else ()

    def _values(self, name: str) -> dict[str, Any]:
        """Return the keys of a preset, with those of the preset that it is like."""
        own = _parsed(self._tables[name])
        values = self._values(own["like"]) if "like" in own else {}
        return values | {key: own[key] for key in own if key not in ("aliases", "like")}


@cache
def _parsed(table: str) -> Mapping[str, Any]:
    import tomllib

    return tomllib.loads(table)


@cache
def presets() -> Presets:
    """Return the presets by name, in the order of the file."""
    return Presets(Path(__file__).with_name("presets.toml").read_text("utf-8"))


def families() -> tuple[str, ...]:
    """Return the families of the presets, in the order of the file."""
    return tuple(dict.fromkeys(preset.family for preset in presets().values()))
