"""What the user's code may change of the process, put back afterwards."""

from __future__ import annotations

import builtins
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final, NoReturn

import torch
from torch import nn

_OF_PYTHON: Final = ("stdin", "stdout", "stderr", "excepthook", "dont_write_bytecode")
"""Names in ``sys`` that a module may replace."""


class OsExit(SystemExit):
    """A call of ``os._exit``, which would end the process without a word."""


@contextmanager
def process_kept() -> Iterator[None]:
    """Put the process back after the block, whatever the block has changed.

    These are the working directory, the path, the environment, the standard streams, the handlers
    of signals, the filters of warnings, the limit of recursion. `OsExit` stands for ``os._exit``.
    """
    with ExitStack() as kept:
        kept.enter_context(_exits_told())
        kept.enter_context(_signals_kept())
        kept.enter_context(warnings.catch_warnings())
        kept.callback(os.chdir, os.getcwd())  # noqa: PTH109
        kept.callback(sys.setrecursionlimit, sys.getrecursionlimit())
        kept.callback(_set_environment, dict(os.environ))
        kept.callback(_set_path, list(sys.path))
        kept.callback(_open_stderr)
        for name in _OF_PYTHON:
            kept.callback(setattr, sys, name, getattr(sys, name))
        sys.dont_write_bytecode = True
        yield


@contextmanager
def _exits_told() -> Iterator[None]:
    """Raise `OsExit` where the block calls ``os._exit``; end a copy of the process that it makes.

    A copy that the block makes ends as it wants to.
    """
    process, ends = os.getpid(), os._exit

    def tell(status: int) -> NoReturn:
        if os.getpid() != process:
            ends(status)
        raise OsExit(status)

    names: Any = os
    names._exit = tell
    try:
        yield
    finally:
        names._exit = ends
        if os.getpid() != process:
            ends(0)


@contextmanager
def _signals_kept() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set a handler
        return
    handlers = {one: signal.getsignal(one) for one in signal.valid_signals()}
    rings = _seconds_to_alarm()
    try:
        yield
    finally:
        if not rings and _seconds_to_alarm():
            signal.setitimer(signal.ITIMER_REAL, 0)
        for one, handler in handlers.items():
            if handler is not None and signal.getsignal(one) is not handler:
                signal.signal(one, handler)


def _seconds_to_alarm() -> float:
    """Return the seconds until the process gets an alarm; 0 if there is none, or on Windows."""
    return signal.getitimer(signal.ITIMER_REAL)[0] if hasattr(signal, "getitimer") else 0.0


def _set_environment(names: dict[str, str]) -> None:
    if os.environ != names:
        os.environ.clear()
        os.environ.update(names)


def _open_stderr() -> None:
    """Open standard error again if it is closed, as by a module that closes what it prints to."""
    if sys.stderr is not None and sys.stderr.closed:
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115  (a descriptor)


def _set_path(entries: list[str]) -> None:
    sys.path[:] = entries


def _places() -> Sequence[Any]:
    """Return the modules and classes whose functions both the user's code and mbv2 call."""
    layers = [one for one in vars(nn).values() if isinstance(one, type)]
    modules = (builtins, torch, torch.random, nn, nn.functional, nn.init)
    return (*modules, torch.Tensor, *layers)


def _is_of_pytorch(function: object) -> bool:
    """Return whether PyTorch itself has defined a function."""
    where = getattr(function, "__globals__", {}).get("__name__", "")
    return str(where).partition(".")[0] == "torch"


@contextmanager
def names_kept() -> Iterator[list[str]]:
    """Put back the functions of Python and PyTorch that the block replaces, and global hooks.

    After the block, the list has the names of the functions. PyTorch's compiler, once imported,
    replaces some of them: these the list has not.
    """
    before = [(place, dict(vars(place))) for place in _places()]
    every = vars(nn.modules.module).items()
    hooks = [(one, dict(one)) for name, one in every if name.endswith("_hooks")]
    replaced: list[str] = []
    try:
        yield replaced
    finally:
        for place, names in before:
            for name, value in names.items():
                found = vars(place).get(name)
                if found is not value:
                    setattr(place, name, value)
                    if not _is_of_pytorch(found):
                        replaced.append(f"{place.__name__}.{name}")
        for one, kept in hooks:
            one.clear()
            one.update(kept)
