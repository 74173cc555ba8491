"""What a person sees while waiting."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


@contextmanager
def progress(words: str) -> Iterator[None]:
    """Show a spinner on standard error if that is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{words} …"):
        yield


def counted_progress(items: Sequence[Item], words: str) -> Iterator[Item]:
    """Yield ``items``; on a terminal show on standard error how many are done."""
    if len(items) == 1 or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, f"{words} …", console=Console(stderr=True), transient=True)
