"""Settings as the user gave them, before they become a spec."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mbv2cli.errors import UserError


@dataclass(frozen=True, slots=True)
class Setting:
    """A key, its raw value and the words for its place (``--expand``, ``net.toml: expand``)."""

    key: str
    value: object
    place: str


def inline_settings(target: str, text: str) -> list[Setting]:
    """Read the ``key=value,key=value`` of ``target:key=value,key=value``."""
    settings: dict[str, Setting] = {}
    for pair in text.split(","):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value):
            raise UserError(
                f"'{target}:{text}' is not TARGET:key=value,key=value: cannot read '{pair}'; "
                f"try {target}:size=160"
            )
        if key in settings:
            raise UserError(f"'{target}:{text}' gives {key} twice; give it once")
        settings[key] = Setting(key, value, f"{target}:{key}")
    return list(settings.values())


def file_settings(path: Path) -> list[Setting]:
    """Read the top-level keys of a TOML file."""
    return [Setting(key, value, f"{path}: {key}") for key, value in read_toml(path).items()]


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises `UserError` if it cannot be read, or is none."""
    return parse_toml(read_text(path), str(path))


def read_text(path: Path) -> str:
    """Read a file of UTF-8 text. Raises `UserError` if it cannot be read, or is none."""
    try:
        return path.read_bytes().decode("utf-8")  # line ends as they are: TOML allows no lone CR
    except UnicodeDecodeError:
        raise UserError(f"{path} is not valid TOML: it is not UTF-8 text") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None


def parse_toml(text: str, place: str) -> dict[str, Any]:
    """Parse the text that is at ``place``. Raises `UserError` if it is no TOML."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # tomllib's own, and what it lets through
        raise UserError(f"{place} is not valid TOML: {error}") from None
