"""Ctrl-C and the signals that end a process, at every stage of a command."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.process import ENVIRONMENT, main_with

ENDED_BY_CTRL_C = {130, -signal.SIGINT}
SWEEP = ("sweep", "--in", "4,8", "--out", "8", "--expand", "2,4")


def at_import_of(module: str, number: int = signal.SIGINT) -> str:
    """Return the code that sends a signal when a module is about to be imported."""
    return (
        "import signal\n"
        "class Presses:\n"
        "    def find_spec(name, *rest):\n"
        f"        if name == {module!r}: signal.raise_signal({number})\n"
        "sys.meta_path.insert(0, Presses)"
    )


@pytest.mark.parametrize(
    "module",
    [
        *("mbv2cli.cli", "mbv2cli.cli.signals", "mbv2cli.cli.run", "typer", "pydantic_core"),
        *("mbv2cli.report.summary.table", "torch", "torch._C", "torch.functional", "torchsummary"),
        *("numpy", "numpy.exceptions", "mbv2cli.nn.forward"),
    ],
)
def test_ctrl_c_during_an_import_ends_mbv2_in_silence(module: str) -> None:
    result = main_with(at_import_of(module))
    assert result.code in ENDED_BY_CTRL_C
    assert (result.stdout, result.stderr) == ("", "")


def test_ctrl_c_during_the_forward_pass_ends_mbv2_in_silence() -> None:
    result = main_with(
        "import signal, mbv2cli.nn.forward as forward\n"
        "forward.observe = lambda *_: signal.raise_signal(signal.SIGINT)"
    )
    assert result.code in ENDED_BY_CTRL_C
    assert (result.stdout, result.stderr) == ("", "")


def test_ctrl_c_at_the_end_of_the_process_leaves_the_result_whole() -> None:
    at_exit = "import atexit, signal; atexit.register(signal.raise_signal, signal.SIGINT)"
    whole = main_with("", "presets")
    result = main_with(at_exit, "presets")
    assert result.code in ENDED_BY_CTRL_C
    assert (result.stdout, result.stderr) == (whole.stdout, "")


def test_ctrl_c_in_a_destructor_is_not_lost() -> None:
    result = main_with(
        "import signal, mbv2cli.cli.presets as presets\n"
        "class Presses:\n"
        "    def __del__(self): signal.raise_signal(signal.SIGINT)\n"
        "presets.renderer = lambda *_: Presses() and None",
        "presets",
    )
    assert (result.code in ENDED_BY_CTRL_C, result.stdout, result.stderr) == (True, "", "")


def test_a_process_that_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    ignored = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    result = main_with(ignored + at_import_of("mbv2cli.cli.presets"), "presets")
    assert (result.code, result.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_another_signal_is_the_death_of_the_process(number: int) -> None:
    assert main_with(at_import_of("typer", number)) == (-number, "", "")


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ("search.run.search_task", signal.SIGTERM),
        ("search.run.search_task", signal.SIGHUP),
        ("cli.sweep_run.verify", signal.SIGINT),
        ("cli.sweep_run.verify", signal.SIGTERM),
    ],
)
def test_a_signal_removes_the_unfinished_file(place: str, number: int, tmp_path: Path) -> None:
    module, _, name = place.rpartition(".")
    members = tmp_path / "members.csv"
    members.write_text("old\n")
    result = main_with(
        f"import signal, mbv2cli.cli.sweep_run, mbv2cli.{module} as module\n"
        f"def {name}(*_): signal.raise_signal({number})\n"
        f"module.{name} = {name}",
        *SWEEP,
        *("--output", str(members), "--verify", "1"),
    )
    assert result == (130 if number == signal.SIGINT else -number, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["members.csv"]
    assert members.read_text() == "old\n"


def test_ctrl_c_at_random_moments_shows_no_traceback_of_mbv2() -> None:
    moments = random.Random(16)  # noqa: S311  (moments, not secrets)
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-m", "mbv2cli", "summary", "--no-forward"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        ) as process:
            time.sleep(moments.uniform(0, 0.25))
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=10)
        is_start_of_python = b"<frozen" in stderr and b"mbv2cli/cli" not in stderr
        assert stderr == b"" or is_start_of_python
        assert process.returncode in {0, *ENDED_BY_CTRL_C} or is_start_of_python
