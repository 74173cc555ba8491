"""What `mbv2 sweep` has to tell, as data."""

from __future__ import annotations

from dataclasses import dataclass

from mbv2cli.search.found import Found
from mbv2cli.search.members import Members
from mbv2cli.search.quantiles import Quantile
from mbv2cli.search.question import Bound, Ordering, Question
from mbv2cli.search.where import Where
from mbv2cli.search.winners import Winner


@dataclass(frozen=True, eq=False, slots=True)
class SweepReport:
    """A search and what came of it.

    ``top`` are the first few by the order asked for. ``front`` are members of the Pareto front,
    of which there are ``front_size``. ``cloud`` are some of the members that fit, for a
    picture. ``verified`` counts members whose forward passes agreed.
    """

    question: Question
    found: Found
    complete: bool
    top: tuple[Winner, ...]
    front: tuple[Winner, ...]
    cloud: Members
    quantiles: tuple[Quantile, ...]
    verified: int

    @property
    def front_size(self) -> int:
        """Members of the front, listed or not."""
        return len(self.found.front)

    @property
    def order_text(self) -> str:
        """What ``top`` is sorted by: ``macs``, or ``-macs`` for the most first."""
        return ordering_text(self.question.order)

    @property
    def sample_of_quantiles(self) -> int:
        """Members that the quantiles are taken of."""
        return len(self.found.sampled)


def ordering_text(ordering: Ordering) -> str:
    """Return ``macs``, or ``-macs`` for the most first."""
    return f"{'-' if ordering.descending else ''}{ordering.figure}"


def condition_text(condition: Bound | Where) -> str:
    """Return a condition, its limit in full."""
    if isinstance(condition, Where):
        return condition.text
    return f"{condition.figure} {'>=' if condition.is_minimum else '<='} {condition.limit}"
