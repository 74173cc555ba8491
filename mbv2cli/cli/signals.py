"""How Ctrl-C and the signals that end a process end mbv2."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

from mbv2cli.cli import ExitCode

_ENDING: Final = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)  # Windows has no SIGHUP
]
_undos: Final[list[Callable[[], object]]] = []


def end_at_ctrl_c() -> None:
    """Let Ctrl-C end this process with exit code 130 at once, whatever runs.

    Python would raise `KeyboardInterrupt`, which is lost where it is raised in a destructor, a
    callback or a module of C that is being imported. A process that ignores Ctrl-C goes on
    ignoring it.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def die_of_ctrl_c() -> None:
    """Let Ctrl-C kill this process from now on, if `end_at_ctrl_c` was called before.

    Torch runs for seconds without a step of Python, and no handler of Python's is called there.
    """
    if signal.getsignal(signal.SIGINT) is _end and not _undos:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def undone_by_signals(undo: Callable[[], object]) -> Iterator[None]:
    """Call ``undo`` before Ctrl-C or another signal ends this process during the block."""
    usual = {number: signal.getsignal(number) for number in _ENDING}
    killing = [number for number in _ENDING if usual[number] == signal.SIG_DFL]
    _undos.append(undo)
    for number in killing:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in killing:
            signal.signal(number, usual[number])
        _undos.remove(undo)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """End this process without a step of Python's own end, which a second signal could disturb."""
    for undo in _undos:
        try:
            undo()
        except OSError:
            continue
    if number != signal.SIGINT:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    os._exit(ExitCode.INTERRUPTED)
