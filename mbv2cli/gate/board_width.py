"""Which width multiplier fits on a board."""

from __future__ import annotations

from typing import NamedTuple

from mbv2cli.cliffs import Walk, at_width
from mbv2cli.gate.boards import BoardFit, fit_of
from mbv2cli.gate.limits import Limits
from mbv2cli.inspection import plan_of
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.run import InputSpec


class WidthOnBoard(NamedTuple):
    """A width multiplier, and its network on a board."""

    width: float
    fit: BoardFit


def width_for_board(
    found: Walk, spec: NetworkSpec, input: InputSpec, limits: Limits
) -> WidthOnBoard | None:
    """Return the widest network of a walk that fits on the board, the narrowest if none fits.

    None without a board.
    """
    last = None
    for network in (one for plateau in found.plateaus for one in plateau.networks):
        width = network.widths[0]
        fit = fit_of(plan_of(at_width(spec, width), input), limits)
        if fit is None:
            return None
        last = WidthOnBoard(width, fit)
        if fit.holds:
            break
    return last
