"""The named networks of ``presets.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Preset:
    """A named network: where it comes from, its names in other codebases, its keys' values.

    ``family`` is what relatives have in common, such as ``mobilenetv3``.
    """

    name: str
    family: str
    source: str
    aliases: tuple[str, ...]
    values: Mapping[str, object]


@cache
def presets() -> Mapping[str, Preset]:
    """Return the presets by name, in the order of the file."""
    tables = tomllib.loads(Path(__file__).with_name("presets.toml").read_text("utf-8"))
    return {name: _preset(name, tables) for name in tables}


def _preset(name: str, tables: Mapping[str, Mapping[str, Any]]) -> Preset:
    values = _whole(name, tables)
    aliases = tuple(tables[name].get("aliases", ()))
    return Preset(name, values.pop("family"), values.pop("source"), aliases, values)


def _whole(name: str, tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the keys of a preset, with those of the preset that it is like."""
    own = {key: value for key, value in tables[name].items() if key not in ("aliases", "like")}
    like = tables[name].get("like")
    return own if like is None else {**_whole(like, tables), **own}
