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
from mbv2cli.costs.outline import StretchCosts, Wire, stretch_costs, stretches, wires
from mbv2cli.graph.ops import Shape
from mbv2cli.inspection import Model
from mbv2cli.report.draw.labels import name_text, repeats_text, shape_text, types_text
from mbv2cli.report.draw.limits import refuse_too_many
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

_ROW: Final = 18.0
_GAP: Final = 20.0
_ABOVE: Final = 9.0
"""How far above a row the shapes of the values are that enter it."""

_FRAME: Final = 14.0
"""What a frame needs above its first row for its name, and below its last one."""

_PAD: Final = 8.0
_LEAST: Final = 340.0
"""The least width of the three columns together."""

_SHAPE: Final = 130.0
"""The most room for shapes on the left of the middle."""

_LANE: Final = 9.0
_COLUMN: Final = 18.0
_LONGEST_NAME: Final = 220.0
_LONGEST_TYPES: Final = 240.0
_STRENGTH: Final = 0.35
_LINE: Final[Any] = {"color": INK, "linewidth": 0.9}
_ARROW: Final[Any] = {"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0, **_LINE}
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
    """Return what to draw of a model. Raises `UserError` if that is too much for a picture."""
    graph = model.graph
    refuse_too_many(heading, stretches(graph))
    figures = layer_figures(graph, model.layers, "float32")
    costs = stretch_costs(graph, figures, LAYERWISE, "float32")
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


class _Entering(NamedTuple):
    """The values that enter a row: from the row above it, and from further above."""

    straight: list[int]
    skipping: list[int]


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
    names, types, costs = (_width(rows, column) for column in range(3))
    columns = (names, max(types, _LEAST - names - costs), costs)
    layout = _Layout(EDGE + _PAD, columns, (), _lanes(lines))
    heading = Heading(data.heading.title, (*data.heading.notes, *_notes(data)))
    sheet = Sheet(heading, layout.side + EDGE, heights[-1] + _ROW + _PAD)
    layout = layout._replace(tops=tuple(sheet.top - height for height in heights))
    figure, page = sheet.figure()
    entering = _entering(lines)
    _draw_frames(page, rows, {n: _straight_text(data, one) for n, one in entering.items()}, layout)
    for row, top in zip(rows, layout.tops, strict=True):
        _draw_row(page, row, layout, top)
    for line in lines:
        _draw_line(page, line, entering, layout)
    for number, one in entering.items():
        _draw_shapes(page, data, number, one, layout)
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
        frame = part.frame and f"{part.frame}: {part.frame_type}"
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
    return ", ".join(texts)


def _notes(data: CallsPicture) -> Iterator[str]:
    yield "Observed in one forward pass. MACs: convolutions + linear."
    if any(one.stretch.repeats > 1 for one in data.costs):
        yield "× 3: three in a row that are alike, and their costs together."
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


def _entering(lines: Sequence[_Line]) -> dict[int, _Entering]:
    """Return the values that enter each row."""
    found: dict[int, _Entering] = {}
    for line in lines:
        for target in line.targets:
            one = found.setdefault(target, _Entering([], []))
            (one.straight if target == line.source + 1 else one.skipping).append(line.value)
    return found


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


def _draw_frames(
    page: Axes, rows: Sequence[_Row], straight: Mapping[int, str], layout: _Layout
) -> None:
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
            entering = text_width(straight.get(numbers[0], ""), SMALL)
            text = shortened(frame, SMALL, layout.middle - layout.left - entering - 16)
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


def _draw_line(page: Axes, line: _Line, entering: Mapping[int, _Entering], layout: _Layout) -> None:
    """Draw a value: straight down to the next row, at the side to later ones."""
    start = layout.tops[line.source] - _ROW
    for target in line.targets:
        top = layout.tops[target]
        if target == line.source + 1:
            page.annotate("", (layout.middle, top), (layout.middle, start), arrowprops=_ARROW)
        else:
            values = entering[target].skipping
            x = layout.lane(layout.lanes[line.value])
            y = top - _ROW / 2 * (values.index(line.value) + 1) / (len(values) + 1)
            page.plot([layout.right, x, x], [start + 4, start + 4, y], **_LINE)
            page.annotate("", (layout.right, y), (x, y), arrowprops=_ARROW)


def _draw_shapes(
    page: Axes, data: CallsPicture, number: int, one: _Entering, layout: _Layout
) -> None:
    """Write above a row the shapes of the values that enter it."""
    place: Any = {"y": layout.tops[number] + _ABOVE, "ha": "right", "va": "center"}
    write(page, layout.middle - 6, text=_straight_text(data, one), **place)
    text = _shapes_text(data, one.skipping, layout.right - layout.middle - 12)
    write(page, layout.right, text=text, color=PALE, **place)


def _straight_text(data: CallsPicture, one: _Entering) -> str:
    return _shapes_text(data, one.straight, _SHAPE)


def _shapes_text(data: CallsPicture, values: Sequence[int], width: float) -> str:
    return shortened(", ".join(shape_text(data.shapes[one]) for one in values), SMALL, width)
