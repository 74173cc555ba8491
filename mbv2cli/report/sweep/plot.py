"""The picture of a search: the cloud of members, the limits, the front."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mbv2cli.costs.figures import Figure
from mbv2cli.report.picture import BLACK, BLUE, VERMILION, plain, saved
from mbv2cli.report.sweep.report import SweepReport
from mbv2cli.search.figures import AxisFigure, figure_named
from mbv2cli.search.members import Members
from mbv2cli.search.query import Bound
from mbv2cli.specs.units import Unit, short_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure as Picture

INCHES: Final = (8.0, 5.0)
_DECADE: Final = 10
"""An axis is logarithmic if its figures differ by more than this factor."""

_LONGEST_TEXT: Final = 40
"""The signs that an axis has room for."""

_OTHERS, _FEASIBLE, _FRONT, _BEST = "#b8b8b8", BLUE, VERMILION, BLACK
_STYLE: Final[Any] = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


_LIMIT_LINE: Final[dict[str, Any]] = {"color": "#444444", "linestyle": "--", "linewidth": 1}


def draw(report: SweepReport, suffix: str) -> bytes:
    """Return the picture as the content of a file whose name ends in ``.svg`` or ``.png``."""
    return saved(partial(_picture, report), suffix, _STYLE)


def _picture(report: SweepReport) -> Picture:
    from matplotlib.figure import Figure as Picture

    picture = Picture(figsize=INCHES, layout="constrained")
    _draw(report, picture)
    return picture


def _draw(report: SweepReport, picture: Picture) -> None:
    axes = picture.add_subplot()
    result, base = report.result, report.query.space.base
    title = f"{result.feasible:,} of {result.tried:,} members of {plain(base)} fit"
    _scatter(report, axes, result.others, "fail a limit", color=_OTHERS, s=7, alpha=0.7)
    _scatter(report, axes, report.cloud, "fit", color=_FEASIBLE, s=9, alpha=0.7)
    _draw_front(report, axes)
    best = result.best.first(1)
    _scatter(
        report, axes, best, f"best by {report.order_text}", color=_BEST, s=130, marker="*", zorder=4
    )
    x, y = report.query.plotted
    _scale(axes.xaxis, axes.set_xscale, report, figure_named(x))
    _scale(axes.yaxis, axes.set_yscale, report, figure_named(y))
    axes.grid(visible=True, color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    _draw_limits(report, axes)
    if axes.get_legend_handles_labels()[0]:
        picture.legend(title=title, loc="outside upper center", ncols=4, frameon=False)


def _scatter(report: SweepReport, axes: Axes, members: Members, label: str, **style: Any) -> None:
    if len(members):
        axes.scatter(*points(report, members), label=label, linewidths=0, **style)


def points(report: SweepReport, members: Members) -> list[Any]:
    """Return the figures of members on each axis."""
    searched = report.query.searched
    return [members.values[searched.index(name)] for name in report.query.plotted]


def _draw_front(report: SweepReport, axes: Axes) -> None:
    front, orderings = report.result.front, report.query.front
    _scatter(report, axes, front, "Pareto front", color=_FRONT, s=26, zorder=3)
    if len(front) and len(orderings) == len(report.query.plotted):
        x, y = points(report, front)
        order = x.argsort(kind="stable")
        steps = "steps-pre" if orderings[0].descending else "steps-post"
        axes.plot(x[order], y[order], color=_FRONT, linewidth=1, drawstyle=steps, zorder=3)


def _draw_limits(report: SweepReport, axes: Axes) -> None:
    x, y = report.query.plotted
    for bound in report.query.bounds:
        if bound.figure == x:
            axes.axvline(bound.limit, **_LIMIT_LINE)
            place: Any = {
                "xy": (bound.limit, 1),
                "xycoords": ("data", "axes fraction"),
                "xytext": (0, 3),
                "horizontalalignment": "center",
            }
        elif bound.figure == y:
            axes.axhline(bound.limit, **_LIMIT_LINE)
            place = {
                "xy": (1, bound.limit),
                "xycoords": ("axes fraction", "data"),
                "xytext": (4, 0),
                "verticalalignment": "center",
            }
        else:
            continue
        axes.annotate(bound_text(bound), textcoords="offset points", fontsize=10, **place)


def bound_text(bound: Bound) -> str:
    """Return a limit in short: ``peak ≤ 512 KiB``."""
    sign = "≥" if bound.is_minimum else "≤"
    return f"{bound.figure} {sign} {short_text(bound.limit, figure_named(bound.figure).unit)}"


def _scale(
    axis: Axis, set_scale: Callable[[str], None], report: SweepReport, figure: Figure | AxisFigure
) -> None:
    """Label an axis; make it logarithmic if figures differ by more than a decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    low, high = axis.get_data_interval()
    binary = figure.unit is Unit.BYTES
    if low > 0 and high > _DECADE * low:
        set_scale("log")
        axis.set_major_locator(LogLocator(2) if binary else LogLocator(10, subs=(1, 2, 5)))
        axis.set_minor_locator(NullLocator())
    else:
        steps = [1, 2, 4, 8] if binary else [1, 2, 2.5, 5, 10]
        axis.set_major_locator(MaxNLocator(8, steps=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _place: short_text(value, figure.unit)))
    axis.set_label_text(axis_text(report, figure))


def axis_text(report: SweepReport, figure: Figure | AxisFigure) -> str:
    """Return what an axis shows, and how it is counted; its name where that is too long."""
    counting = report.query.counting
    match figure.name:
        case "macs":
            return f"MACs ({counting.convention})"
        case "peak":
            return f"activation peak ({counting.rule}, {counting.dtype})"
        case name:
            is_short = len(figure.description) <= _LONGEST_TEXT
            return figure.description if is_short else name
