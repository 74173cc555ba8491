"""Every member of a small space, in order, for sliders over its axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mbv2cli.search.engine import Engine
from mbv2cli.search.members import digits_of_chunk
from mbv2cli.search.query import REPORTED, Query
from mbv2cli.search.run import holds
from mbv2cli.search.whole import amounts_at

MAX_GRID: Final = 2_000
"""Largest space of which every member is listed. It is less than a chunk of members."""


@dataclass(frozen=True, eq=False, slots=True)
class Grid:
    """Whether each member can be built, whether it meets each condition, and its figures.

    The conditions and figures of a member that cannot be built have no meaning.
    """

    exist: tuple[bool, ...]
    met: tuple[tuple[bool, ...], ...]
    figures: Mapping[str, tuple[int, ...]]


def grid_of(query: Query) -> Grid | None:
    """Return every member of the space; None if it is too large, or if a sample is searched."""
    if query.draw.seed is not None or query.space.size > MAX_GRID:
        return None
    names = tuple(dict.fromkeys((*REPORTED, *query.searched)))
    engine = Engine(query.space, names, query.counting, query.draw.count)
    digits = digits_of_chunk(query.space, query.draw, 0)
    exist = engine.exist(digits)
    values = dict(zip(names, engine.values(digits), strict=True))
    for name in query.whole:
        values[name] = amounts_at(query, name, digits, values[name], exist)
    met = (holds(condition, values) for condition in query.conditions)
    return Grid(
        tuple(exist.tolist()),
        tuple(tuple(one.tolist()) for one in met),
        {name: tuple(values[name].tolist()) for name in query.reported},
    )
