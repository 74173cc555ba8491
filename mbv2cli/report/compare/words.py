"""Differences as text: what the second side has more, what a layer was and is."""

from __future__ import annotations

from mbv2cli.gate.comparison import Difference, LayerPair
from mbv2cli.report.amount_text import amount_text
from mbv2cli.report.shape_text import compact


def change_text(one: Difference) -> str:
    """Return what the second side has more, with its sign; nothing if it has the same."""
    if not one.change:
        return ""
    sign = "+" if one.change > 0 else "-"
    return f"{sign}{amount_text(abs(one.change), one.unit)}"


def percent_text(one: Difference) -> str:
    """Return the same in percent of the first side."""
    return f"{one.change / one.before:+.1%}" if one.change and one.before else ""


def pair_cells(pair: LayerPair) -> tuple[str, str, str, str]:
    """Return mark, path, output shape and parameters of a pair that differs."""
    layer = pair.after or pair.before
    mark = " " if pair.before and pair.after else "+" if pair.after else "-"
    shapes = [compact(one.output_shape) for one in (pair.before, pair.after) if one]
    params = [f"{one.params:,}" for one in (pair.before, pair.after) if one]
    path = layer.path or layer.type if layer else ""
    return mark, path, _arrow(shapes), _arrow(params)


def _arrow(words: list[str]) -> str:
    return " -> ".join(dict.fromkeys(words))
