"""Imports and a start that take less time."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mbv2cli.errors import UserError

_ALLOCATIONS: Final = 50_000
"""New objects after which the garbage collector runs; Python's own default is 700."""

_OF_NUMPY: Final = ("NUMPY_", "NPY_")
"""How the names of numpy's environment variables start."""


def collect_rarely() -> None:
    """Let the garbage collector run rarely: nearly all objects of a command live until its end."""
    gc.set_threshold(_ALLOCATIONS, *gc.get_threshold()[1:])


@contextmanager
def fast_imports() -> Iterator[None]:
    """Rest the garbage collector while modules are imported, a tenth to a fifth faster.

    What an import makes stays until the process ends, so the collector would find no garbage in
    it. It ignores these objects from then on.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def start_numpy() -> None:
    """Import numpy. Raises `UserError` if an environment variable stops it."""
    try:
        import numpy  # noqa: F401, ICN001  (the import is what this is for)
    except (ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())
        names = {key: value for key, value in os.environ.items() if key.startswith(_OF_NUMPY)}
        wrong = (key for key, value in names.items() if key in said or repr(value) in said)
        if not (variable := next(wrong, None)):
            raise
        raise UserError(
            f"numpy cannot start with {variable}={os.environ[variable]!r} ({said[:100]}); remove "
            f"this environment variable: unset {variable}"
        ) from None


def start_torch() -> None:
    """Import the room that needs torch."""
    with fast_imports():
        import mbv2cli.nn.forward  # noqa: F401  (the import is what this is for)
