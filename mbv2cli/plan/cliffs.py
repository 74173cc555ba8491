"""Where rounding channels makes a smaller width multiplier buy nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final, NamedTuple

from mbv2cli.plan.memory import MemoryRule, memory_use
from mbv2cli.plan.plan import Plan, plan_of
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.run import InputSpec

WIDTHS: Final = tuple(hundredths / 100 for hundredths in range(150, 9, -1))
"""The width multipliers that are walked, widest first."""


class SameNetwork(NamedTuple):
    """Width multipliers, widest first, that all build the same network; its peak in elements."""

    widths: tuple[float, ...]
    params: int
    macs: int
    peak: int


class Plateau(NamedTuple):
    """Networks of neighbouring widths that have the same peak, widest first."""

    peak: int
    networks: tuple[SameNetwork, ...]

    @property
    def widest(self) -> SameNetwork:
        """The network of the largest width: the most that this peak buys."""
        return self.networks[0]

    @property
    def narrowest(self) -> SameNetwork:
        """The network of the smallest width."""
        return self.networks[-1]


def plateaus(spec: NetworkSpec, input: InputSpec, rule: MemoryRule) -> tuple[Plateau, ...]:
    """Return the plateaus of the peak under ``rule``; ``width_mult`` of ``spec`` is ignored."""
    networks = groupby(_networks(spec, input, rule), key=lambda network: network.peak)
    return tuple(Plateau(peak, tuple(members)) for peak, members in networks)


def _networks(spec: NetworkSpec, input: InputSpec, rule: MemoryRule) -> Iterator[SameNetwork]:
    fields = {name: getattr(spec, name) for name in type(spec).model_fields}
    plans = [
        (width, plan_of(NetworkSpec.model_validate(fields | {"width_mult": width}), input))
        for width in WIDTHS
    ]
    for _layers, group in groupby(plans, key=lambda pair: pair[1].layers):
        members = list(group)
        plan: Plan = members[0][1]
        yield SameNetwork(
            widths=tuple(width for width, _plan in members),
            params=plan.totals.params,
            macs=plan.totals.macs,
            peak=memory_use(rule, plan).peak,
        )
