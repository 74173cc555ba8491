"""How much a picture can show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mbv2cli.costs.memory import MemoryUse
from mbv2cli.costs.outline import Stretch
from mbv2cli.errors import UserError
from mbv2cli.graph.graph import Graph, GraphInModel
from mbv2cli.report.picture import Heading

MOST_ROWS: Final = 200
"""More rows than these nobody reads, and a PNG cannot be as high."""

MOST_ALIVE: Final = 1_000_000
"""Storages of all operations of a picture, each counted once for each operation that it outlives.

The paper's network has 11,065 where memory only grows.
"""


def refuse_too_many(heading: Heading, parts: Sequence[Stretch]) -> None:
    """Raise `UserError` for more stretches than a picture has rows."""
    if len(parts) > MOST_ROWS:
        raise UserError(
            f"{heading.title} runs {len(parts)} modules and operations one after the other, and "
            f"this picture shows at most {MOST_ROWS}; try --what memory"
        )


def refuse_too_many_alive(heading: Heading, use: MemoryUse, graph: Graph) -> None:
    """Raise `UserError` if the storages of a picture live too long to be drawn."""
    lifetimes = use.rule.lifetimes(GraphInModel(graph))
    alive = sum(last - first + 1 for first, last, elements in lifetimes if elements)
    if alive > MOST_ALIVE:
        raise UserError(
            f"{heading.title} has {len(lifetimes):,} storages under the rule {use.rule.name}, and "
            "they live too long for a picture; try another --peak-rule, or a network of fewer "
            "blocks"
        )
