"""Holds Ctrl-C back until a search looks for it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Final

_pressed: Final = Event()


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back until `raise_interrupt` is called or the block ends without an exception.

    Without this, Python raises `KeyboardInterrupt` wherever it happens to be. In a destructor or
    a callback, such as those of Dask, that exception is lost. A second Ctrl-C is not held back.
    """
    usual = signal.getsignal(signal.SIGINT)
    if not callable(usual):  # this process ignores Ctrl-C
        yield
        return

    def hold(number: int, _frame: FrameType | None) -> None:
        _pressed.set()
        signal.signal(number, usual)

    _pressed.clear()
    signal.signal(signal.SIGINT, hold)
    try:
        yield
        raise_interrupt()
    finally:
        signal.signal(signal.SIGINT, usual)


def raise_interrupt() -> None:
    """Raise `KeyboardInterrupt` if Ctrl-C was pressed and held back."""
    if _pressed.is_set():
        _pressed.clear()
        raise KeyboardInterrupt
