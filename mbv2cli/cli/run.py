"""Runs the command line. Every error becomes an exit code and one sentence."""

from __future__ import annotations

import os
import sys
import warnings
from io import TextIOWrapper

import typer

from mbv2cli.cli import ExitCode
from mbv2cli.cli.app import app
from mbv2cli.errors import DisagreementError, MistakesError, UserError
from mbv2cli.shown import shown


def run() -> int:
    """Run the command of ``sys.argv`` and return its exit code.

    With ``MBV2_DEBUG=1`` in the environment, an error shows its traceback.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a ? is better than no table at all
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    if os.environ.get("MBV2_DEBUG"):
        return _run_app()
    try:
        return _run_app()
    except Exception as error:  # noqa: BLE001  (no traceback ever reaches a user)
        code, *sentences = _explained(error)
        for sentence in sentences:
            print(f"mbv2: {shown(sentence)}", file=sys.stderr)  # noqa: T201
        return code


def _explained(error: Exception) -> tuple[ExitCode, *tuple[str, ...]]:
    match error:
        case MistakesError():
            return ExitCode.WRONG_USAGE, *error.mistakes
        case UserError():
            return ExitCode.WRONG_USAGE, str(error)
        case typer.TyperException():
            from mbv2cli.cli.mistakes import explained

            return ExitCode.WRONG_USAGE, explained(error, sys.argv[1:])
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
