"""The figures that a search can limit, sort by, compare and report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from mbv2cli.costs.figures import (
    PEAK,
    TFLM,
    Counting,
    Figure,
    combining_figures,
    graded_figures,
)
from mbv2cli.costs.memory import LAYERWISE
from mbv2cli.errors import UserError, nearest
from mbv2cli.search.space import Axis, Space
from mbv2cli.specs.units import Unit


@dataclass(frozen=True, slots=True)
class AxisFigure:
    """A number that is an axis of the space, or a side of its input."""

    name: str
    description: str
    unit: Unit = Unit.COUNT


SIDES: Final = (
    AxisFigure("height", "input height in pixels"),
    AxisFigure("width", "input width in pixels"),
    AxisFigure("size", "the larger of height and width"),
)

COSTS: Final[Mapping[str, Figure]] = {figure.name: figure for figure in combining_figures()}
"""What is worked out for every member."""

WHOLE: Final[Mapping[str, Figure]] = {
    figure.name: figure for figure in graded_figures() if not figure.combines
}
"""What only a whole model has. It is worked out where a bound does not rule the member out."""

_LAYERWISE_INT8: Final = Counting(rule=LAYERWISE.name, dtype="int8")

BOUNDS: Final[Mapping[str, Figure]] = {
    # TFLM holds input and output of the running operation too, aligned, and any padding beside
    TFLM.name: replace(
        PEAK,
        name=TFLM.name,
        of=lambda model, _counting: PEAK.of(model, _LAYERWISE_INT8),
        combine=lambda _counting: PEAK.combine(_LAYERWISE_INT8),
    )
}
"""For each figure of `WHOLE`, a figure that combines over segments and is never larger."""

_SIDES: Final = {figure.name: figure for figure in SIDES}


def figure_names(space: Space) -> tuple[str, ...]:
    """Return the names of all figures that members of ``space`` have."""
    return (*COSTS, *WHOLE, *_SIDES, *(axis.key for axis in space.axes if is_number(axis)))


def figure_named(name: str) -> Figure | AxisFigure:
    """Return the figure of this name; an axis that holds numbers is a figure too."""
    return COSTS.get(name) or WHOLE.get(name) or _SIDES.get(name) or AxisFigure(name, name)


def refuse_unknown(names: Iterable[str], space: Space, place: str) -> None:
    """Raise `UserError` for a name that is not a figure of ``space``."""
    known = figure_names(space)
    for name in names:
        if name not in known:
            raise UserError(
                f"{place}: there is no figure '{name}' (the figures are {', '.join(known)})"
                f"{nearest(name, known)}"
            )


def is_number(axis: Axis) -> bool:
    """Return whether an axis of the whole model holds numbers alone."""
    return axis.stage is None and all(isinstance(value, int | float) for value in axis.values)
