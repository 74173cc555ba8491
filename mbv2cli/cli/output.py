"""Writes results to standard output, or to a file: whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from mbv2cli.cli.signals import undone_by_signals
from mbv2cli.cli.streams import writing_stdout
from mbv2cli.errors import UserError

if TYPE_CHECKING:
    from mbv2cli.report.page import Page

_PLAIN_SIGNS: Final = str.maketrans({"┌": "/", "│": "|", "└": "\\", "×": "x", "…": "...", "–": "-"})


def write(result: str | Page, file: Path | None) -> None:
    """Write a result to ``file`` or, without one, to standard output. Raises `UserError`."""
    if file is not None:
        write_file(_plain(result), file)
    elif isinstance(result, str):
        write_stdout(result)
    else:
        write_stdout(_encodable(_shown(result)))


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


def write_file(text: str, file: Path) -> None:
    """Replace the content of ``file`` in one step. Raises `UserError`."""
    with replaced(file) as stream:
        stream.write(text.encode())


@contextmanager
def replaced(file: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces ``file`` at the end, unless an exception is raised before.

    A device or a pipe is written directly. Raises `UserError` if ``file`` cannot be opened,
    written or replaced.
    """
    with _ErrorsOf(file):
        target = file.resolve()
        is_special = target.exists() and not target.is_file()
    if is_special:
        with _opened(target, file) as stream:
            yield stream
    else:
        with _unfinished(target, file) as stream:
            yield stream


def append_file(result: str | Page, file: Path) -> None:
    """Add a result to the end of ``file``. Raises `UserError`."""
    with _ErrorsOf(file), file.open("a", encoding="utf-8") as stream:
        stream.write(_plain(result))


@contextmanager
def _unfinished(target: Path, file: Path) -> Iterator[BinaryIO]:
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    with undone_by_signals(unfinished.unlink):
        try:
            with _opened(unfinished, file) as stream:
                yield stream
            with _ErrorsOf(file):
                if target.exists():
                    shutil.copymode(target, unfinished)
                unfinished.replace(target)
        finally:
            with _ErrorsOf(file):
                unfinished.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path, file: Path) -> Iterator[BinaryIO]:
    """Open ``path``, whose errors are those of ``file``."""
    with _ErrorsOf(file):
        stream = path.open("wb")
    try:
        yield cast("BinaryIO", _NamedStream(stream, file))
    finally:
        with _ErrorsOf(file):
            stream.close()


class _NamedStream:
    """An open file whose errors name the file of the user."""

    def __init__(self, stream: BinaryIO, file: Path) -> None:
        self._stream = stream
        self._file = file

    def write(self, content: bytes) -> int:
        with _ErrorsOf(self._file):
            return self._stream.write(content)

    def flush(self) -> None:
        with _ErrorsOf(self._file):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _ErrorsOf(AbstractContextManager[None, None]):
    """Raises an `OSError` of the block as a `UserError` that names ``file``."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            raise UserError(f"cannot write {self._file}: {error.strerror}") from None
