"""Imports and a start that take less time."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from mbv2cli.cli.signals import die_of_ctrl_c

if TYPE_CHECKING:
    from pathlib import Path

_ALLOCATIONS: Final = 50_000
"""New objects after which the garbage collector runs; Python's own default is 700."""


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
    """Import numpy. Raises `UserError` for a variable that numpy refuses."""
    from mbv2cli.cli.environment import settings_of

    with settings_of("numpy", "NUMPY_", "NPY_"):
        import numpy  # noqa: F401, ICN001  (the import is what this is for)


def start_matplotlib(picture: Path, flag: str) -> None:
    """Import matplotlib to draw ``picture``, which ``flag`` names.

    Raises `UserError` for a name of another format, or for a variable that matplotlib refuses.
    """
    from mbv2cli.report.picture import refuse_undrawable

    with _settings_of_matplotlib():
        refuse_undrawable(picture, flag)


def start_matplotlib_if_there() -> None:
    """Import matplotlib where it is installed.

    Raises `UserError` for a variable that matplotlib refuses.
    """
    with suppress(ImportError), _settings_of_matplotlib():
        import matplotlib.figure  # noqa: F401  (the import is what this is for)


@contextmanager
def _settings_of_matplotlib() -> Iterator[None]:
    import logging

    from mbv2cli.cli.environment import settings_of

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # not of unwritable folders
    with settings_of("matplotlib", "MPL", "MATPLOTLIB"):
        yield


def start_torch() -> None:
    """Import the room that needs torch. Ctrl-C kills the process from now on.

    Raises `UserError` if torch does not fit in memory, for a variable that torch refuses, and in a
    working directory that was removed, where the libraries of torch end the process.
    """
    from mbv2cli.cli.environment import forget_unusable, settings_of
    from mbv2cli.specs.files import working_folder

    working_folder()
    forget_unusable()
    die_of_ctrl_c()
    with fast_imports(), settings_of("torch", "TORCH", "PYTORCH"):
        from mbv2cli.nn.free_memory import refuse_below_torch

        if "torch" not in sys.modules:
            refuse_below_torch()
        import mbv2cli.nn.forward  # noqa: F401  (the import is what this is for)
