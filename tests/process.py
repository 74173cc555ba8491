"""Runs mbv2 as users do: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

PLAIN = {"NO_COLOR", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "COLUMNS", "MBV2_DEBUG"}
ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if key not in PLAIN},
    "CUDA_VISIBLE_DEVICES": "",  # the same device on every machine
}


class Result(NamedTuple):
    """All that a caller sees of a process."""

    code: int
    stdout: str
    stderr: str


def python(*arguments: str, cwd: Path | None = None, **environment: str) -> Result:
    """Run the interpreter of the tests."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def mbv2(*arguments: str, cwd: Path | None = None, **environment: str) -> Result:
    """Run ``mbv2 ARGUMENTS``."""
    return python("-m", "mbv2cli", *arguments, cwd=cwd, **environment)
