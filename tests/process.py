"""Runs mbv2 as users do: in a process of its own, or here where the process is no matter."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from mbv2cli.cli import app
from mbv2cli.cli.app import imported

PLAIN = {
    "PYTHONDONTWRITEBYTECODE",
    "NO_COLOR",
    "FORCE_COLOR",
    "PY_COLORS",
    "GITHUB_ACTIONS",
    "COLUMNS",
    "MBV2_DEBUG",
}
ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if key not in PLAIN},
    "CUDA_VISIBLE_DEVICES": "",  # the same device on every machine
    "OMP_NUM_THREADS": "1",  # threads of several processes wait for each other's cores
}
"""That of users, whose mbv2 is compiled: without bytecode a process takes up to 0.2 s longer."""

_NO_TERMINAL = {"_TYPER_FORCE_DISABLE_TERMINAL": "1"}
"""What mbv2 sets when it is imported, and only then."""


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
    """Run ``mbv2 ARGUMENTS`` in a process of its own."""
    return python("-m", "mbv2cli", *arguments, cwd=cwd, **environment)


def main_with(patch: str, *arguments: str, **environment: str) -> Result:
    """Run mbv2, ``mbv2 summary`` by default, where ``patch`` has been run first."""
    code = (
        f"import sys; sys.argv = ['mbv2', *{arguments or ('summary',)!r}]\n{patch}\n"
        "from mbv2cli.__main__ import main\nmain()"
    )
    return python("-c", code, cwd=None, **environment)


def mbv2_here(*arguments: str, cwd: Path | None = None, **environment: str) -> Result:
    """Run ``mbv2 ARGUMENTS`` in this process, which starts nothing; return what `mbv2` returns.

    Not for what only a process has: loaded modules, signals, pipes, terminals, closed streams.
    """
    return _run_here(_Stream("strict"), _errors(), arguments, cwd, environment)


def mbv2_shown(*arguments: str, cwd: Path | None = None) -> tuple[int, str]:
    """Run ``mbv2 ARGUMENTS`` in this process; return its status and both streams, mixed."""
    both = _Stream("backslashreplace")
    result = _run_here(both, both, arguments, cwd, {})
    return result.code, result.stdout


def mbv2_at_terminal(
    *arguments: str, columns: int, cwd: Path | None = None, **environment: str
) -> Result:
    """Run ``mbv2 ARGUMENTS`` in this process, as on a terminal of this width."""
    terminal = {"TERM": "xterm-256color", "COLUMNS": str(columns), **environment}
    return _run_here(_Terminal("strict"), _errors(), arguments, cwd, terminal)


def _run_here(
    stdout: _Stream,
    stderr: _Stream,
    arguments: Sequence[str],
    cwd: Path | None,
    environment: Mapping[str, str],
) -> Result:
    with (
        patch.dict(os.environ, {**ENVIRONMENT, **_NO_TERMINAL, **environment}, clear=True),
        patch.object(sys, "argv", ["mbv2", *arguments]),
        patch.object(sys, "warnoptions", []),
        patch.object(app, "imported", _command),
        contextlib.chdir(cwd or Path.cwd()),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        as_in_a_fresh_process(),
    ):
        from mbv2cli.__main__ import main

        try:
            main()
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    return Result(int(code), _text(stdout), _text(stderr))


class _Stream(io.TextIOWrapper):
    """What Python makes of a pipe when it starts."""

    def __init__(self, errors: str) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors=errors)


def _errors() -> _Stream:
    return _Stream("backslashreplace")


class _Terminal(_Stream):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@cache
def _command(name: str) -> Any:
    """Return a command as Typer reads it from its function: no run changes a command."""
    return imported(name)


@cache
def _caching(name: str) -> list[Any]:
    """Return the functions of a module that remember results. A search takes longer than they."""
    module = sys.modules[name]
    return [
        one
        for one in vars(module).values()
        if hasattr(one, "cache_clear") and one.__module__ == name  # not those of these tests
    ]


@contextlib.contextmanager
def as_in_a_fresh_process() -> Iterator[None]:
    """Forget what mbv2 remembers of earlier runs; undo what it does to the interpreter."""
    for name in list(sys.modules):
        if name.startswith("mbv2cli."):
            for function in _caching(name):
                function.cache_clear()
    thresholds = gc.get_threshold()
    ctrl_c = signal.getsignal(signal.SIGINT)
    try:
        with warnings.catch_warnings():
            yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        signal.signal(signal.SIGINT, ctrl_c)
