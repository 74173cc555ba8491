from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli.gate.cases import planned_result
from mbv2cli.gate.config import read_config
from mbv2cli.gate.limits import AmountVerdict
from mbv2cli.gate.starter import PRE_COMMIT, WORKFLOW, starter_config
from mbv2cli.specs.reader import Setting
from tests.cli.test_process import modules_of_commands
from tests.process import mbv2_here

ROOT = Path(__file__).parent.parent.parent


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_story_of_five_commands(tmp_path: Path) -> None:
    made = mbv2_here("init", "network:width_mult=0.5", "--github", cwd=tmp_path)
    assert (made.code, made.stderr) == (0, "")
    config_line, workflow_line, install_line, next_line = made.stdout.splitlines()
    assert config_line == "wrote mbv2.toml"
    assert workflow_line == "wrote .github/workflows/mbv2.yml"
    assert install_line.startswith("The workflow installs mbv2 from tools/mbv2: copy ")
    assert next_line == (
        "Run mbv2 check to check the limits, then mbv2 lock to record the figures."
    )
    checked = mbv2_here("check", "--no-forward", cwd=tmp_path)
    assert checked.code == 0
    assert "1 case: all passed" in checked.stdout
    assert "drift is not checked: there is no mbv2.lock; run mbv2 lock" in words(checked.stdout)
    assert mbv2_here("lock", cwd=tmp_path) == (0, "wrote mbv2.lock: 1 case\n", "")
    assert "drift" not in mbv2_here("check", "--no-forward", cwd=tmp_path).stdout
    config = tmp_path / "mbv2.toml"
    config.write_text(config.read_text("utf-8") + "dropout = 0\n", "utf-8")
    drifted = mbv2_here("check", "--no-forward", cwd=tmp_path)
    assert drifted.code == 1
    assert "changed: dropout 0.2 -> 0.0" in drifted.stdout
    (tmp_path / "mbv2.lock").unlink()
    assert "drift is not checked" in mbv2_here("check", "--no-forward", cwd=tmp_path).stdout


def test_the_configuration_says_what_each_line_is(tmp_path: Path) -> None:
    line = ("keras_035", "--size", "96x64", "--dtype", "int8", "--act", "silu", "-q")
    assert mbv2_here("init", *line, cwd=tmp_path) == (0, "", "")
    lines = (tmp_path / "mbv2.toml").read_text("utf-8").splitlines()
    assert lines[4:] == [
        "[case.keras_035]",
        'target = "keras_035"',
        'act = "silu"',
        'size = "96x64"',
        'dtype = "int8"',
        'output = "1x1000"  # * allows any size',
        'max_params = "1.85M"  # now 1,677,128',
        'max_macs = "9.23M"  # now 8,382,752',
        'max_peak = "99KiB"  # now 90.00 KiB (layerwise, int8)',
        'max_flash = "1820KiB"  # now 1,654.50 KiB',
    ]
    assert lines[:4] == [
        "# The models that mbv2 check checks. Written by mbv2 init.",
        "# Each limit is 10 % above the figure of the model: make it what you can afford.",
        "# mbv2 check -h explains the keys: max_params is --max-params, output is --expect.",
        "",
    ]
    assert max(map(len, lines)) <= 85


def test_a_file_of_its_own_is_a_target(tmp_path: Path) -> None:
    (tmp_path / "my net.toml").write_text("classes = 3\n")
    assert mbv2_here("init", "my net.toml:width_mult=0.5", cwd=tmp_path).code == 0
    content = tomllib.loads((tmp_path / "mbv2.toml").read_text("utf-8"))
    assert content["case"]["my net"]["output"] == "1x3"
    assert mbv2_here("check", "--no-forward", cwd=tmp_path).code == 0


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 64))
def test_the_limits_are_a_tenth_above_and_hold(
    tmp_path_factory: pytest.TempPathFactory, channels: int, out: int, size: int
) -> None:
    settings = [
        Setting("in", str(channels), "--in"),
        Setting("out", str(out), "--out"),
        Setting("size", str(size), "--size"),
    ]
    path = tmp_path_factory.mktemp("init") / "mbv2.toml"
    path.write_text(starter_config("block", settings), "utf-8")
    (case,) = read_config(path).cases
    result = planned_result(case)
    assert result.holds
    for verdict in result.verdicts:
        if isinstance(verdict, AmountVerdict):
            assert 11 * verdict.actual <= 10 * verdict.limit <= 11.28 * verdict.actual + 10


@pytest.mark.parametrize(
    "existing", ["mbv2.toml", ".github/workflows/mbv2.yml", ".pre-commit-config.yaml"]
)
def test_no_file_is_written_over_and_nothing_is_written_then(tmp_path: Path, existing: str) -> None:
    file = tmp_path / existing
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    result = mbv2_here("init", "--github", "--pre-commit", cwd=tmp_path)
    assert (result.code, result.stdout) == (2, "")
    assert f"these files exist: {existing}; move them away" in result.stderr
    assert sorted(tmp_path.rglob("*")) == before
    assert file.read_text() == "mine"


def test_cases_in_pyproject_are_not_hidden(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.mbv2.case.a]\nmax_params = '2k'\n")
    result = mbv2_here("init", cwd=tmp_path)
    assert (result.code, result.stdout) == (2, "")
    assert "pyproject.toml has the cases of this folder" in result.stderr
    assert not (tmp_path / "mbv2.toml").exists()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("nework", "there is no target 'nework'"),
        ("block --width-mult 0.5", "--width-mult belongs to a network, not to a block"),
        ("block --dtype int9", "--dtype must be one of"),
    ],
)
def test_a_mistake_writes_nothing(tmp_path: Path, line: str, sentence: str) -> None:
    result = mbv2_here("init", *line.split(), "--github", cwd=tmp_path)
    assert (result.code, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_workflow_checks_without_a_build_for_gpus() -> None:
    workflow = yaml.safe_load(WORKFLOW)
    assert workflow[True] == ["push", "pull_request"]  # YAML reads `on` as true
    commands = [step["run"] for step in workflow["jobs"]["check"]["steps"] if "run" in step]
    assert commands[0].endswith("--index-url https://download.pytorch.org/whl/cpu")
    assert commands[-1] == "mbv2 check --no-forward"


def test_the_hook_is_that_of_this_repository_with_the_mbv2_that_is_installed() -> None:
    (ours,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    ((hook,),) = (repository["hooks"] for repository in yaml.safe_load(PRE_COMMIT)["repos"])
    assert hook["language"] == "system"
    for key in ("id", "name", "entry", "files", "pass_filenames"):
        assert hook[key] == ours[key]


def test_it_loads_no_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not modules_of_commands(("init", "network")) & {"torch", "torchsummary", "numpy"}
