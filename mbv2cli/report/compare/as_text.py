"""A comparison for people: totals, then the layers that differ."""

from __future__ import annotations

from collections.abc import Iterator

from mbv2cli.checks.comparison import Comparison, Difference, LayerPair
from mbv2cli.checks.limits import Unit
from mbv2cli.report.bytes_text import binary
from mbv2cli.report.shape_text import compact


def render(comparison: Comparison) -> str:
    """Return both tables as plain text."""
    return "".join(f"{line.rstrip()}\n" for line in _lines(comparison))


def _lines(comparison: Comparison) -> Iterator[str]:
    yield f"A: {comparison.before_name}"
    yield f"B: {comparison.after_name}"
    yield ""
    yield f"{'':<25} {'A':>15} {'B':>15} {'B - A':>13} {'':>8}"
    before, after = (compact(plan.output_shape) for plan in (comparison.before, comparison.after))
    yield f"{'output':<25} {before:>15} {after:>15}"
    yield from map(_total, comparison.totals)
    yield ""
    pairs = [pair for pair in comparison.layers if pair.differs]
    if not pairs:
        yield "Every layer is the same."
        return
    yield f"{len(pairs)} of {len(comparison.layers)} layers differ (- only A, + only B):"
    yield f"  {'path':<20} {'output shape':<28} params"
    yield from map(_pair, pairs)


def _total(one: Difference) -> str:
    before, after = (amount_text(amount, one.unit) for amount in (one.before, one.after))
    return f"{one.what:<25} {before:>15} {after:>15} {change_text(one):>13} {percent_text(one):>8}"


def amount_text(amount: int, unit: Unit) -> str:
    """Return an amount in its unit."""
    return binary(amount) if unit is Unit.BYTES else f"{amount:,}"


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
    shapes = [compact(one.output_shape) for one in pair if one]
    params = [f"{one.params:,}" for one in pair if one]
    path = layer.path or layer.type if layer else ""
    return mark, path, _arrow(shapes), _arrow(params)


def _arrow(words: list[str]) -> str:
    return " -> ".join(dict.fromkeys(words))


def _pair(pair: LayerPair) -> str:
    mark, path, shapes, params = pair_cells(pair)
    return f"{mark} {path:<20} {shapes:<28} {params}"
