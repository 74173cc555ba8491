"""What only a real process shows: imports, pipes, signals, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import main_with, mbv2, mbv2_here, python
from tests.specs.weights.files import small_files

LOADED = "import json, sys; print(json.dumps(sorted(sys.modules)))"


@pytest.mark.parametrize(
    "line",
    [
        *("--version", "summary --help", "summary --no-forward", "sumary", "summary --in 0"),
        *("counts --format csv", "memory nework", "cliffs block", "presets --format yaml"),
        *("sweep --in 4 --sort mac", "check --max-params 1k --no-forward", "check", "lock"),
        "compare network",
    ],
)
def test_a_process_returns_what_a_run_here_returns(line: str, tmp_path: Path) -> None:
    assert mbv2(*line.split(), cwd=tmp_path) == mbv2_here(*line.split(), cwd=tmp_path)


def modules_after(code: str) -> set[str]:
    result = python("-c", f"{code}\n{LOADED}")
    assert result.stderr == ""
    return set(json.loads(result.stdout.splitlines()[-1]))


def modules_of_commands(*commands: tuple[str, ...]) -> set[str]:
    """Return what commands load that run in one process, one after the other."""
    return modules_after(
        "import sys\n"
        "from mbv2cli.__main__ import main\n"
        f"for arguments in {commands!r}:\n"
        "    sys.argv = ['mbv2', *arguments]\n"
        "    try: main()\n"
        "    except SystemExit as end: assert end.code == 0, (arguments, end.code)\n"
    )


def test_the_package_alone_is_light() -> None:
    assert not modules_after("import mbv2cli") & {"torch", "numpy", "rich", "pydantic", "typer"}


WITHOUT_FORWARD = (
    ("--help",),
    ("--version",),
    ("summary", "--help"),
    ("summary", "--no-forward"),
    ("summary", "network", "--no-forward", "--format", "json"),
    ("summary", "network", "--no-forward", "--format", "torchsummary"),
    ("help", "memory"),
    ("summary", "network", "--no-forward", "--print", "macs"),
    ("summary", "network", "--no-forward", "--by", "stage"),
    ("summary", "network", "--no-forward", "--convention", "fvcore", "--format", "csv"),
    ("counts", "network"),
    ("explain",),
    ("explain", "network"),
    ("memory", "network"),
    ("memory", "network", "--format", "json"),
    ("memory", "network", "--arena"),
    ("memory", "network", "--patches", "4x4"),
    ("cliffs", "network"),
    ("presets",),
    ("boards",),
    ("fit", "--board", "max78000", "--size", "64", "--expand", "6"),
    ("counts", "mobilenetv2_110d", "--format", "json"),
)


def test_nothing_without_a_forward_pass_loads_torch() -> None:
    loaded = modules_of_commands(*WITHOUT_FORWARD)
    assert not loaded & {"torch", "torchsummary", "numpy", "psutil"}


def test_a_checkpoint_loads_no_torch(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(small_files()["zip"])
    loaded = modules_of_commands(
        ("summary", str(path), "--no-forward"),
        ("identify", str(path)),
        ("identify", str(path), "--format", "json"),
    )
    assert not loaded & {"torch", "torchsummary", "numpy", "psutil", "h5py"}


def test_the_list_of_commands_loads_no_command() -> None:
    loaded = modules_of_commands(("--help",), ("--version",))
    assert not loaded & {"mbv2cli.cli.summary", "mbv2cli.specs"}


def test_what_is_piped_does_not_load_rich() -> None:
    loaded = modules_of_commands(
        ("summary", "--no-forward"),
        ("summary", "--no-forward", "--by", "stage"),
        ("summary", "--no-forward", "--format", "json"),
        ("counts", "network"),
        ("--help",),
        ("summary", "--help"),
    )
    assert "rich" not in loaded


def test_a_closed_pipe_is_silent() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "mbv2cli", "summary", "network", "--no-forward"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def raising(what: str) -> str:
    return (
        "import mbv2cli.cli.summary as summary\n"
        f"def fail(): raise {what}\n"
        "summary.start_torch = fail"
    )


def test_ctrl_c_exits_130() -> None:
    result = main_with(raising("KeyboardInterrupt"))
    assert result == (130, "", "")


def test_ctrl_c_while_importing_exits_130() -> None:
    result = main_with(
        "import builtins; imports = builtins.__import__\n"
        "def fail(name, *rest):\n"
        "    if name == 'mbv2cli.cli.run': raise KeyboardInterrupt\n"
        "    return imports(name, *rest)\n"
        "builtins.__import__ = fail"
    )
    assert result == (130, "", "")


def test_a_bug_exits_3_in_one_sentence() -> None:
    result = main_with(raising("RuntimeError('odd')"))
    assert (result.code, result.stdout) == (3, "")
    assert result.stderr == (
        "mbv2: a bug in mbv2, please report it: RuntimeError: odd (MBV2_DEBUG=1 shows where)\n"
    )


def test_a_bug_shows_its_traceback_when_asked() -> None:
    result = main_with(raising("RuntimeError('odd')"), MBV2_DEBUG="1")
    assert result.code not in {0, 2}
    assert "Traceback" in result.stderr


def test_a_disagreement_exits_3_and_names_the_layer() -> None:
    result = main_with(
        "from mbv2cli.graph import ops\n"
        "right = ops.norm_params\n"
        "ops.norm_params = lambda channels: right(channels) + 1"
    )
    assert (result.code, result.stdout) == (3, "")
    assert result.stderr == (
        "mbv2: a bug in mbv2, please report it: plan and forward pass disagree on the "
        "params of BatchNorm2d conv.0.1: planned 37, observed 36\n"
    )


@pytest.mark.parametrize(
    "words", [("x",), ("summary", "x"), ("check", "-q"), ("summary", "--in=4")]
)
def test_a_line_of_too_many_words_is_refused_at_once(words: tuple[str, ...]) -> None:
    result = mbv2_here(*words, *words[-1:] * 100_000)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("mbv2: the command line has 100,0")


@pytest.mark.parametrize("word", ["\udcff", "--\udcff", "-\udcff", "--format=\udcff"])
@pytest.mark.parametrize("command", [(), ("summary",), ("check",), ("presets",)])
def test_a_word_that_is_not_utf_8_is_an_error(command: tuple[str, ...], word: str) -> None:
    result = mbv2_here(*command, word)
    assert (result.code, result.stdout, result.stderr.count("\n")) == (2, "", 1)


def test_no_word_at_all_shows_the_help() -> None:
    assert main_with("sys.argv.clear()") == mbv2_here()


def test_completion_knows_the_choices() -> None:
    result = mbv2(
        _MBV2_COMPLETE="complete_bash", COMP_WORDS="mbv2 summary --format j", COMP_CWORD="3"
    )
    assert result.stdout.split() == ["json"]


def test_github_actions_gets_no_colour_codes() -> None:
    assert "\x1b" not in mbv2("summary", "--help", GITHUB_ACTIONS="true").stdout


def test_an_ascii_terminal_gets_no_error() -> None:
    result = mbv2("summary", "network", "--no-forward", PYTHONIOENCODING="ascii")
    assert (result.code, result.stderr) == (0, "")
