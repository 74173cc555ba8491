"""The feature maps of a planned model, to scale, and what lies between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mbv2cli.costs.layers import By, GroupFigures, grouped, layer_figures
from mbv2cli.graph.ops import Shape
from mbv2cli.graph.rows import Layer, Role
from mbv2cli.inspection import Plan
from mbv2cli.report.picture import (
    EDGE,
    GREEN,
    INK,
    LINE,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    SMALL,
    TEXT_STYLE,
    WIDEST,
    Heading,
    Sheet,
    mixed,
    saved,
    text_width,
)
from mbv2cli.report.text import stride_text
from mbv2cli.specs import BlockSpec, NetworkSpec
from mbv2cli.specs.units import count_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TALLEST: Final = 130.0
_SHORTEST: Final = 16.0
_THICKEST: Final = 110.0
_THINNEST: Final = 5.0
_SLANT: Final = 0.28
"""How far the third axis goes to the right and up, for each point of width."""

_GAP: Final = 20.0
_OF_BLOCK: Final = 4
"""The most feature maps of a block, which stay in one row: the shortcut leads over them."""


_FACES: Final = {
    "map": "#cfd8dc",
    Role.EXPANSION: SKY,
    Role.DEPTHWISE: ORANGE,
    Role.PROJECTION: GREEN,
    Role.CONVOLUTION: SKY,
    "stem": SKY,
    "head": GREEN,
    "classifier": PURPLE,
}


class FeatureMap(NamedTuple):
    """A value between two operations: its shape (B, C, H, W) or (B, C), and its face."""

    shape: Shape
    face: str

    @property
    def channels(self) -> int:
        """The channels."""
        return self.shape[1]

    @property
    def height(self) -> int:
        """The height in pixels; 1 for a vector."""
        return (*self.shape, 1, 1)[2]

    @property
    def width(self) -> int:
        """The width in pixels; 1 for a vector."""
        return (*self.shape, 1, 1)[3]


class Step(NamedTuple):
    """What lies between two feature maps, in lines of text."""

    title: str
    lines: tuple[str, ...]


class Drawing(NamedTuple):
    """Feature maps in forward order, the steps between them, and the shortcut around all."""

    heading: Heading
    maps: tuple[FeatureMap, ...]
    steps: tuple[Step, ...]
    shortcut: str = ""


def drawing_of(plan: Plan, heading: Heading) -> Drawing:
    """Return what to draw of a plan: the convolutions of a block, or the stages of a network."""
    if isinstance(plan.spec, BlockSpec):
        return _of_block(plan, plan.spec, heading)
    return _of_network(plan, plan.spec, heading)


def _of_block(plan: Plan, spec: BlockSpec, heading: Heading) -> Drawing:
    beside = (Role.SQUEEZE_EXCITE, Role.SHORTCUT)
    convs = [layer for layer in plan.layers if layer.macs and layer.role not in beside]
    gates, added = (
        sum(layer.macs for layer in plan.layers if layer.role is role) for role in beside
    )
    maps = [FeatureMap(plan.input_shape, "map")]
    maps += [FeatureMap(layer.output_shape, str(layer.role)) for layer in convs]
    steps = tuple(Step(str(layer.role), tuple(_conv_lines(layer, spec, gates))) for layer in convs)
    shortcut = "shortcut: input + output" if spec.has_shortcut else ""
    if spec.projects_shortcut:
        shortcut = f"shortcut: 1×1 of the input ({count_text(added)} MACs) + output"
    return Drawing(heading, tuple(maps), steps, shortcut)


def _conv_lines(layer: Layer, spec: BlockSpec, gates: int) -> Iterator[str]:
    """Yield what a convolution is; squeeze-excite, with MACs ``gates``, follows the depthwise."""
    side = (layer.kernel or (1,))[0]
    is_strided = layer.stride == spec.strides != (1, 1)
    yield f"{side}×{side}" + (f", stride {stride_text(spec.stride)}" if is_strided else "")
    yield "linear" if layer.role is Role.PROJECTION else spec.act
    yield f"{count_text(layer.macs)} MACs"
    if spec.has_se and layer.role is Role.DEPTHWISE:
        yield f"squeeze-excite {spec.squeezed_channels}"
        yield f"{count_text(gates)} MACs"


def _of_network(plan: Plan, spec: NetworkSpec, heading: Heading) -> Drawing:
    stages = grouped(layer_figures(plan.graph, plan.layers, "float32"), By.STAGE)
    maps = [FeatureMap(plan.input_shape, "map")]
    maps += [FeatureMap(one.output_shape or (), _face(one.name)) for one in stages]
    repeats = {f"s{number}": count for number, count in enumerate(spec.repeats, start=1)}
    return Drawing(
        heading,
        tuple(maps),
        tuple(Step(one.name, tuple(_stage_lines(one, repeats.get(one.name)))) for one in stages),
    )


def _face(stage: str) -> str:
    return stage if stage in _FACES else str(Role.DEPTHWISE)


def _stage_lines(stage: GroupFigures, repeats: int | None) -> Iterator[str]:
    if repeats is not None:
        yield f"× {repeats}"
    yield f"{count_text(stage.macs)} MACs"


def draw(drawing: Drawing, suffix: str) -> bytes:
    """Return the picture as the content of a file whose name ends in ``.svg`` or ``.png``."""
    return saved(partial(picture_of, drawing), suffix, TEXT_STYLE)


def picture_of(drawing: Drawing) -> Figure:
    """Return the picture."""
    layout = _Layout.of(drawing)
    right = max(box.right for box in layout.boxes)
    width = max(right, EDGE + drawing.heading.width(WIDEST)) + EDGE
    picture, axes = Sheet(drawing.heading, width, layout.top - EDGE).figure()
    _draw(drawing, layout, axes)
    return picture


class _Box(NamedTuple):
    """A feature map in the picture: the lower left corner of its front, and its sides.

    ``slant`` is how far the third axis goes to the right and up.
    """

    x: float
    y: float
    thickness: float
    height: float
    slant: float

    @property
    def right(self) -> float:
        """Where the box ends on the right."""
        return self.x + self.thickness + self.slant

    @property
    def middle(self) -> float:
        """The middle from left to right."""
        return (self.x + self.right) / 2

    @property
    def top(self) -> float:
        """The top of the back."""
        return self.y + self.height + self.slant


class _Size(NamedTuple):
    """The sides of a box in points."""

    thickness: float
    height: float
    slant: float

    @property
    def above(self) -> float:
        """How far the box reaches above the middle of its front."""
        return self.height / 2 + self.slant


class _Layout(NamedTuple):
    """Where everything is, in points from the lower left corner.

    ``starts`` has where the arrow to each feature map starts. A drawing that is too wide goes on
    in a row below.
    """

    top: float
    boxes: tuple[_Box, ...]
    starts: tuple[float, ...]
    shortcut: float

    @classmethod
    def of(cls, drawing: Drawing) -> _Layout:
        """Return the layout of a drawing: no text lies over another one."""
        places = list(_places(drawing))
        sizes = list(map(_size_of(drawing.maps), drawing.maps))
        texts = max(map(_step_height, drawing.steps))
        axes: list[float] = []
        y = EDGE
        for row in range(places[-1].row, -1, -1):
            in_row = [size for place, size in zip(places, sizes, strict=True) if place.row == row]
            axes.insert(0, y + LINE * SMALL + 8 + max(one.height for one in in_row) / 2)
            y = axes[0] + max(texts, *(one.above for one in in_row)) + _GAP
        boxes = [
            _Box(place.x, axes[place.row] - size.height / 2, *size)
            for place, size in zip(places, sizes, strict=True)
        ]
        shortcut = y + 4
        y += _GAP + LINE * SMALL if drawing.shortcut else 0
        starts = [
            boxes[number - 1].right if number and places[number - 1].row == place.row else EDGE
            for number, place in enumerate(places)
        ]
        return cls(y, tuple(boxes), tuple(starts), shortcut)


class _Place(NamedTuple):
    """The row of a feature map, and where its box starts on the left."""

    row: int
    x: float


def _places(drawing: Drawing) -> Iterator[_Place]:
    row, x = 0, EDGE
    for number, one in enumerate(drawing.maps):
        size = _size_of(drawing.maps)(one)
        box = size.thickness + size.slant
        room = max(0.0, (text_width(_shape_text(one.shape), SMALL) - box) / 2)
        step = _step_width(drawing.steps[number - 1]) if number else 0.0
        wide = step + box + 2 * room
        if x + wide > WIDEST and number > 1 and len(drawing.maps) > _OF_BLOCK:
            row, x = row + 1, EDGE
        yield _Place(row, x + step + room)
        x += wide


def _size_of(maps: Sequence[FeatureMap]) -> Callable[[FeatureMap], _Size]:
    """Return a function of a feature map that gives the sides of its box, to scale."""
    most = max(one.channels for one in maps)
    longest = max(max(one.height, one.width) for one in maps)

    def side(pixels: int) -> float:
        return max(_SHORTEST, _TALLEST * pixels / longest)

    def size(one: FeatureMap) -> _Size:
        thickness = max(_THINNEST, _THICKEST * one.channels / most)
        return _Size(thickness, side(one.height), _SLANT * side(one.width))

    return size


def _lines(step: Step) -> tuple[str, ...]:
    return (step.title, *step.lines)


def _step_height(step: Step) -> float:
    return len(_lines(step)) * LINE * SMALL + 8


def _step_width(step: Step) -> float:
    return max(text_width(line, SMALL, "bold") for line in _lines(step)) + _GAP


def _shape_text(shape: Shape) -> str:
    return "×".join(map(str, shape[1:]))


def _draw(drawing: Drawing, layout: _Layout, axes: Axes) -> None:
    for one, box in zip(drawing.maps, layout.boxes, strict=True):
        _draw_box(axes, box, _FACES[one.face])
        place: Any = {"ha": "center", "va": "top", "fontsize": SMALL, "color": INK}
        axes.text(box.middle, box.y - 6, _shape_text(one.shape), **place)
    for step, start, box in zip(drawing.steps, layout.starts[1:], layout.boxes[1:], strict=True):
        _draw_step(axes, step, start + 3, box.x - 3, box.y + box.height / 2)
    if drawing.shortcut:
        _draw_shortcut(axes, drawing.shortcut, layout)


def _draw_box(axes: Axes, box: _Box, face: str) -> None:
    from matplotlib.patches import Polygon

    x, y, thickness, height, slant = box
    right, top = x + thickness, y + height
    front = ((x, y), (right, y), (right, top), (x, top))
    above = ((x, top), (right, top), (right + slant, top + slant), (x + slant, top + slant))
    side = ((right, y), (right + slant, y + slant), (right + slant, top + slant), (right, top))
    for corners, strength in ((front, 1.0), (above, 0.55), (side, 0.75)):
        axes.add_patch(
            Polygon(corners, facecolor=mixed(face, strength), edgecolor=INK, linewidth=0.8)
        )


def _draw_step(axes: Axes, step: Step, start: float, end: float, y: float) -> None:
    axes.annotate("", (end, y), (start, y), arrowprops={"arrowstyle": "->", "color": INK})
    above = y + 6
    for number, line in enumerate(reversed(_lines(step))):
        is_title = number == len(step.lines)
        place: Any = {"ha": "center", "va": "bottom", "fontsize": SMALL}
        axes.text(
            (start + end) / 2,
            above + number * LINE * SMALL,
            line,
            color=INK if is_title else PALE,
            weight="bold" if is_title else "normal",
            **place,
        )


def _draw_shortcut(axes: Axes, text: str, layout: _Layout) -> None:
    first, last = layout.boxes[0], layout.boxes[-1]
    y = layout.shortcut
    line: Any = {"color": INK, "linewidth": 1.2}
    axes.plot([first.middle, first.middle, last.middle], [first.top + 3, y, y], **line)
    axes.annotate(
        "", (last.middle, last.top + 2), (last.middle, y), arrowprops={"arrowstyle": "->", **line}
    )
    place: Any = {"ha": "center", "va": "bottom", "fontsize": SMALL, "color": INK}
    axes.text((first.middle + last.middle) / 2, y + 3, text, **place)
