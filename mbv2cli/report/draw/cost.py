"""Where parameters, MACs and bytes go: a bar for each stage, operation or module call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from mbv2cli.costs.figures import MACS
from mbv2cli.costs.layers import layer_figures
from mbv2cli.costs.memory import MemoryRule
from mbv2cli.costs.outline import StretchCosts, stretch_costs, stretches, total
from mbv2cli.graph.ops import Shape
from mbv2cli.inspection import Model
from mbv2cli.report.draw.labels import name_text, repeats_text, shape_text, types_text
from mbv2cli.report.draw.limits import refuse_too_many
from mbv2cli.report.picture import (
    BLUE,
    EDGE,
    GREEN,
    ORANGE,
    PALE,
    PURPLE,
    SMALL,
    TEXT_STYLE,
    Heading,
    Sheet,
    saved,
    shortened,
    text_width,
    write,
)
from mbv2cli.specs.units import bytes_texts, count_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW: Final = 16.0
_BAR: Final = 80.0
_THICK: Final = 9.0
_GAP: Final = 16.0
_LONGEST_NAME: Final = 230.0


class CostPicture(NamedTuple):
    """What each stretch of a model costs. ``uncounted`` are functions without a rule for MACs."""

    heading: Heading
    input_shapes: tuple[Shape, ...]
    costs: tuple[StretchCosts, ...]
    rule: MemoryRule
    dtype: str
    uncounted: tuple[str, ...]


def picture_data(heading: Heading, model: Model, rule: MemoryRule, dtype: str) -> CostPicture:
    """Return what to draw of a model; bytes alive are those of a memory rule.

    Raises `UserError` if that is too much for a picture.
    """
    refuse_too_many(heading, stretches(model.graph))
    figures = layer_figures(model.graph, model.layers, dtype)
    return CostPicture(
        heading,
        model.graph.input_shapes,
        stretch_costs(model.graph, figures, rule, dtype),
        rule,
        dtype,
        model.uncounted(MACS),
    )


def draw(data: CostPicture, suffix: str) -> bytes:
    """Return the picture as the content of a file whose name ends in ``.svg`` or ``.png``."""
    return saved(partial(picture_of, data), suffix, TEXT_STYLE)


class _Column(NamedTuple):
    """A figure of each stretch: its bars, as shares of the longest, and its texts.

    The last text is that of the whole model.
    """

    title: str
    bars: list[float]
    texts: list[str]
    colour: str

    @property
    def width(self) -> float:
        """The width of all."""
        texts = max(text_width(text, SMALL, "bold") for text in self.texts)
        return max(_BAR + 4 + texts, text_width(self.title, SMALL, "bold"))


def picture_of(data: CostPicture) -> Figure:
    """Return the picture."""
    names = [shortened(_name(one), SMALL, _LONGEST_NAME) for one in data.costs]
    columns = _columns(data)
    label = max(text_width(name, SMALL) for name in names) + _GAP
    width = 2 * EDGE + label + sum(one.width for one in columns) + _GAP * (len(columns) - 1)
    heading = Heading(data.heading.title, (*data.heading.notes, *_notes(data)))
    sheet = Sheet(heading, width, (len(names) + 2) * _ROW + 8)
    figure, page = sheet.figure()
    first = sheet.top - 8 - 1.5 * _ROW
    for number, name in enumerate(names):
        write(page, EDGE, first - number * _ROW, name, va="center")
    write(page, EDGE, first - len(names) * _ROW, "total", weight="bold", va="center")
    x = EDGE + label
    for column in columns:
        _draw_column(page, column, x, first)
        x += column.width + _GAP
    return figure


def _name(one: StretchCosts) -> str:
    part = one.stretch
    types = f": {types_text(part)}" if part.name and part.types else ""
    return f"{name_text(part)}{repeats_text(part)}{types}"


def _notes(data: CostPicture) -> Iterator[str]:
    inputs = ", ".join(map(shape_text, data.input_shapes))
    yield (
        f"Input {inputs}, {data.dtype}. MACs: convolutions + linear. Bytes moved: input, output "
        "and weights of each operation, once each. Bytes alive: the most at one moment, rule "
        f"{data.rule.name}."
    )
    if data.uncounted:
        yield f"Not counted as MACs, because there is no rule: {', '.join(data.uncounted)}."


def _columns(data: CostPicture) -> list[_Column]:
    costs = (*data.costs, total(data.costs))
    params, macs = [one.params for one in costs], [one.macs for one in costs]
    moved = [one.moved_bytes for one in costs]
    alive = [one.alive_bytes for one in costs]
    amounts = iter(bytes_texts([one for one in alive if one is not None]))
    alive_texts = ["–" if one is None else next(amounts) for one in alive]
    return [
        _Column("Parameters", _bars(params), list(map(count_text, params)), GREEN),
        _Column("MACs", _bars(macs), list(map(count_text, macs)), BLUE),
        _Column("Bytes moved", _bars(moved), bytes_texts(moved), ORANGE),
        _Column("Bytes alive", _bars([one or 0 for one in alive]), alive_texts, PURPLE),
    ]


def _bars(amounts: Sequence[int]) -> list[float]:
    """Return the shares of the longest bar; the last amount is the total and has no bar."""
    amounts = amounts[:-1]
    most = max(amounts)
    return [amount / most if most else 0.0 for amount in amounts]


def _draw_column(page: Axes, column: _Column, x: float, first: float) -> None:
    from matplotlib.patches import Rectangle

    write(page, x, first + _ROW, column.title, weight="bold", va="center")
    bottom = first - (len(column.bars) - 0.5) * _ROW
    page.plot([x, x], [bottom, first + _ROW / 2], color=PALE, linewidth=0.7)
    for number, (bar, text) in enumerate(zip(column.bars, column.texts, strict=False)):
        y = first - number * _ROW
        corner = (x, y - _THICK / 2)
        page.add_patch(Rectangle(corner, bar * _BAR, _THICK, facecolor=column.colour))
        write(page, x + bar * _BAR + 4, y, text, va="center")
    write(page, x + 4, bottom - _ROW / 2, column.texts[-1], weight="bold", va="center")
