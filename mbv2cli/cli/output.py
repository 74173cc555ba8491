"""Writes results to standard output or to a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mbv2cli.cli.streams import writing_stdout

if TYPE_CHECKING:
    from mbv2cli.report.page import Page

_PLAIN_SIGNS: Final = str.maketrans(
    {"┌": "/", "│": "|", "└": "\\", "×": "x", "…": "...", "–": "-", "█": "#"}
)

_USUAL_WIDTH: Final = 80


def write(result: str | Page, file: Path | None) -> None:
    """Write a result to ``file`` or, without one, to standard output. Raises `UserError`."""
    if file is not None:
        from mbv2cli.cli.files import write_file

        write_file(_plain(result), file)
    elif isinstance(result, str):
        write_stdout(result)
    else:
        write_stdout(_encodable(_shown(result)))


def typed_command() -> str:
    """Return the command that runs, as a shell reads it."""
    import shlex

    return shlex.join(["mbv2", *sys.argv[1:]])


def encoded(result: str | Page) -> bytes:
    """Return a result as the content of a file."""
    return _plain(result).encode(errors="replace")


def append(result: str | Page, file: Path) -> None:
    """Add a result to the end of ``file``. Raises `UserError`."""
    from mbv2cli.cli.files import append_file

    append_file(_plain(result), file)


def _plain(result: str | Page) -> str:
    return result if isinstance(result, str) else result.text


def _shown(page: Page) -> str:
    """Return a page as standard output shows it: fitted to a terminal, with its styles."""
    at_terminal = sys.stdout.isatty()
    if not (at_terminal or os.environ.get("FORCE_COLOR")):
        return page.text
    from rich.console import Console
    from rich.segment import Segment, Segments

    from mbv2cli.report.page import fitted

    console = Console(highlight=False)
    console.width = console.width or _USUAL_WIDTH  # COLUMNS=0 says nothing
    segments: list[Segment] = []
    for pieces in fitted(page, console.width if at_terminal else None):
        styled = ((text, console.get_style(style) if style else None) for text, style, _ in pieces)
        segments += [*(Segment(text, style) for text, style in styled), Segment.line()]
    with console.capture() as captured:
        console.print(Segments(segments), crop=False, soft_wrap=True, end="")
    return captured.get()


def _encodable(text: str) -> str:
    """Return ``text`` with other signs where the encoding of standard output lacks ours."""
    is_utf = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    return text if is_utf else text.translate(_PLAIN_SIGNS)


def write_stdout(text: str) -> None:
    """Write and flush. Raises `UserError` on a full disk; a closed pipe is no error."""
    with writing_stdout():
        sys.stdout.write(text)
