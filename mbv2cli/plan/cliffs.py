"""Where rounding channels makes a smaller width multiplier buy nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final, NamedTuple

from mbv2cli.plan.memory import MemoryRule
from mbv2cli.plan.parts import model_figures, peak_elements
from mbv2cli.plan.plan import plan_of
from mbv2cli.plan.walk import parts
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
    specs = (NetworkSpec.model_validate(fields | {"width_mult": width}) for width in WIDTHS)
    for _parts, same in groupby(specs, key=parts):
        members = list(same)
        plan = plan_of(members[0], input)
        figures = model_figures(plan.spec, plan.input_shape)
        yield SameNetwork(
            widths=tuple(member.width_mult for member in members),
            params=figures.params,
            macs=figures.macs,
            peak=peak_elements(rule, plan, figures),
        )
