"""Standard streams that are full, closed, or read by nobody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import ENVIRONMENT, Result

FULL = "mbv2: cannot write to standard output: No space left on device\n"
CLOSED = "mbv2: cannot write to standard output: Bad file descriptor\n"
WRONG = "mbv2: --format must be one of table, json, not 'yaml'\n"


def in_shell(line: str, cwd: Path | None = None, **environment: str) -> Result:
    """Run a line of the shell, in which ``mbv2`` is ours."""
    done = subprocess.run(
        ["sh", "-c", f'mbv2() {{ "{sys.executable}" -m mbv2cli "$@"; }}; {line}'],  # noqa: S607
        env={**ENVIRONMENT, **environment},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("line", "code", "stderr"),
    [
        ("mbv2 --help > /dev/full", 2, FULL),
        ("mbv2 --version > /dev/full", 2, FULL),
        ("mbv2 summary network --no-forward --format json > /dev/full", 2, FULL),
        ("mbv2 presets > /dev/full 2>&1", 2, ""),
        ("mbv2 --version >&-", 2, CLOSED),
        ("mbv2 --version >&- 2>&-", 2, ""),
        ("mbv2 --version <&- >&- 2>&-", 2, ""),
        ("mbv2 presets --format yaml 2> /dev/full", 2, ""),
        ("mbv2 presets --format yaml 2>&-", 2, ""),
        ("mbv2 presets --format yaml > /dev/full", 2, WRONG),
        ("mbv2 check --max-params 1 --no-forward --quiet >&-", 1, ""),
        ("mbv2 check --max-params 1 --no-forward --quiet > /dev/full 2>&1", 1, ""),
        ("_MBV2_COMPLETE=complete_bash COMP_WORDS='mbv2 s' COMP_CWORD=1 mbv2 > /dev/full", 2, FULL),
    ],
)
def test_a_result_that_cannot_be_written_is_an_error(line: str, code: int, stderr: str) -> None:
    assert in_shell(line) == (code, "", stderr)


@pytest.mark.parametrize("stderr", ["2> /dev/full", "2>&-"])
def test_a_result_needs_no_standard_error(stderr: str) -> None:
    result = in_shell(f"mbv2 --version {stderr}")
    assert (result.code, result.stdout[:5], result.stderr) == (0, "mbv2 ", "")


def test_a_file_does_not_get_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    line = "mbv2 summary --no-forward --output a.json <&- >&- 2>&-"
    assert in_shell(line, tmp_path) == (0, "", "")
    assert (tmp_path / "a.json").read_text().startswith("{")


def test_a_reader_that_ends_early_is_no_error() -> None:
    line = "mbv2 summary network --no-forward | true; mbv2 presets 2>&1 | head -1"
    assert in_shell(f"set -e; {line}").code == 0


def test_an_unknown_shell_is_wrong_usage() -> None:
    result = in_shell("mbv2 --show-completion", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert result.code == 2
