"""The command line: parse, call, render, exit code. Nothing else."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    CHECK_FAILED = 1
    WRONG_USAGE = 2
    BUG = 3
    INTERRUPTED = 130
