"""Runs the command line. Every error becomes an exit code and one sentence."""

from __future__ import annotations

import os
import sys
import warnings
from io import TextIOWrapper
from typing import Any, Final

from mbv2cli.cli import ExitCode
from mbv2cli.cli.imports import fast_imports
from mbv2cli.cli.streams import warn
from mbv2cli.errors import DisagreementError, MistakesError, Notice, UserError

MOST_WORDS: Final = 10_000
"""Words of a command line. Typer needs seconds for more."""


def run() -> int:
    """Run the command of ``sys.argv`` and return its exit code.

    With ``MBV2_DEBUG=1`` in the environment, an error shows its traceback.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a ? is better than no table at all
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    _show_notices()
    if os.environ.get("MBV2_DEBUG"):
        return _run_app()
    try:
        return _run_app()
    except (Exception, SystemExit) as error:  # noqa: BLE001  (no traceback ever reaches a user)
        code, *sentences = _explained(error)
        for sentence in sentences:
            warn(sentence)
        return code


def _show_notices() -> None:
    """Write each `Notice` to standard error, as one sentence."""
    show_other = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **rest: Any) -> None:
        if issubclass(category, Notice):
            warn(str(message))
        else:
            show_other(message, category, *place, **rest)

    warnings.filterwarnings("always", category=Notice)
    warnings.showwarning = show


def _explained(error: Exception | SystemExit) -> tuple[ExitCode, *tuple[str, ...]]:
    if isinstance(error, MistakesError):
        return ExitCode.WRONG_USAGE, *error.mistakes
    if sentence := _mistake(error):
        return ExitCode.WRONG_USAGE, sentence
    if isinstance(error, SystemExit):
        raise error
    if isinstance(error, DisagreementError):
        return ExitCode.BUG, f"a bug in mbv2, please report it: {error}"
    return ExitCode.BUG, (
        f"a bug in mbv2, please report it: {type(error).__name__}: {error} "
        "(MBV2_DEBUG=1 shows where)"
    )


def _mistake(error: Exception | SystemExit) -> str | None:
    """Return what the user or the environment did wrong, or None if ``error`` is a bug in mbv2."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError):
        return "there is too little memory; allow more, or ask for less"
    from mbv2cli.cli.packages import outdated_package, unusable_package

    if isinstance(error, SystemExit):
        return unusable_package(error)
    return unusable_package(error) or outdated_package() or _refusal(error)


def _refusal(error: Exception) -> str | None:
    """Return what the system does not do: it has no space, no permission, no free descriptor."""
    if not isinstance(error, OSError) or error.strerror is None:
        return None
    file = f": {error.filename}" if error.filename is not None else ""
    return f"the system cannot do this: {error.strerror}{file}"


def _run_app() -> int:
    if len(sys.argv) > MOST_WORDS:
        raise UserError(
            f"the command line has {len(sys.argv):,} words, more than {MOST_WORDS:,}; "
            "write what varies into a file, and give --config FILE or --space FILE"
        )
    with fast_imports():
        from mbv2cli.cli.app import app
    import typer  # after app, which chooses how Typer starts

    try:
        code: int | None = app(prog_name="mbv2", standalone_mode=False)
    except typer.TyperException as error:
        from mbv2cli.cli.mistakes import explained

        raise UserError(explained(error, sys.argv[1:])) from error
    if code == 1 and not isinstance(code, ExitCode):
        return ExitCode.WRONG_USAGE  # Typer's own 1, such as for an unknown shell
    return code or ExitCode.DONE
