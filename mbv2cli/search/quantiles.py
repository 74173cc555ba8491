"""How a figure is distributed over members."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from mbv2cli.search.members import Members
from mbv2cli.search.question import DISTRIBUTED, Question

PERCENTS: Final = tuple(range(0, 101, 10))


class Quantile(NamedTuple):
    """The figures that so many percent of the members do not exceed, each by itself."""

    percent: int
    macs: int
    params: int
    peak: int
    flash: int


def quantiles(question: Question, members: Members) -> tuple[Quantile, ...]:
    """Return the deciles of members' figures; none where there are no members.

    Each is the figure of a member (the inverse of the empirical distribution).
    """
    if not len(members):
        return ()
    columns = [members.values[question.searched.index(name)] for name in DISTRIBUTED]
    deciles = [
        np.percentile(column, PERCENTS, method="inverted_cdf").tolist() for column in columns
    ]
    return tuple(Quantile(*row) for row in zip(PERCENTS, *deciles, strict=True))
