"""Writes results to standard output, or to a file: whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mbv2cli.errors import UserError


def write(text: str, file: Path | None) -> None:
    """Write ``text`` to ``file`` or, without one, to standard output. Raises `UserError`."""
    if file is None:
        write_stdout(text)
    else:
        write_file(text, file)


def write_stdout(text: str) -> None:
    """Write and flush. Raises `UserError` on a full disk; a closed pipe is no error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
    except OSError as error:
        raise UserError(f"cannot write to standard output: {error.strerror}") from None


def _abandon_stdout() -> None:
    """Put an open file where the pipe was, for the flush at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_file(text: str, file: Path) -> None:
    """Replace the content of ``file`` in one step. Raises `UserError`."""
    with replaced(file) as stream:
        stream.write(text.encode())


@contextmanager
def replaced(file: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces ``file`` at the end, unless an exception is raised before.

    A device or a pipe is written directly. Raises `UserError`.
    """
    try:
        target = file.resolve()
        if target.exists() and not target.is_file():
            with target.open("wb") as stream:
                yield stream
        else:
            with _unfinished(target) as stream:
                yield stream
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}") from None


def append_file(text: str, file: Path) -> None:
    """Add ``text`` to the end of ``file``. Raises `UserError`."""
    try:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}") from None


@contextmanager
def _unfinished(target: Path) -> Iterator[BinaryIO]:
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    try:
        with unfinished.open("wb") as stream:
            yield stream
        if target.exists():
            shutil.copymode(target, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
