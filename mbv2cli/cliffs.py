"""Where rounding channels makes a smaller width multiplier buy nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final, NamedTuple

from mbv2cli.costs.figures import MACS, PARAMS, PEAK, Counting
from mbv2cli.costs.memory import MemoryRule
from mbv2cli.graph.build import segments_of
from mbv2cli.inspection import plan_of
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.run import InputSpec

WIDTHS: Final = tuple(hundredths / 100 for hundredths in range(150, 9, -1))
"""The width multipliers that are walked, widest first."""


class SameNetwork(NamedTuple):
    """Width multipliers, widest first, that all build the same network."""

    widths: tuple[float, ...]
    params: int
    macs: int
    peak_bytes: int


class Plateau(NamedTuple):
    """Networks of neighbouring widths that have the same peak, widest first."""

    peak_bytes: int
    networks: tuple[SameNetwork, ...]

    @property
    def widest(self) -> SameNetwork:
        """The network of the largest width: the most that this peak buys."""
        return self.networks[0]

    @property
    def narrowest(self) -> SameNetwork:
        """The network of the smallest width."""
        return self.networks[-1]


def plateaus(
    spec: NetworkSpec, input: InputSpec, rule: MemoryRule, dtype: str
) -> tuple[Plateau, ...]:
    """Return the plateaus of the peak under ``rule``; ``width_mult`` of ``spec`` is ignored."""
    networks = groupby(
        _networks(spec, input, Counting(rule=rule.name, dtype=dtype)),
        key=lambda network: network.peak_bytes,
    )
    return tuple(Plateau(peak, tuple(members)) for peak, members in networks)


def _networks(spec: NetworkSpec, input: InputSpec, counting: Counting) -> Iterator[SameNetwork]:
    fields = {name: getattr(spec, name) for name in type(spec).model_fields}
    specs = (NetworkSpec.model_validate(fields | {"width_mult": width}) for width in WIDTHS)
    for _segments, same in groupby(specs, key=segments_of):
        members = list(same)
        plan = plan_of(members[0], input)
        yield SameNetwork(
            tuple(member.width_mult for member in members),
            *(plan.figure(figure, counting) for figure in (PARAMS, MACS, PEAK)),
        )
