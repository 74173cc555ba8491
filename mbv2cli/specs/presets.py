"""The named networks of ``presets.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mbv2cli.specs.settings import Setting


@dataclass(frozen=True, slots=True)
class Preset:
    """A named network: whose it is, and its settings."""

    name: str
    source: str
    settings: tuple[Setting, ...]


@cache
def presets() -> Mapping[str, Preset]:
    """Return the presets by name, in the order of the file."""
    content = tomllib.loads(Path(__file__).with_name("presets.toml").read_text("utf-8"))
    return {name: _preset(name, **values) for name, values in content.items()}


def _preset(name: str, source: str, **values: object) -> Preset:
    settings = (Setting(key, value, f"preset {name}: {key}") for key, value in values.items())
    return Preset(name, source, tuple(settings))
