"""Runs the command line. Every error becomes an exit code and one sentence."""

from __future__ import annotations

import os
import sys
import warnings
from io import TextIOWrapper
from typing import Any

import typer

from mbv2cli.cli import ExitCode
from mbv2cli.cli.app import app
from mbv2cli.errors import DisagreementError, MistakesError, Notice, UserError


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
    except Exception as error:  # noqa: BLE001  (no traceback ever reaches a user)
        code, *sentences = _explained(error)
        for sentence in sentences:
            print(f"mbv2: {' '.join(sentence.split())}", file=sys.stderr)  # noqa: T201
        return code


def _show_notices() -> None:
    """Write each `Notice` to standard error, as one sentence."""
    show_other = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **rest: Any) -> None:
        if issubclass(category, Notice):
            print(f"mbv2: {' '.join(str(message).split())}", file=sys.stderr)  # noqa: T201
        else:
            show_other(message, category, *place, **rest)

    warnings.filterwarnings("always", category=Notice)
    warnings.showwarning = show


def _explained(error: Exception) -> tuple[ExitCode, *tuple[str, ...]]:
    match error:
        case MistakesError():
            return ExitCode.WRONG_USAGE, *error.mistakes
        case UserError():
            return ExitCode.WRONG_USAGE, str(error)
        case typer.TyperException():
            from mbv2cli.cli.mistakes import explained

            return ExitCode.WRONG_USAGE, explained(error, sys.argv[1:])
        case MemoryError():
            return ExitCode.WRONG_USAGE, "there is too little memory; allow more, or ask for less"
        case DisagreementError():
            return ExitCode.BUG, f"a bug in mbv2, please report it: {error}"
        case _:
            return ExitCode.BUG, (
                f"a bug in mbv2, please report it: {type(error).__name__}: {error} "
                "(MBV2_DEBUG=1 shows where)"
            )


def _run_app() -> int:
    code: int | None = app(prog_name="mbv2", standalone_mode=False)
    return code or ExitCode.DONE
