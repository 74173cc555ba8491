"""The files that a command reads. No output may replace one of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def inputs() -> dict[Path, None]:
    """Return the files that were read, or looked for, in this order; add a file to note it."""
    return {}


def read_input(path: Path) -> bytes:
    """Return the content of a file, and note the file as an input. Raises `OSError`."""
    inputs()[path] = None
    return path.read_bytes()
