"""What `mbv2 sweep` reports, as data."""

from __future__ import annotations

from dataclasses import dataclass

from mbv2cli.search.grid import Grid
from mbv2cli.search.members import Members
from mbv2cli.search.misses import Misses
from mbv2cli.search.partial import PartialResult, Quantile
from mbv2cli.search.query import Bound, Ordering, Query
from mbv2cli.search.where import Where
from mbv2cli.search.winners import Winner


@dataclass(frozen=True, eq=False, slots=True)
class SweepReport:
    """A search and its results.

    ``top`` holds the first few members in the order that was asked for, ``front`` up to 1,000 of
    the ``front_size`` members of the Pareto front, and ``cloud`` a sample of the feasible members
    for a picture. ``misses`` tells why no member fits. ``verified`` counts the members whose
    forward passes agreed. ``grid`` has every member of a small space.
    """

    query: Query
    result: PartialResult
    complete: bool
    top: tuple[Winner, ...]
    front: tuple[Winner, ...]
    cloud: Members
    quantiles: tuple[Quantile, ...]
    verified: int
    misses: Misses | None = None
    grid: Grid | None = None

    @property
    def front_size(self) -> int:
        """Number of members of the front."""
        return len(self.result.front)

    @property
    def order_text(self) -> str:
        """The figure that sorts ``top``: ``macs``, or ``-macs`` for largest first."""
        return ordering_text(self.query.order)

    @property
    def sample_of_quantiles(self) -> int:
        """Number of members that the quantiles describe."""
        return len(self.result.sampled)


def ordering_text(ordering: Ordering) -> str:
    """Return ``macs``, or ``-macs`` for largest first."""
    return f"{'-' if ordering.descending else ''}{ordering.figure}"


def condition_text(condition: Bound | Where) -> str:
    """Return a condition, its limit in full."""
    if isinstance(condition, Where):
        return condition.text
    return f"{condition.figure} {'>=' if condition.is_minimum else '<='} {condition.limit}"
