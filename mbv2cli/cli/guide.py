"""Shows the guides, for `mbv2 help`."""

from __future__ import annotations

import os
import sys
from typing import Final

from mbv2cli.cli.output import write_stdout
from mbv2cli.guides import topic_page

_STYLES: Final = {
    "markdown.code": "bold cyan",
    "markdown.table.border": "cyan",
    "markdown.table.header": "cyan",
}
"""The colours of the terminal, whose background may be light or dark. Old rich has no table."""

_WIDEST: Final = 100
"""Columns of a guide at a wide terminal: longer lines are hard to read."""


def show_guide(topic: str) -> None:
    """Show a guide: laid out at a terminal, as Markdown in a pipe or a file."""
    write_stdout(_shown(topic_page(topic)))


def _shown(markdown: str) -> str:
    if not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
        return markdown
    return laid_out(markdown, None)


def laid_out(markdown: str, width: int | None) -> str:
    """Return a guide with styles, for a terminal of this width; None is that of the terminal."""
    from rich.console import Console
    from rich.theme import Theme

    from mbv2cli.cli.guide_layout import Guide

    console = Console(theme=Theme(_STYLES), width=width)
    console.width = min(console.width or _WIDEST, _WIDEST)  # COLUMNS=0 says nothing
    with console.capture() as captured:
        console.print(Guide(markdown, code_theme="ansi_dark"))
    return captured.get()
