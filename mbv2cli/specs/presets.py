"""The named networks of ``presets.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Preset:
    """A named network: where it comes from, its names in other codebases, its keys' values."""

    name: str
    source: str
    aliases: tuple[str, ...]
    values: Mapping[str, object]


@cache
def presets() -> Mapping[str, Preset]:
    """Return the presets by name, in the order of the file."""
    content = tomllib.loads(Path(__file__).with_name("presets.toml").read_text("utf-8"))
    return {
        name: Preset(name, table.pop("source"), tuple(table.pop("aliases", ())), table)
        for name, table in content.items()
    }
