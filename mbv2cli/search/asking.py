"""From what a user wants to know to a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mbv2cli.costs.figures import Counting
from mbv2cli.gate.limits import Limits
from mbv2cli.search.draw import draw_of
from mbv2cli.search.figures import refuse_unknown
from mbv2cli.search.options import SearchOptions
from mbv2cli.search.question import (
    Bound,
    Keep,
    Ordering,
    Question,
    bounds_of,
    read_front,
    read_order,
)
from mbv2cli.search.space import Space
from mbv2cli.search.where import read_where

_PLOTTED: Final = ("macs", "peak")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be told of a space, in the user's words."""

    sort: str
    pareto: str | None = None
    where: str | None = None
    cdf: bool = False
    plot: bool = False
    keep: Keep = Keep.NONE


def ask(
    space: Space, limits: Limits, options: SearchOptions, counting: Counting, wishes: Wishes
) -> Question:
    """Return the question. Raises `UserError` for what the space has no figure or members for."""
    bounds = tuple(bounds_of(limits))
    where = read_where(wishes.where) if wishes.where is not None else None
    if where:
        refuse_unknown(where.names, space, "--where")
    front = read_front(wishes.pareto, space) if wishes.pareto is not None else ()
    return Question(
        space=space,
        draw=draw_of(space, options.sample, options.seed),
        counting=counting,
        bounds=bounds,
        where=where,
        order=read_order(wishes.sort, space),
        top=options.top,
        front=front,
        plotted=_axes(front, bounds) if wishes.plot else (),
        cdf=wishes.cdf,
        verified=options.verify,
        keep=wishes.keep,
    )


def _axes(front: Sequence[Ordering], bounds: Sequence[Bound]) -> tuple[str, str]:
    """Return the figures of a picture: the front's, then those with a limit, then MACs and peak."""
    names = (
        *(ordering.figure for ordering in front),
        *(bound.figure for bound in bounds),
        *_PLOTTED,
    )
    x, y, *_more = dict.fromkeys(names)
    return x, y
