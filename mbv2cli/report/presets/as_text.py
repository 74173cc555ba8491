"""The presets for people: a line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mbv2cli.report.presets.report import PresetFigures

_HEADER: Final = ("preset", "size", "params", "MACs", "int8 KiB", "source")


def render(figures: Sequence[PresetFigures]) -> str:
    """Return a table of at most 80 columns; MACs are those of convolutions + linear."""
    return "".join(map(_line, (_HEADER, *map(_cells, figures))))


def _cells(one: PresetFigures) -> tuple[str, ...]:
    height, width = one.plan.input_shape[2:]
    return (
        one.preset.name,
        str(height) if height == width else f"{height}x{width}",
        f"{one.plan.totals.params / 10**6:.2f} M",
        f"{one.plan.totals.macs / 10**6:,.1f} M",
        f"{one.peak_bytes / 2**10:,.1f}",
        one.preset.source,
    )


def _line(cells: tuple[str, ...]) -> str:
    name, size, params, macs, peak, source = cells
    return f"{name:<16} {size:>4} {params:>7} {macs:>9} {peak:>8}  {source}\n"
