"""`mbv2 lock`."""

from __future__ import annotations

from mbv2cli.cli.files import write_file
from mbv2cli.cli.imports import start_torch
from mbv2cli.cli.options import ConfigFile, Quiet
from mbv2cli.cli.output import write_stdout
from mbv2cli.cli.progress import counted_progress
from mbv2cli.errors import UserError
from mbv2cli.gate.cases import (
    Case,
    CaseResult,
    confirmed_result,
    planned_result,
    refuse_modules_without_forward,
)
from mbv2cli.gate.config import find_config, read_config
from mbv2cli.gate.lock import lock_text
from mbv2cli.shown import shown
from mbv2cli.specs.files import working_folder

HELP = """\
From then on, mbv2 check fails if a figure differs from the lock by more than the tolerance in \
the configuration. Read the diff of the lock before you commit it. Loads torch only if a case is a \
module of your own.

  mbv2 lock && git diff mbv2.lock
"""


def lock(*, config_file: ConfigFile = None, quiet: Quiet = False) -> None:
    config = read_config(config_file or find_config(working_folder()))
    if not config.forward:
        refuse_modules_without_forward(config.cases, "forward = false")
    results = [_result(case) for case in counted_progress(config.cases, "Locking")]
    write_file(lock_text(results), config.lock)
    if not quiet:
        count = len(results)
        name = shown(config.lock.name)
        write_stdout(f"wrote {name}: {count:,} case{'s' if count != 1 else ''}\n")


def _result(case: Case) -> CaseResult:
    """Return what is locked of a case. Loads torch for a module alone.

    Raises `UserError` if the module does not run.
    """
    if not case.is_module:
        return planned_result(case)
    start_torch()
    result = confirmed_result(case)
    if result.failure:
        raise UserError(f"{case.place}: {result.failure}")
    return result
