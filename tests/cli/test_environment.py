"""Environment variables of other libraries: no bug in mbv2, and no words of a library."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_bad_input import assert_one_sentence
from tests.process import mbv2, mbv2_at_terminal, mbv2_here

NONSENSE = {
    "COLUMNS": "abc",
    "LINES": "-1",
    "TERM": "nonsense",
    "LANG": "nonsense",
    "LC_ALL": "nonsense",
    "HOME": "",
    "TMPDIR": "/missing",
    "OMP_NUM_THREADS": "abc",
    "GITHUB_WORKSPACE": "/missing",
    "PYDANTIC_DISABLE_PLUGINS": "nonsense",
}


def test_nonsense_changes_nothing_where_no_library_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "mbv2.toml").write_text("[case.a]\nmax_params = '2k'\n")
    for arguments in (["summary", "--no-forward"], ["check", "--no-forward"], ["--help"]):
        good = mbv2_here(*arguments, cwd=tmp_path)
        assert mbv2(*arguments, cwd=tmp_path, **NONSENSE) == good


@pytest.mark.parametrize("columns", ["0", "99999999", "9" * 30])
def test_a_terminal_of_any_width_shows_a_table(columns: str) -> None:
    shown = mbv2_at_terminal("presets", columns=80, COLUMNS=columns)
    assert (shown.code, shown.stderr) == (0, "")
    assert "mobilenetv2_100" in shown.stdout
    for guide in (["--help"], ["help", "exit-codes"]):
        assert "mbv2" in mbv2_at_terminal(*guide, columns=80, COLUMNS=columns).stdout


def test_torch_prints_nothing_about_variables() -> None:
    done = mbv2(
        *("summary", "--size", "8", "--print", "macs"),
        cwd=None,
        **NONSENSE,
        TORCH_CPP_LOG_LEVEL="x",
        OMP_SCHEDULE="x",
        OMP_PLACES="x",
        OMP_STACKSIZE="x",
        OMP_DISPLAY_ENV="true",
    )
    assert (done.code, done.stderr) == (0, "")


@pytest.mark.parametrize("variable", ["TORCH_LOGS", "TORCH_LOGS_FORMAT", "PYTORCH_JIT"])
def test_a_variable_that_torch_refuses_is_named(variable: str) -> None:
    result = mbv2("summary", "--size", "8", cwd=None, **{variable: "nonsense"})
    assert_one_sentence(result, f"environment variable {variable}, which is 'nonsense'")


def test_a_variable_that_matplotlib_refuses_is_named(tmp_path: Path) -> None:
    line = ["sweep", "--in", "1,2", "--plot", "a.png"]
    result = mbv2(*line, cwd=tmp_path, MPLBACKEND="nonsense")
    assert_one_sentence(result, "environment variable MPLBACKEND, which is 'nonsense'")
    assert list(tmp_path.iterdir()) == []


def test_matplotlib_prints_nothing_about_folders(tmp_path: Path) -> None:
    line = ["sweep", "--in", "1,2", "--plot", "a.png"]
    done = mbv2(
        *line, cwd=tmp_path, MPLCONFIGDIR="/proc/x", MATPLOTLIBRC="/missing", HOME="/missing"
    )
    assert (done.code, done.stderr) == (0, "")
    assert (tmp_path / "a.png").exists()
