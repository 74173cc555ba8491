"""Progress on standard error, if that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

Item = TypeVar("Item")


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Show a spinner while the block runs."""
    if not sys.stderr.isatty():
        yield
        return
    with _console().status(f"{what} …"):
        yield


@contextmanager
def rated_progress(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes the number of items just done. Show them, with a rate."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn(f"{what} …"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_console(), transient=True) as shown:
        task = shown.add_task(what, total=total, rate="")

        def advance(done: int) -> None:
            shown.advance(task, done)
            speed = shown.tasks[task].speed
            shown.update(task, rate=f"{speed / 1e6:.2f} M/s" if speed else "")

        yield advance


def counted_progress(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Yield ``items`` and show how many are done."""
    if len(items) == 1 or not sys.stderr.isatty():
        yield from items
        return
    from rich.progress import track

    yield from track(items, f"{what} …", console=_console(), transient=True)


def _console() -> Console:
    """Return a console that never hides the cursor: after a signal, nothing would show it again."""
    from rich.console import Console

    class _CursorShown(Console):
        def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002, FBT001  (rich's)
            return False

    return _CursorShown(stderr=True)
