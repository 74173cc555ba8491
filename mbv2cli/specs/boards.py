"""The boards and chips of ``boards.toml``, and those that users describe."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from mbv2cli.errors import nearest, value_text
from mbv2cli.specs.units import read_bytes

SRAM: Final = "sram"
FLASH: Final = "flash"
REGION: Final = "region"


@dataclass(frozen=True, slots=True)
class Board:
    """A board or a chip, and the memory that a program can use there, in bytes.

    ``region`` is the largest part of the SRAM at addresses in a row: an arena is one buffer.
    ``memory`` says which memories are meant; ``sources`` has the source of each figure. A board of
    the user's own has neither.
    """

    name: str
    sram: int
    flash: int
    region: int
    chip: str = ""
    aliases: tuple[str, ...] = ()
    memory: str = ""
    sources: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Return the name, which is how a case that varies its board is named."""
        return self.name


@cache
def boards() -> Mapping[str, Board]:
    """Return the boards by name, in the order of the file."""
    content = tomllib.loads(Path(__file__).with_name("boards.toml").read_text("utf-8"))
    return {name: _board(name, table) for name, table in content.items()}


def _board(name: str, table: Mapping[str, Any]) -> Board:
    sram, flash, region = (
        _bytes(table[key]) for key in (SRAM, FLASH, REGION if REGION in table else SRAM)
    )
    return Board(
        name,
        sram,
        flash,
        region,
        table["chip"],
        tuple(table["aliases"]),
        table["memory"],
        tuple(table["source"].items()),
    )


def _bytes(text: str) -> int:
    amount: Any = read_bytes(text)
    return int(amount)


def not_a_board(value: object, own: Iterable[str] = ()) -> str:
    """Return the end of a sentence that starts with the key, for a value that names no board."""
    known = [*names_of(boards().values()), *own]
    several = [name.strip() for name in str(value).split(",")]
    if len(several) > 1 and (named := [one for one in several if known_board(one) or one in known]):
        return f"takes one board at a time, such as {named[0]}, not {value_text(value)}"
    return (
        "must be a board that mbv2 boards lists, or one that [board.NAME] in mbv2.toml describes, "
        f"not {value_text(value)}{nearest(str(value), known)}"
    )


def known_board(name: str) -> Board | None:
    """Return the board of mbv2 with this name or alias; None if there is none.

    Case does not matter, and ``-`` means ``_``.
    """
    return _by_name().get(_folded(name))


def names_of(some: Iterable[Board]) -> Iterable[str]:
    """Yield the name and the aliases of each board."""
    return (name for board in some for name in (board.name, *board.aliases))


@cache
def _by_name() -> Mapping[str, Board]:
    return {name: board for board in boards().values() for name in names_of([board])}


def _folded(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")
