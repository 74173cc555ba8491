"""What all pictures share: their formats, colours and texts, and how they become a file."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mbv2cli.errors import UserError
from mbv2cli.shown import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ft2font import FT2Font

PNG_DOTS_PER_INCH: Final = 200
"""An 8 inch picture has 1,600 pixels: sharp on a slide, and in a README at half the size."""

# of Okabe and Ito, told apart by colour-blind people too
SKY, ORANGE, GREEN, BLUE = "#56b4e9", "#e69f00", "#009e73", "#0072b2"
VERMILION, PURPLE, BLACK = "#d55e00", "#cc79a7", "#000000"

INK, PALE = "#1f2328", "#57606a"
"""The colours of text. A picture has a white ground, so that a dark page does not hide them."""

GRID: Final = "#d0d7de"

POINTS: Final = 72
"""Points of an inch: one unit of a picture is a point, and so is one of a font."""

TEXT: Final = 10.0
SMALL: Final = 8.5
LINE: Final = 1.3
"""The height of a line of text, in sizes of its font."""

EDGE: Final = 20.0
_MEASURED: Final = 100
"""The size of the font in which texts are measured, in points."""

WIDEST: Final = 740.0

_MISSING: Final = 1.1
"""The width of a sign that DejaVu Sans lacks, such as one of East Asia, in sizes of its font."""

TEXT_STYLE: Final[Any] = {
    "svg.fonttype": "none",  # text stays text
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica", "sans-serif"],
}
_STYLE: Final[Any] = {"svg.hashsalt": "mbv2"}  # the same picture is the same file


def refuse_undrawable(path: Path, flag: str) -> None:
    """Raise `UserError` for a name of another format, and `ImportError` without matplotlib.

    ``flag`` gave the name.
    """
    if path.suffix.lower() not in (".svg", ".png"):
        raise UserError(f"{flag} must end in .svg or .png, not '{path.name}'")
    import matplotlib.figure  # noqa: F401  (only to see whether it is there)


def saved(make: Callable[[], Figure], suffix: str, style: Any) -> bytes:
    """Return a picture as the content of a file whose name ends in ``.svg`` or ``.png``.

    ``style`` has matplotlib's parameters, under which ``make`` runs.
    """
    import warnings

    from matplotlib import rc_context

    with rc_context({**_STYLE, **style}), warnings.catch_warnings():
        # the viewer of an SVG has a font for a sign that matplotlib's own font lacks
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        file = io.BytesIO()
        form = suffix.lower().removeprefix(".")
        metadata = {"Date": None} if form == "svg" else None
        make().savefig(file, format=form, dpi=PNG_DOTS_PER_INCH, metadata=metadata)
    return file.getvalue()


def mixed(colour: str, strength: float) -> str:
    """Return a colour mixed with white."""
    parts = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - strength * (255 - part)):02x}" for part in parts)


def plain(text: str) -> str:
    """Return a text of the user for matplotlib, which reads a formula between two dollars."""
    return shown(text).replace("$", r"\$")


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return the points that a text takes in DejaVu Sans; other fonts of the style are narrower.

    ``size`` is that of the font.
    """
    return size * sum(_advance(sign, weight) for sign in text)


@cache
def _advance(sign: str, weight: str) -> float:
    """Return the width of a sign, in sizes of its font."""
    font = _font(weight)
    if not font.get_char_index(ord(sign)):
        return _MISSING
    return font.load_char(ord(sign)).linearHoriAdvance / 2**16 / _MEASURED


@cache
def _font(weight: str) -> FT2Font:
    """Return DejaVu Sans, which matplotlib brings along; matplotlib's own changes its size."""
    from matplotlib.font_manager import FontProperties, findfont
    from matplotlib.ft2font import FT2Font

    font = FT2Font(findfont(FontProperties(family="DejaVu Sans", weight=weight)))
    font.set_size(_MEASURED, POINTS)
    return font


def shortened(text: str, size: float, width: float, weight: str = "normal") -> str:
    """Return a text that fits into ``width`` points: without its middle if it is too long."""
    text = shown(text)
    if text_width(text, size, weight) <= width:
        return text
    for kept in range(len(text) // 2, 0, -1):
        if text_width(short := f"{text[:kept]}…{text[-kept:]}", size, weight) <= width:
            return short
    return "…"


def wrapped(text: str, size: float, width: float, weight: str = "normal") -> list[str]:
    """Return the lines of a text, each at most ``width`` points wide."""
    lines = [""]
    for word in shown(text).split():
        longer = f"{lines[-1]} {word}".lstrip()
        if text_width(longer, size, weight) <= width:
            lines[-1] = longer
        else:
            lines.append(shortened(word, size, width, weight))
    return [line for line in lines if line]


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return ascending places, moved until any two are ``gap`` apart and between low and high.

    There must be room: ``gap * (len(places) - 1) <= high - low``.
    """
    moved = list(places)
    for number, place in enumerate(moved):
        least = moved[number - 1] + gap if number else low
        moved[number] = max(place, least)
    for number in range(len(moved) - 1, -1, -1):
        most = moved[number + 1] - gap if number + 1 < len(moved) else high
        moved[number] = min(moved[number], most)
    return moved


class Heading(NamedTuple):
    """The first lines of a picture: what is drawn, and in smaller print what is said of it."""

    title: str
    notes: tuple[str, ...] = ()

    def title_lines(self, width: float) -> list[str]:
        """Return the lines of the title, each at most ``width`` points wide."""
        return wrapped(self.title, TEXT, width, "bold")

    def note_lines(self, width: float) -> list[str]:
        """Return the lines of the notes, each at most ``width`` points wide."""
        return [line for note in self.notes for line in wrapped(note, SMALL, width)]

    def width(self, most: float) -> float:
        """Return the points that the lines take if each is at most ``most`` wide."""
        titles = [text_width(line, TEXT, "bold") for line in self.title_lines(most)]
        return max([*titles, *(text_width(line, SMALL) for line in self.note_lines(most))])


class Sheet(NamedTuple):
    """A picture in points: a heading, and room to draw in below it."""

    heading: Heading
    width: float
    body: float

    @property
    def height(self) -> float:
        """The height of all."""
        return self.bottom + self.body + self._head + EDGE

    @property
    def bottom(self) -> float:
        """Where the room to draw in ends below."""
        return EDGE

    @property
    def top(self) -> float:
        """Where the room to draw in ends above."""
        return self.bottom + self.body

    @property
    def right(self) -> float:
        """Where the room to draw in ends on the right."""
        return self.width - EDGE

    def figure(self) -> tuple[Figure, Axes]:
        """Return the picture with its texts, and axes in points that cover it."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(self.width / POINTS, self.height / POINTS))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, self.width), ylim=(0, self.height))
        axes.set_axis_off()
        y = self.height - EDGE
        for line in self._titles:
            write(axes, EDGE, y, line, size=TEXT, weight="bold", va="top")
            y -= LINE * TEXT
        for line in self._notes:
            write(axes, EDGE, y, line, color=PALE, va="top")
            y -= LINE * SMALL
        return figure, axes

    def axes(self, figure: Figure, box: tuple[float, float, float, float]) -> Axes:
        """Add axes to the picture: ``box`` is left, bottom, width and height in points."""
        left, bottom, width, height = box
        axes = figure.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height)
        )
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(PALE)
        axes.tick_params(labelsize=SMALL, colors=PALE, labelcolor=INK, length=3)
        return axes

    @property
    def _head(self) -> float:
        return len(self._titles) * LINE * TEXT + len(self._notes) * LINE * SMALL + 8

    @property
    def _titles(self) -> list[str]:
        return self.heading.title_lines(self.width - 2 * EDGE)

    @property
    def _notes(self) -> list[str]:
        return self.heading.note_lines(self.width - 2 * EDGE)


def write(axes: Axes, x: float, y: float, text: str, size: float = SMALL, **style: Any) -> None:
    """Write a text at a place in points."""
    axes.text(x, y, text.replace("$", r"\$"), fontsize=size, **{"color": INK, **style})
