"""Where rounding channels makes a smaller width multiplier buy nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from mbv2cli.costs.figures import MACS, PARAMS, PEAK, Counting
from mbv2cli.costs.memory import MemoryRule
from mbv2cli.errors import UserError
from mbv2cli.graph.segments import segments_of
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


class Unbuildable(NamedTuple):
    """Width multipliers, widest first, that are not walked: a block is not valid there.

    ``nearest`` is the nearest width that can be built; ``reason`` says what is wrong next to it.
    """

    widths: tuple[float, ...]
    nearest: float
    reason: str

    @property
    def side(self) -> str:
        """``below`` or ``above`` the nearest width that can be built."""
        return "below" if self.widths[0] < self.nearest else "above"


class Walk(NamedTuple):
    """The plateaus of a network's peak, and the widths that were left out."""

    plateaus: tuple[Plateau, ...]
    unbuildable: tuple[Unbuildable, ...]


def walk(spec: NetworkSpec, input: InputSpec, rule: MemoryRule, dtype: str) -> Walk:
    """Return the plateaus of the peak under ``rule``; ``width_mult`` of ``spec`` is ignored.

    Raises `UserError` if the network cannot be built at any of the `WIDTHS`.
    """
    found = [_at_width(spec, width) for width in WIDTHS]
    specs = [one for one in found if isinstance(one, NetworkSpec)]
    if not specs:
        reason = found[WIDTHS.index(1)]
        raise UserError(
            f"the network cannot be built at any width_mult from 0.10 to 1.50: {reason}"
        )
    networks = groupby(
        _networks(specs, input, Counting(rule=rule.name, dtype=dtype)),
        key=lambda network: network.peak_bytes,
    )
    plateaus = tuple(Plateau(peak, tuple(members)) for peak, members in networks)
    return Walk(plateaus, tuple(_unbuildable(found)))


def at_width(spec: NetworkSpec, width: float) -> NetworkSpec:
    """Return the network of another width. Raises `UserError` if it cannot be built."""
    fields = {name: getattr(spec, name) for name in type(spec).model_fields}
    return NetworkSpec.model_validate(fields | {"width_mult": width})


def _at_width(spec: NetworkSpec, width: float) -> NetworkSpec | UserError:
    """Return the network of another width, or what is wrong with it."""
    try:
        return at_width(spec, width)
    except UserError as error:
        return error


def _unbuildable(found: Sequence[NetworkSpec | UserError]) -> Iterator[Unbuildable]:
    """Yield the widths that are too large, then those that are too small, if there are any.

    Channels grow with the width, so that the widths between two that can be built can be built.
    """
    built = [number for number, one in enumerate(found) if isinstance(one, NetworkSpec)]
    first, last = built[0], built[-1]
    if first > 0:
        yield Unbuildable(WIDTHS[:first], WIDTHS[first], str(found[first - 1]))
    if last + 1 < len(WIDTHS):
        yield Unbuildable(WIDTHS[last + 1 :], WIDTHS[last], str(found[last + 1]))


def _networks(
    specs: Sequence[NetworkSpec], input: InputSpec, counting: Counting
) -> Iterator[SameNetwork]:
    for _segments, same in groupby(specs, key=segments_of):
        members = list(same)
        plan = plan_of(members[0], input)
        yield SameNetwork(
            tuple(member.width_mult for member in members),
            *(plan.figure(figure, counting) for figure in (PARAMS, MACS, PEAK)),
        )
