"""Figures that only a whole model has: a bound of every member, and the amount of those in range.

A search computes the bound of every member at once, as it does other figures. The amount itself
takes a plan, which is made where the bound does not rule the member out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbv2cli.errors import UserError
from mbv2cli.inspection import plan_of
from mbv2cli.search.figures import WHOLE
from mbv2cli.search.interrupts import raise_interrupt
from mbv2cli.search.query import Keep, Query
from mbv2cli.search.tables import Digits
from mbv2cli.specs.reader import read_request


def with_amounts(
    query: Query, digits: Digits, exist: NDArray[np.bool_], values: Sequence[NDArray[Any]]
) -> list[NDArray[Any]]:
    """Return the searched figures of members, bounds replaced by amounts where they matter.

    A bound stays where it exceeds a limit of the figure: the amount does so too.
    """
    by_name = dict(zip(query.searched, values, strict=True))
    for name in query.whole:
        least = by_name[name]
        at = exist & _matter(query, name, least)
        by_name[name] = amounts_at(query, name, digits, least, at)
    return list(by_name.values())


def amounts_at(
    query: Query, name: str, digits: Digits, least: NDArray[Any], at: NDArray[np.bool_]
) -> NDArray[Any]:
    """Return a figure of members: the amount where ``at`` says so, else its bound ``least``."""
    found = np.array(least)
    for place in np.flatnonzero(at).tolist():
        raise_interrupt()
        found[place] = _amount(query, name, digits[:, place].tolist())
    return found


def _amount(query: Query, name: str, member: Sequence[int]) -> int:
    """Return the figure of a member, by its plan. Raises `UserError` if it is not known."""
    request = read_request(query.space.target(member))
    plan, figure = plan_of(request.spec, request.input), WHOLE[name]
    if unknown := plan.uncounted(figure, query.counting):
        raise UserError(
            f"{name} of {request.target} is not known: there is no rule for {', '.join(unknown)}; "
            f"search other activations, or leave out {name}"
        )
    return plan.figure(figure, query.counting)


def _matter(query: Query, name: str, least: NDArray[Any]) -> NDArray[np.bool_] | bool:
    """Return of which members the amount decides anything, and not the bound alone."""
    is_elsewhere = name in query.plotted or (query.where and name in query.where.names)
    limits = [bound for bound in query.bounds if bound.figure == name]
    highest = [bound for bound in limits if not bound.is_minimum]
    if is_elsewhere or query.keep is Keep.BUILDABLE or len(highest) < len(limits) or not highest:
        return True
    holds: NDArray[np.bool_] = np.logical_and.reduce([one.holds(least) for one in highest])
    return holds
