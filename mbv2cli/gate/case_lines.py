"""Where a TOML file has its cases, which the TOML parser does not tell."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any, NamedTuple


class _Statement(NamedTuple):
    """A table's header or a key with its value, parsed by itself."""

    line: int
    content: dict[str, Any]
    is_header: bool


def case_lines(text: str, prefix: Sequence[str]) -> dict[str, int]:
    """Return the line on which each member of the table at ``prefix`` is first mentioned.

    ``text`` is valid TOML, in which a case may be a table, an inline table or dotted keys.
    """
    lines: dict[str, int] = {}
    header: tuple[str, ...] = ()
    for statement in _statements(text):
        if statement.is_header:
            header = _header_path(statement.content)
        whole = reduce(lambda inner, key: {key: inner}, reversed(header), statement.content)
        content = statement.content if statement.is_header else whole
        for name in _table_at(content, prefix):
            lines.setdefault(name, statement.line)
    return lines


def _statements(text: str) -> Iterator[_Statement]:
    """Yield the statements: each is the fewest whole lines that are TOML by themselves."""
    waiting: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        waiting.append(f"{line}\n")
        try:
            content = tomllib.loads("".join(waiting))
        except tomllib.TOMLDecodeError:
            continue  # a value that goes on in the next line
        if content:
            first = number - len(waiting) + 1
            yield _Statement(first, content, is_header=waiting[0].lstrip().startswith("["))
        waiting = []


def _header_path(content: dict[str, Any]) -> tuple[str, ...]:
    path: list[str] = []
    table: Any = content
    while table:
        if isinstance(table, list):  # [[name]]
            (table,) = table
        else:
            ((key, table),) = table.items()
            path.append(key)
    return tuple(path)


def _table_at(content: dict[str, Any], prefix: Sequence[str]) -> dict[str, Any]:
    table: Any = content
    for key in prefix:
        table = table.get(key, {}) if isinstance(table, dict) else {}
    return table if isinstance(table, dict) else {}
