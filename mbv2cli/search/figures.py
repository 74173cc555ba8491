"""The figures that a search can limit, sort by, compare and report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mbv2cli.errors import UserError, nearest
from mbv2cli.search.space import Axis, Space
from mbv2cli.specs.units import Unit


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a member: its name in flags, expressions and files."""

    name: str
    what: str
    unit: Unit = Unit.COUNT


COSTS: Final = (
    Figure("params", "parameters"),
    Figure("macs", "MACs of the batch, by --convention"),
    Figure("peak", "activation peak in bytes, by --peak-rule and --dtype", Unit.BYTES),
    Figure("flash", "bytes of int8 weights and int32 biases", Unit.BYTES),
    Figure("activations", "elements that convolutions and linear layers put out"),
    Figure("layers", "rows that torchsummary has"),
    Figure("receptive_field", "side that an element of the last feature map sees, in pixels"),
)
"""What the plan knows of every member."""

SIDES: Final = (
    Figure("height", "input height in pixels"),
    Figure("width", "input width in pixels"),
    Figure("size", "the larger of both"),
)

_BY_NAME: Final = {figure.name: figure for figure in (*COSTS, *SIDES)}


def figure_names(space: Space) -> tuple[str, ...]:
    """Return the names of all figures that members of ``space`` have."""
    return (*_BY_NAME, *(axis.key for axis in space.axes if is_number(axis)))


def figure_named(name: str) -> Figure:
    """Return the figure of this name; an axis that is a number is one too."""
    return _BY_NAME.get(name) or Figure(name, name)


def refuse_unknown(names: Iterable[str], space: Space, place: str) -> None:
    """Raise `UserError` for a name that is no figure of ``space``."""
    known = figure_names(space)
    for name in names:
        if name not in known:
            raise UserError(
                f"{place}: there is no figure '{name}' (there are {', '.join(known)})"
                f"{nearest(name, known)}"
            )


def is_number(axis: Axis) -> bool:
    """Return whether the axis of all stages holds numbers alone."""
    return axis.stage is None and all(isinstance(value, int | float) for value in axis.values)
