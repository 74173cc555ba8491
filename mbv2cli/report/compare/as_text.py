"""A comparison for people: totals, then the layers that differ."""

from __future__ import annotations

from collections.abc import Iterator

from mbv2cli.gate.comparison import Comparison, Difference, LayerPair
from mbv2cli.report.amount_text import amount_text
from mbv2cli.report.compare.words import change_text, pair_cells, percent_text
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


def _pair(pair: LayerPair) -> str:
    mark, path, shapes, params = pair_cells(pair)
    return f"{mark} {path:<20} {shapes:<28} {params}"
