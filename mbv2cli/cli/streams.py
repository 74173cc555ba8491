"""Standard streams that are closed, full, or read by nobody."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from mbv2cli.cli import ExitCode
from mbv2cli.errors import UserError
from mbv2cli.shown import shown


def open_closed_streams() -> None:
    """Open the standard streams that the caller closed: standard output for an error.

    If their numbers stayed free, the next files that are opened would get them, and what a
    library prints would land there.
    """
    while (number := os.open(os.devnull, os.O_RDONLY)) <= 2:  # noqa: PLR2004  (standard error)
        pass
    os.close(number)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123


@contextmanager
def writing_stdout() -> Iterator[None]:
    """Raise `UserError` if standard output cannot be written. A closed pipe is no error."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon(sys.stdout)
    except OSError as error:
        _abandon(sys.stdout)
        raise UserError(f"cannot write to standard output: {error.strerror}") from None


def warn(sentence: str) -> None:
    """Write a sentence to standard error, or nothing where that is impossible."""
    try:
        print(f"mbv2: {shown(sentence)}", file=sys.stderr, flush=True)  # noqa: T201
    except OSError:
        _abandon(sys.stderr)


def flushed(code: int) -> int:
    """Flush the standard streams, so that Python's own end has nothing to report.

    Return ``code``, or the code of wrong usage if a result is lost.
    """
    _error_of_flush(sys.stderr)
    error = _error_of_flush(sys.stdout)
    is_lost = error is not None and not isinstance(error, BrokenPipeError)
    return code or (ExitCode.WRONG_USAGE if is_lost else ExitCode.DONE)


def _error_of_flush(stream: TextIO) -> OSError | None:
    try:
        stream.flush()
    except OSError as error:
        _abandon(stream)
        return error
    return None


def _abandon(stream: TextIO) -> None:
    """Discard what is written to ``stream`` from now on, and what waits to be written."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, stream.fileno())
    os.close(sink)
