"""Fields, figures and layers that differ, as text: of a drift and of a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mbv2cli.gate.differences import FieldChange, FigureChange, LayerPair
from mbv2cli.graph.rows import Layer
from mbv2cli.report.text import compact
from mbv2cli.specs.fields import written
from mbv2cli.specs.units import growth_text

_FOLLOWS: Final = {"trainable_params": "params", "function": "type", "role": "type"}
"""Fields of a layer that change with another field, which is told."""


def change_text(change: FieldChange) -> str:
    """Return ``dropout 0.2 -> 0``."""
    return f"{change.field} {value_text(change.before)} -> {value_text(change.after)}"


def figure_change_text(change: FigureChange) -> str:
    """Return ``30.6 % smaller``, or that the change is not known, because an amount is not."""
    if change.change is None:
        return f"not known: no rule counts {', '.join(change.uncounted)}"
    return growth_text(change.before, change.after)


def changes_text(pair: LayerPair) -> str:
    """Return the fields of a layer that differ, with commas between."""
    return ", ".join(map(change_text, told_changes(pair)))


def told_changes(pair: LayerPair) -> Iterator[FieldChange]:
    """Yield the fields that differ, without those that follow from another one of them."""
    changed = {change.field for change in pair.changes}
    for change in pair.changes:
        if _FOLLOWS.get(change.field) not in changed:
            yield change


def value_text(value: object) -> str:
    """Return a value of a field: ``1x64x224x224``, ``1,568``, ``0.2``, ``none``."""
    match value:
        case None | () | "":
            return "none"
        case dict():
            return " ".join(f"{key}={value_text(one)}" for key, one in value.items())
        case tuple():
            return "x".join(map(str, value))
        case int() if not isinstance(value, bool):
            return f"{value:,}"
    return written(value)


def pair_title(pair: LayerPair) -> str:
    """Return the name of a layer of both models, or the layer that only one of them has."""
    layer = pair.layers[-1]
    if pair.before is None:
        return f"{named(layer)} is new ({_whole(layer)})"
    if pair.after is None:
        return f"{named(layer)} is gone ({_whole(layer)})"
    return named(layer)


def named(layer: Layer) -> str:
    """Return name and path of a layer."""
    return f"{layer.name or layer.type} {layer.path}".rstrip()


def _whole(layer: Layer) -> str:
    return f"{compact(layer.output_shape)}, {layer.params:,} params"
