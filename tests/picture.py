"""Draws what a command shows at a terminal as an SVG picture: light, text only, no outer font."""

from __future__ import annotations

from html import escape
from typing import Final

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

_CELL: Final = 7.8
_LINE: Final = 18
_EDGE: Final = 16
_INK: Final = "#1f2328"
_PALE: Final = "#57606a"
_COLOURS: Final = ("", "#cf222e", "#1a7f37", "#9a6700", "#0969da", "#8250df", "#1b7c83", "")
"""The eight colours of a terminal by number, readable on white; black and white are ink."""


def picture(command: str, shown: str) -> str:
    """Return the SVG of a terminal in which ``command`` has ``shown`` text with colour codes."""
    lines = [
        Text.assemble(("$ ", "dim"), (command, "bold")),
        *map(Text.from_ansi, shown.splitlines()),
    ]
    columns = max(line.cell_len for line in lines)
    width = round(columns * _CELL + 2 * _EDGE)
    height = len(lines) * _LINE + 2 * _EDGE
    console = Console(width=columns, color_system="standard")
    rows = "\n".join(_row(number, list(line.render(console))) for number, line in enumerate(lines))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-size="13" '
        "font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\">\n"
        f"<title>{escape(command)}</title>\n"
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" '
        'fill="#ffffff" stroke="#d0d7de"/>\n'
        f"{rows}\n</svg>\n"
    )


def _row(number: int, segments: list[Segment]) -> str:
    """Return the text of a line, each piece at its own column: fonts differ in width."""
    y = _EDGE + (number + 1) * _LINE - 5
    pieces: list[str] = []
    column = 0
    for segment in segments:
        pieces.append(_piece(segment.text, column, segment.style or Style()))
        column += segment.cell_length
    return f'<text y="{y}" xml:space="preserve">{"".join(pieces)}</text>'


def _piece(text: str, column: int, style: Style) -> str:
    words = text.strip()
    if not words:
        return ""
    x = _EDGE + (column + len(text) - len(text.lstrip())) * _CELL
    length = Segment(words).cell_length * _CELL
    colour = _PALE if style.dim else _colour(style)
    weight = ' font-weight="bold"' if style.bold else ""
    place = f'x="{x:.1f}" textLength="{length:.1f}"'
    return f'<tspan {place} fill="{colour}"{weight}>{escape(words)}</tspan>'


def _colour(style: Style) -> str:
    number = style.color.number if style.color else None
    return _COLOURS[number % len(_COLOURS)] or _INK if number is not None else _INK
