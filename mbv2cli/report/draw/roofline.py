"""MACs of each convolution and linear layer over its MACs for a byte that it moves.

A roofline without a roof: mbv2 does not know which device runs the model. The user may give the
ridge, which is where the device stops waiting for memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import cos, inf, log10, pi, sin
from typing import TYPE_CHECKING, Final, NamedTuple

from mbv2cli.costs.figures import MACS
from mbv2cli.costs.layers import layer_figures
from mbv2cli.costs.roofline import Point, left_of, points
from mbv2cli.errors import UserError
from mbv2cli.graph.ops import Shape
from mbv2cli.graph.rows import Kind
from mbv2cli.inspection import Model
from mbv2cli.report.draw.labels import shape_text
from mbv2cli.report.picture import (
    BLACK,
    EDGE,
    GREEN,
    GRID,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    SMALL,
    TEXT_STYLE,
    VERMILION,
    WIDEST,
    Heading,
    Sheet,
    saved,
    shortened,
    text_width,
    write,
)
from mbv2cli.specs.units import Unit, count_text, short_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT: Final = 300.0
_LEFT: Final = 52.0
_BELOW: Final = 40.0
_ROW: Final = 13.0
_MARK: Final = 7.0
_NAMED: Final = 8
"""The points that have a number in the picture, and a row below it."""

_FEW_DECADES: Final = 3
"""An axis over more powers of ten has no ticks between them."""

_Y_TITLE: Final = "MACs of a layer"
_MARKS: Final = {
    Kind.POINTWISE: ("o", SKY),
    Kind.DEPTHWISE: ("s", ORANGE),
    Kind.CONVOLUTION: ("D", GREEN),
    Kind.STEM: ("^", VERMILION),
    Kind.LINEAR: ("P", PURPLE),
}
_OTHER: Final = ("X", BLACK)


class RooflinePicture(NamedTuple):
    """The layers of a model that have MACs, those that cost most first."""

    heading: Heading
    input_shapes: tuple[Shape, ...]
    points: tuple[Point, ...]
    dtype: str
    uncounted: tuple[str, ...]
    ridge: float | None = None


def picture_data(
    heading: Heading, model: Model, dtype: str, ridge: float | None
) -> RooflinePicture:
    """Return what to draw of a model. Raises `UserError` if no layer has MACs.

    ``ridge`` is how many MACs the device does while it moves a byte; None if nobody said.
    """
    found = points(layer_figures(model.graph, model.layers, dtype))
    if not found:
        raise UserError(
            f"{heading.title} has no convolution and no linear layer, so there is no roofline; "
            "try --what memory"
        )
    return RooflinePicture(
        heading, model.graph.input_shapes, found, dtype, model.uncounted(MACS), ridge
    )


def draw(data: RooflinePicture, suffix: str) -> bytes:
    """Return the picture as the content of a file whose name ends in ``.svg`` or ``.png``."""
    return saved(partial(picture_of, data), suffix, TEXT_STYLE)


class _Scale(NamedTuple):
    """A logarithmic axis: the powers of ten at its ends, and its place in points."""

    low: float
    high: float
    start: float
    length: float

    @classmethod
    def of(cls, amounts: Sequence[float], start: float, length: float) -> _Scale:
        """Return a scale with room around all amounts."""
        low, high = log10(min(amounts)), log10(max(amounts))
        room = max(0.25, (high - low) / 16)
        return cls(low - room, high + room, start, length)

    def at(self, amount: float) -> float:
        """Return the place of an amount."""
        return self.start + self.length * (log10(amount) - self.low) / (self.high - self.low)

    def ticks(self) -> Iterator[float]:
        """Yield round amounts along the axis."""
        mantissas = (1, 2, 5) if self.high - self.low <= _FEW_DECADES else (1,)
        for power in range(int(self.low) - 1, int(self.high) + 2):
            for mantissa in mantissas:
                if self.low <= power + log10(mantissa) <= self.high:
                    yield mantissa * 10.0**power


class _Box(NamedTuple):
    """A rectangle that a mark or a text takes."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: _Box) -> bool:
        """Return whether the two have a point in common."""
        return min(self.right, other.right) > max(self.left, other.left) and min(
            self.top, other.top
        ) > max(self.bottom, other.bottom)


def picture_of(data: RooflinePicture) -> Figure:
    """Return the picture."""
    heading = Heading(data.heading.title, (*data.heading.notes, *_notes(data)))
    named = data.points[:_NAMED]
    table = (len(named) + 1) * _ROW + 12
    sheet = Sheet(heading, WIDEST + 2 * EDGE, _HEIGHT + _BELOW + table + 24)
    figure, page = sheet.figure()
    _draw_legend(page, data, sheet.top - 14)
    left, bottom = EDGE + _LEFT, sheet.bottom + table + _BELOW
    intensities = [one.intensity for one in data.points]
    intensities += [data.ridge] if data.ridge else []
    x = _Scale.of(intensities, left, sheet.right - left)
    y = _Scale.of([one.macs for one in data.points], bottom, _HEIGHT)
    _draw_axes(page, x, y)
    if data.ridge:
        at = x.at(data.ridge)
        page.plot([at, at], [bottom, bottom + _HEIGHT], color=VERMILION, linestyle="--", zorder=1)
    for one in reversed(data.points):
        shape, colour = _MARKS.get(one.kind, _OTHER)
        page.plot(
            [x.at(one.intensity)], [y.at(one.macs)], marker=shape, markersize=_MARK,
            markerfacecolor=colour, markeredgecolor=INK, markeredgewidth=0.6,
        )  # fmt: skip
    _draw_numbers(page, data.points, x, y)
    _draw_table(page, named, sheet.bottom + table - 8)
    return figure


def _notes(data: RooflinePicture) -> Iterator[str]:
    inputs = ", ".join(map(shape_text, data.input_shapes))
    yield (
        f"Each convolution and linear layer, input {inputs}, {data.dtype}. MACs per byte: MACs "
        "divided by the bytes of input, output and weights, once each."
    )
    yield _ridge_text(data)
    if data.uncounted:
        yield f"Not here, because there is no rule for MACs: {', '.join(data.uncounted)}."


def _ridge_text(data: RooflinePicture) -> str:
    if data.ridge is None:
        return (
            "If a device does R MACs in the time that it takes to move a byte, the layers to the "
            "left of R wait for memory."
        )
    left, every = left_of(data.ridge, data.points), left_of(inf, data.points)
    return (
        f"A device that does {data.ridge:g} MACs while it moves a byte: {left.layers} of "
        f"{every.layers} layers are to the left and wait for memory. They have "
        f"{count_text(left.macs)} of {count_text(every.macs)} MACs."
    )


def _draw_legend(page: Axes, data: RooflinePicture, y: float) -> None:
    write(page, EDGE, y, _Y_TITLE, va="center")
    x = EDGE + text_width(_Y_TITLE, SMALL) + 40
    for kind in Kind:
        if any(one.kind is kind for one in data.points):
            shape, colour = _MARKS.get(kind, _OTHER)
            page.plot(
                [x], [y], marker=shape, markersize=_MARK, markerfacecolor=colour,
                markeredgecolor=INK, markeredgewidth=0.6,
            )  # fmt: skip
            write(page, x + 8, y, str(kind), va="center")
            x += text_width(str(kind), SMALL) + 26


def _draw_axes(page: Axes, x: _Scale, y: _Scale) -> None:
    top, right = y.start + y.length, x.start + x.length
    for tick in x.ticks():
        at = x.at(tick)
        page.plot([at, at], [y.start, top], color=GRID, linewidth=0.6, zorder=0)
        write(page, at, y.start - 5, f"{tick:g}", ha="center", va="top")
    for tick in y.ticks():
        at = y.at(tick)
        page.plot([x.start, right], [at, at], color=GRID, linewidth=0.6, zorder=0)
        write(page, x.start - 5, at, short_text(tick, Unit.COUNT), ha="right", va="center")
    page.plot([x.start, x.start, right], [top, y.start, y.start], color=PALE, linewidth=0.8)
    write(page, x.start + x.length / 2, y.start - 20, "MACs per byte", ha="center", va="top")


def _draw_numbers(page: Axes, every: Sequence[Point], x: _Scale, y: _Scale) -> None:
    """Write the numbers of the first points beside them, where nothing is yet."""
    places = [(x.at(one.intensity), y.at(one.macs)) for one in every]
    half = _MARK / 2 + 1
    taken = [_Box(a - half, b - half, a + half, b + half) for a, b in places]
    for number, (a, b) in enumerate(places[:_NAMED], start=1):
        wide = text_width(str(number), SMALL, "bold") / 2 + 1
        for c, d in _around(a, b):
            box = _Box(c - wide, d - SMALL / 2 - 1, c + wide, d + SMALL / 2 + 1)
            inside = box.left > x.start and box.right < x.start + x.length
            if inside and box.bottom > y.start and not any(map(box.meets, taken)):
                break
        taken.append(box)
        page.plot([a, c], [b, d], color=PALE, linewidth=0.5, zorder=1)
        write(page, c, d, str(number), weight="bold", ha="center", va="center_baseline")


def _around(x: float, y: float) -> Iterator[tuple[float, float]]:
    """Yield places around a place, the nearest first."""
    for distance in range(12, 200, 6):
        for turn in range(12):
            angle = pi / 4 + turn * pi / 6
            yield (x + distance * cos(angle), y + distance * sin(angle))


def _draw_table(page: Axes, named: Sequence[Point], top: float) -> None:
    """Write a row for each point that has a number."""
    rows = [("", "Layer", "Kind", "MACs of each", "MACs per byte")]
    rows += [
        (str(number), _names(one), str(one.kind), count_text(one.macs), f"{one.intensity:,.2f}")
        for number, one in enumerate(named, start=1)
    ]
    kind, macs, right = WIDEST + EDGE - 250, WIDEST + EDGE - 90, WIDEST + EDGE
    places = (
        (EDGE, "left"),
        (EDGE + 20, "left"),
        (kind, "left"),
        (macs, "right"),
        (right, "right"),
    )
    for number, row in enumerate(rows):
        for text, (x, side) in zip(row, places, strict=True):
            y, weight = top - number * _ROW, "normal" if number else "bold"
            short = shortened(text, SMALL, kind - EDGE - 30, weight)
            write(page, x, y, short, weight=weight, ha=side, va="top")


def _names(point: Point) -> str:
    first = point.layers[0]
    more = f" and {len(point.layers) - 1} more" if len(point.layers) > 1 else ""
    return f"{first.path or first.type}{more}"
