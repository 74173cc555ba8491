"""The module calls of an observed model from top to bottom, and the shapes that pass between them.

Calls in a row that are alike are one row. A line at the side is a value that skips rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mbv2cli.costs.figures import MACS
from mbv2cli.costs.layers import layer_figures
from mbv2cli.costs.memory import LAYERWISE
from mbv2cli.costs.outline import StretchCosts, Wire, stretch_costs, wires
from mbv2cli.errors import UserError
from mbv2cli.graph.ops import Shape
from mbv2cli.inspection import Model
from mbv2cli.report.draw.labels import name_text, repeats_text, shape_text, types_text
from mbv2cli.report.picture import (
    BLUE,
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
    Heading,
    Sheet,
    mixed,
    saved,
    shortened,
    text_width,
    write,
)
from mbv2cli.specs.units import count_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ROWS: Final = 200
"""More rows than these nobody reads, and a PNG cannot be as high."""

_ROW: Final = 18.0
_GAP: Final = 20.0
_ABOVE: Final = 9.0
"""How far above a row the shapes of the values are that enter it."""

_FRAME: Final = 14.0
"""What a frame needs above its first row for its name, and below its last one."""

_PAD: Final = 8.0
_MIN_WIDTH: Final = 420.0
_SHAPE: Final = 120.0
"""The room for a shape on the left of the middle."""

_LANE: Final = 9.0
_COLUMN: Final = 18.0
_LONGEST_NAME: Final = 220.0
_LONGEST_TYPES: Final = 240.0
_STRENGTH: Final = 0.35
_FACES: Final = (SKY, ORANGE, GREEN, PURPLE, BLUE, VERMILION)


class CallsPicture(NamedTuple):
    """What each stretch of an observed model costs, and the values that pass between them."""

    heading: Heading
    costs: tuple[StretchCosts, ...]
    wires: tuple[Wire, ...]
    shapes: tuple[Shape, ...]
    inputs: int
    uncounted: tuple[str, ...]


def picture_data(heading: Heading, model: Model) -> CallsPicture:
    """Return what to draw of a model. Raises `UserError` if it is too much for a picture."""
    graph = model.graph
    figures = layer_figures(graph, model.layers, "float32")
    costs = stretch_costs(graph, figures, LAYERWISE, "float32")
    if len(costs) > MOST_ROWS:
        raise UserError(
            f"{heading.title} runs {len(costs)} modules and operations one after the other, and a "
            f"picture shows at most {MOST_ROWS}; try --what memory"
        )
    parts = [one.stretch for one in costs]
    return CallsPicture(
        heading,
        costs,
        wires(graph, parts),
        graph.shapes,
        len(graph.input_shapes),
        model.uncounted(MACS),
    )


def draw(data: CallsPicture, suffix: str) -> bytes:
    """Return the picture as the content of a file whose name ends in ``.svg`` or ``.png``."""
    return saved(partial(picture_of, data), suffix, TEXT_STYLE)


class _Row(NamedTuple):
    """A box with texts in three columns. ``frame`` is the name of the frame that it is in."""

    name: str
    types: str
    costs: str
    frame: str
    face: str


class _Line(NamedTuple):
    """A value from a row to later ones."""

    value: int
    source: int
    targets: tuple[int, ...]


class _Layout(NamedTuple):
    """Where the rows are, in points: the widths of the columns of texts, and the upper edges.

    ``lanes`` has, for each value that skips rows, the number of its line at the side.
    """

    left: float
    columns: tuple[float, float, float]
    tops: tuple[float, ...]
    lanes: Mapping[int, int]

    @property
    def right(self) -> float:
        """Where the boxes end on the right."""
        return self.left + sum(self.columns) + 2 * (_COLUMN + _PAD)

    @property
    def middle(self) -> float:
        """The middle of the boxes from left to right."""
        return (self.left + self.right) / 2

    @property
    def side(self) -> float:
        """Where the lines at the side end on the right."""
        return self.lane(max(self.lanes.values(), default=0))

    def lane(self, number: int) -> float:
        """Return where a line at the side is."""
        return self.right + _PAD + _LANE * (number + 1)


def picture_of(data: CallsPicture) -> Figure:
    """Return the picture."""
    rows, lines = list(_rows(data)), list(_lines(data))
    heights = list(_heights(rows))
    columns = (_width(rows, 0), _width(rows, 1), _width(rows, 2))
    layout = _Layout(EDGE + _PAD, columns, (), _lanes(lines))
    heading = Heading(data.heading.title, (*data.heading.notes, *_notes(data)))
    width = max(layout.side + EDGE, _MIN_WIDTH)
    sheet = Sheet(heading, width, heights[-1] + _ROW + _PAD)
    layout = layout._replace(tops=tuple(sheet.top - height for height in heights))
    figure, page = sheet.figure()
    _draw_frames(page, rows, layout)
    for row, top in zip(rows, layout.tops, strict=True):
        _draw_row(page, row, layout, top)
    for line in lines:
        _draw_line(page, line, layout)
    _draw_shapes(page, data, lines, layout)
    return figure


def _rows(data: CallsPicture) -> Iterator[_Row]:
    """Yield a row for each input, each stretch and each output."""
    several = data.inputs > 1
    for number in range(data.inputs):
        yield _Row(f"input {number + 1}" if several else "input", "", "", "", "")
    faces: dict[tuple[str, ...], str] = {}
    for one in data.costs:
        part = one.stretch
        face = faces.setdefault(part.types, _FACES[len(faces) % len(_FACES)])
        name = f"{part.name and name_text(part)}{repeats_text(part)}".strip()
        frame = f"{part.frame}  {part.frame_type}".strip()
        yield _Row(name, types_text(part), _cost_text(one), frame, face)
    outputs = [wire for wire in data.wires if wire.target is None]
    for number in range(len(outputs)):
        yield _Row(f"output {number + 1}" if len(outputs) > 1 else "output", "", "", "", "")


def _cost_text(one: StretchCosts) -> str:
    texts = []
    if one.params:
        texts.append(f"{count_text(one.params)} params")
    if one.macs:
        texts.append(f"{count_text(one.macs)} MACs")
    return "   ".join(texts)


def _notes(data: CallsPicture) -> Iterator[str]:
    yield (
        "Observed in one forward pass. MACs: convolutions + linear. × 3: three in a row that are "
        "alike, their costs together."
    )
    if data.uncounted:
        yield f"Not counted as MACs, because there is no rule: {', '.join(data.uncounted)}."


def _lines(data: CallsPicture) -> Iterator[_Line]:
    """Yield each value that passes between rows, with its source and its targets as rows."""
    outputs = 0
    targets: dict[tuple[int, int], list[int]] = {}
    for wire in data.wires:
        source = wire.value if wire.source is None else data.inputs + wire.source
        if wire.target is None:
            target = data.inputs + len(data.costs) + outputs
            outputs += 1
        else:
            target = data.inputs + wire.target
        targets.setdefault((source, wire.value), []).append(target)
    for (source, value), found in targets.items():
        yield _Line(value, source, tuple(sorted(found)))


def _lanes(lines: Sequence[_Line]) -> dict[int, int]:
    """Return the lane at the side of each value that skips rows: no two share a piece of one."""
    ends: list[int] = []
    lanes: dict[int, int] = {}
    for line in sorted(lines, key=lambda line: line.source):
        if line.targets[-1] > line.source + 1:
            free = [lane for lane, end in enumerate(ends) if end < line.source]
            lane = free[0] if free else len(ends)
            ends[lane : lane + 1] = [line.targets[-1]]
            lanes[line.value] = lane
    return lanes


def _width(rows: Sequence[_Row], column: int) -> float:
    longest = (_LONGEST_NAME, _LONGEST_TYPES, _LONGEST_NAME)[column]
    weight = "normal" if column else "bold"
    return min(longest, max(text_width(row[column], SMALL, weight) for row in rows))


def _heights(rows: Sequence[_Row]) -> Iterator[float]:
    """Yield how far below the top of the room each row has its upper edge."""
    at = 0.0
    for number, row in enumerate(rows):
        before = rows[number - 1].frame if number else ""
        if number:
            at += _ROW + _GAP
        if before and before != row.frame:
            at += _PAD
        if row.frame and row.frame != before:
            at += _FRAME
        yield at


def _draw_frames(page: Axes, rows: Sequence[_Row], layout: _Layout) -> None:
    from matplotlib.patches import Rectangle

    width = layout.right - layout.left + 2 * _PAD
    for frame, group in groupby(range(len(rows)), lambda number: rows[number].frame):
        numbers = list(group)
        if frame:
            top = layout.tops[numbers[0]] + _FRAME + 1
            bottom = layout.tops[numbers[-1]] - _ROW - _PAD
            style: Any = {"facecolor": "#f6f8fa", "edgecolor": GRID, "linewidth": 0.8}
            corner = (layout.left - _PAD, bottom)
            page.add_patch(Rectangle(corner, width, top - bottom, **style))
            # the shape that enters is in the middle
            text = shortened(frame, SMALL, layout.middle - layout.left - _SHAPE)
            write(page, layout.left, top - 3, text, color=PALE, va="top")


def _draw_row(page: Axes, row: _Row, layout: _Layout, top: float) -> None:
    from matplotlib.patches import Rectangle

    face = mixed(row.face, _STRENGTH) if row.face else "#ffffff"
    style: Any = {"facecolor": face, "edgecolor": INK, "linewidth": 0.8, "zorder": 2}
    corner = (layout.left, top - _ROW)
    page.add_patch(Rectangle(corner, layout.right - layout.left, _ROW, **style))
    place: Any = {"y": top - _ROW / 2, "va": "center_baseline", "zorder": 3}
    names, types, costs = layout.columns
    x = layout.left + _PAD
    write(page, x, text=shortened(row.name, SMALL, names, "bold"), weight="bold", **place)
    x += names + _COLUMN
    write(page, x, text=shortened(row.types, SMALL, types), **place)
    x = layout.right - _PAD
    write(page, x, text=shortened(row.costs, SMALL, costs), ha="right", **place)


def _draw_line(page: Axes, line: _Line, layout: _Layout) -> None:
    """Draw a value: straight down to the next row, at the side to later ones."""
    style: Any = {"color": INK, "linewidth": 0.9}
    arrow: Any = {"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0, **style}
    start = layout.tops[line.source] - _ROW
    for target in line.targets:
        top = layout.tops[target]
        if target == line.source + 1:
            ends = ((layout.middle, top), (layout.middle, start))
        else:
            x, y = layout.lane(layout.lanes[line.value]), top - 5
            ends = ((layout.right, y), (x, y))
            page.plot([layout.right, x, x], [start + 5, start + 5, y], **style)
        page.annotate("", *ends, arrowprops=arrow)


def _draw_shapes(page: Axes, data: CallsPicture, lines: Sequence[_Line], layout: _Layout) -> None:
    """Write above each row the shapes that enter: from the row above, and from further above."""
    straight: dict[int, list[str]] = {}
    skipping: dict[int, list[str]] = {}
    for line in lines:
        for target in line.targets:
            which = straight if target == line.source + 1 else skipping
            which.setdefault(target, []).append(shape_text(data.shapes[line.value]))
    for target, shapes in straight.items():
        text = shortened(", ".join(shapes), SMALL, _SHAPE - 12)
        y = layout.tops[target] + _ABOVE
        write(page, layout.middle - 6, y, text, ha="right", va="center")
    for target, shapes in skipping.items():
        text = shortened(", ".join(shapes), SMALL, layout.right - layout.middle - 12)
        y = layout.tops[target] + _ABOVE
        write(page, layout.right, y, text, color=PALE, ha="right", va="center")
