"""A folder that exists as long as a command needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from mbv2cli.cli.signals import undone_by_signals


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield an empty folder, which is removed at the end, also where a signal ends the process."""
    folder = Path(mkdtemp(prefix="mbv2-"))
    try:
        with undone_by_signals(lambda: rmtree(folder, ignore_errors=True)):
            yield folder
    finally:
        rmtree(folder, ignore_errors=True)
