"""The picture of an arena: each buffer as a box, over the operations and the bytes."""

from __future__ import annotations

from functools import partial
from math import ceil, log2
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

from mbv2cli.costs.arena import Arena, Placement
from mbv2cli.costs.int8_graph import PAD, PAD_WITH
from mbv2cli.errors import UserError
from mbv2cli.report.arena import INPUT, ArenaReport
from mbv2cli.report.picture import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, saved
from mbv2cli.report.text import described
from mbv2cli.shown import shown
from mbv2cli.specs.units import Unit, bytes_text, short_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INCHES: Final = (9.0, 5.0)
_OTHERS: Final = "#b8b8b8"
_COLOURS: Final = {
    INPUT: BLUE,
    "CONV_2D": SKY,
    "DEPTHWISE_CONV_2D": ORANGE,
    "ADD": GREEN,
    PAD: VERMILION,
    PAD_WITH: VERMILION,
    "FULLY_CONNECTED": PURPLE,
}
_STYLE: Final[Any] = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}
_TITLE_LETTERS: Final = 100
_MOST_TICKS: Final = 8
_EDGES: Final = 60
"""The widths of white edges side by side, in points: more of them would hide the boxes."""


def draw(report: ArenaReport, suffix: str) -> bytes:
    """Return the picture as the content of a file whose name ends in ``.svg`` or ``.png``.

    Raises `UserError` if the arena is not known.
    """
    if report.arena is None:
        names = ", ".join(report.graph.unknown)
        raise UserError(f"--plot has nothing to draw: there is no rule for {names}; leave it out")
    return saved(partial(_picture, report, report.arena), suffix, _STYLE)


def _picture(report: ArenaReport, arena: Arena) -> Figure:
    from matplotlib.figure import Figure

    picture = Figure(figsize=INCHES, layout="constrained")
    axes = picture.add_subplot()
    for placement in arena.placements:
        _draw_box(axes, report, placement)
    if report.limit is not None:
        axes.axhline(report.limit, color="#444444", linestyle="--", linewidth=1, label="limit")
    _draw_scales(axes, report, arena)
    handles, names = axes.get_legend_handles_labels()
    unique = dict(zip(names, handles, strict=True))
    picture.legend(
        unique.values(),
        unique.keys(),
        title=_title(report, arena),
        loc="outside upper center",
        ncols=len(unique),
        frameon=False,
        fontsize=8,
    )
    return picture


def _draw_box(axes: Axes, report: ArenaReport, placement: Placement) -> None:
    from matplotlib.patches import Rectangle

    buffer, what = placement.buffer, report.what(placement)
    axes.add_artist(  # bar would look for the limits of the axes, which are set below
        Rectangle(
            (buffer.first, placement.offset),
            buffer.last - buffer.first + 1,
            buffer.size,
            facecolor=_COLOURS.get(what, _OTHERS),
            edgecolor="white",
            linewidth=min(0.4, _EDGES / len(report.graph.ops)),
            in_layout=False,
            label=what if what in _COLOURS else "other",
        )
    )


def _draw_scales(axes: Axes, report: ArenaReport, arena: Arena) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

    highest = max(arena.size, report.limit or 0, 1)
    axes.set_xlim(0, len(report.graph.ops) + 1)
    axes.set_ylim(0, highest * 1.03)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("operations of the int8 model, in the order in which they run")
    axes.set_ylabel("offset in the arena")
    step = 2 ** ceil(log2(highest / _MOST_TICKS))
    axes.yaxis.set_major_locator(MultipleLocator(step))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda size, _: short_text(size, Unit.BYTES)))


def _title(report: ArenaReport, arena: Arena) -> str:
    """Return name and arena; a dollar would start a formula."""
    lines = wrap(shown(described(report.request)), _TITLE_LETTERS)
    name = "\n".join(lines).replace("$", r"\$")
    return f"{name}\narena of TFLM: {bytes_text(arena.size)}"
