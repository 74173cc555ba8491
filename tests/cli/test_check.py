from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from junitparser import JUnitXml
from markdown_it import MarkdownIt
from syrupy.assertion import SnapshotAssertion

from mbv2cli.gate.cases import planned_result
from mbv2cli.gate.config import read_config
from mbv2cli.gate.outcomes import outcomes_of_config
from mbv2cli.report.check.table import as_table
from mbv2cli.report.page import fitted
from tests.cli.test_process import modules_of_commands
from tests.process import ENVIRONMENT, Result, main_with, mbv2_here, python

CONFIG = """
[case.stem]
expand = 6
output = "1x64x224x224"
max_params = "2k"
max_macs = "60M"

[case.edge]
target = "network"
dtype = "int8"
width_mult = [0.35, 0.5]
size = [96, "160x224"]
max_peak = "300KiB"
max_flash = "2MiB"
max_layers = 158
min_receptive_field = 400
features = {16 = "1x*x*x*"}
"""
LINE = ("--in", "3", "--out", "64", "--expand", "6", "--expect", "1x64x224x224")
BLOCK = (*LINE, "--max-params", "2k", "--max-macs", "400M", "--max-peak", "25MiB")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mbv2.toml").write_text(CONFIG)
    return tmp_path


def test_limits_as_flags(snapshot: SnapshotAssertion) -> None:
    assert mbv2_here("check", *BLOCK) == snapshot
    assert mbv2_here("check", "network", "--max-params", "3M", "--no-forward") == snapshot


@pytest.mark.parametrize("face", ["table", "json", "github", "junit", "markdown"])
def test_formats(folder: Path, face: str, snapshot: SnapshotAssertion) -> None:
    result = mbv2_here("check", "--no-forward", "--format", face, cwd=folder)
    assert (result.code, result.stderr) == (1, "")
    assert result.stdout == snapshot


def test_exit_codes(folder: Path) -> None:
    assert mbv2_here("check", "stem", cwd=folder).code == 1
    assert mbv2_here("check", "stem", "--exit-zero", cwd=folder).code == 0
    assert mbv2_here("check", "edge[width_mult=0.35,size=96]", "--no-forward", cwd=folder).code == 0
    assert mbv2_here("check", "-q", *BLOCK, "--no-forward") == (0, "", "")
    assert mbv2_here("check", "nothing", cwd=folder).code == 2


def test_a_forward_pass_that_disagrees_exits_3_and_reports_nothing(folder: Path) -> None:
    result = main_with(
        "from mbv2cli.graph import ops\n"
        "right = ops.norm_params\n"
        "ops.norm_params = lambda channels: right(channels) + 1",
        *("check", "stem", "--config", str(folder / "mbv2.toml")),
    )
    assert (result.code, result.stdout) == (3, "")
    assert "plan and forward pass disagree on the params of BatchNorm2d conv.0.1" in result.stderr


@pytest.mark.parametrize("command", ["check", "lock"])
def test_ctrl_c_exits_130(folder: Path, command: str) -> None:
    config = folder / "slow.toml"
    os.mkfifo(config)
    with (
        subprocess.Popen(
            [sys.executable, "-m", "mbv2cli", command, "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        ) as process,
        config.open("w"),
    ):  # opens once mbv2 reads the configuration
        process.send_signal(signal.SIGINT)
        assert process.communicate() == (b"", b"")
    assert process.returncode == 130
    assert not (folder / "mbv2.lock").exists()


def test_thirty_forward_passes_import_torch_once(tmp_path: Path) -> None:
    sizes = list(range(32, 62))
    (tmp_path / "mbv2.toml").write_text(f"[case.edge]\nsize = {sizes}\n")
    result = python(
        *("-X", "importtime", "-m", "mbv2cli", "check", "--config", str(tmp_path / "mbv2.toml"))
    )
    assert "\n30 cases: all passed (plan and forward pass agree)\n" in result.stdout
    imports = [line.rpartition("|")[2].strip() for line in result.stderr.splitlines()]
    assert imports.count("torch") == 1


def test_a_drift_from_the_lock_fails_and_is_accepted_by_locking(
    folder: Path, snapshot: SnapshotAssertion
) -> None:
    config = folder / "mbv2.toml"
    config.write_text("[case.stem]\nexpand = 6\n")
    assert mbv2_here("lock", cwd=folder) == (0, "wrote mbv2.lock: 1 case\n", "")
    assert mbv2_here("check", "--no-forward", cwd=folder).code == 0
    config.write_text("[case.stem]\nexpand = 4\n")
    for face in ("table", "json", "github", "junit", "markdown"):
        result = mbv2_here("check", "--no-forward", "--format", face, cwd=folder)
        assert (result.code, result.stderr) == (1, "")
        assert result.stdout == snapshot(name=face)
    config.write_text('tolerance = "5%"\n[case.stem]\nexpand = 4\n')
    assert mbv2_here("check", "--no-forward", cwd=folder).code == 0
    assert mbv2_here("lock", cwd=folder).code == 0
    assert mbv2_here("check", "--no-forward", cwd=folder).code == 0


def test_a_broken_configuration_runs_nothing(folder: Path) -> None:
    (folder / "mbv2.toml").write_text(f"{CONFIG}\n[case.bad]\nexpand = 0\nmax_params = 'x'\n")
    result = mbv2_here("check", cwd=folder)
    assert (result.code, result.stdout) == (2, "")
    assert [line.startswith("mbv2: ") for line in result.stderr.splitlines()] == [True, True]
    assert "mbv2.toml: case.bad.expand" in result.stderr
    assert "mbv2.toml: case.bad.max_params" in result.stderr


def test_on_github_it_annotates_the_line_and_writes_the_summary(folder: Path) -> None:
    summary = folder / "summary.md"
    summary.write_text("before\n")
    (folder / "deep").mkdir()
    result = mbv2_here(
        *("check", "stem", "--no-forward"),
        cwd=folder / "deep",
        GITHUB_ACTIONS="true",
        GITHUB_WORKSPACE=str(folder),
        GITHUB_STEP_SUMMARY=str(summary),
    )
    assert result.code == 1
    assert result.stdout.startswith("::error file=mbv2.toml,line=2,title=mbv2%3A stem::macs is")
    assert summary.read_text("utf-8").startswith("before\n**mbv2 check: 1 case: 1 failed")


def test_junit_is_xml_with_a_failure_for_each_broken_case(folder: Path) -> None:
    text = mbv2_here("check", "--no-forward", "--format", "junit", cwd=folder).stdout
    (suite,) = JUnitXml.fromstring(text.encode())
    failed = [case.name for case in suite if case.result]
    assert failed == ["stem", *(f"edge[width_mult={w},size=160x224]" for w in ("0.35", "0.5"))]
    assert (suite.tests, suite.failures, suite.errors) == (5, 3, 0)


def test_markdown_is_one_table_whatever_cases_are_named(tmp_path: Path) -> None:
    (tmp_path / "mbv2.toml").write_text('[case."a|b `c` *d*"]\nmax_params = 3\nmax_macs = "1G"\n')
    result = mbv2_here("check", "--no-forward", "--format", "markdown", cwd=tmp_path)
    tokens = MarkdownIt().enable("table").parse(result.stdout)
    kinds = [token.type for token in tokens]
    assert [kinds.count(kind) for kind in ("table_open", "tr_open", "td_open")] == [1, 3, 2 * 6]


def check_in(folder: Path, config: str, face: str = "table") -> Result:
    (folder / "mbv2.toml").write_text(config)
    return mbv2_here("check", "--no-forward", "--format", face, cwd=folder)


FACES = ("table", "markdown", "json", "github", "junit")
LIMITED = "[case.a]\nmax_params = '2k'\n"
BROKEN = "[case.a]\nmax_params = '1k'\n"
REQUIRED = "require_lock = true\n"


def test_a_missing_lock_is_told_in_the_closing_line(tmp_path: Path) -> None:
    for face in ("table", "markdown", "github"):
        result = check_in(tmp_path, LIMITED, face)
        assert result.code == 0
        assert "rift is not checked: there is no mbv2.lock; run mbv2 lock" in result.stdout
    (case,) = json.loads(check_in(tmp_path, LIMITED, "json").stdout)["cases"]
    assert (case["lock"], case["checks_nothing"], case["warnings"]) == ("no lock", False, [])
    assert "drift" not in mbv2_here("check", *BLOCK, "--no-forward").stdout


@pytest.mark.parametrize("face", FACES)
def test_a_case_that_checks_nothing_is_a_warning_that_names_it(tmp_path: Path, face: str) -> None:
    result = check_in(tmp_path, f"{LIMITED}[case.idle]\n", face)
    assert result.code == 0
    assert "nothing is checked: the case has no limit and no lock" in " ".join(
        result.stdout.split()
    )
    assert "idle" in result.stdout
    if face == "github":
        assert "::warning file=mbv2.toml,line=3,title=mbv2%3A idle::nothing is" in result.stdout
    if face == "junit":
        (suite,) = JUnitXml.fromstring(result.stdout.encode())
        assert (suite.tests, suite.skipped, suite.failures) == (2, 1, 0)
    if face == "json":
        cases = json.loads(result.stdout)["cases"]
        assert [case["checks_nothing"] for case in cases] == [False, True]


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("locked", "config", "code", "words"),
    [
        (None, REQUIRED + LIMITED, 1, "require_lock is true, and there is no mbv2.lock; run mbv2"),
        (None, REQUIRED + "[case.a]\n", 1, "require_lock is true, and there is no mbv2.lock; run"),
        ("[case.b]\n", LIMITED + "[case.b]\n", 0, "mbv2.lock lacks the case; run mbv2 lock"),
        ("[case.b]\n", BROKEN + "[case.b]\n", 1, "mbv2.lock lacks the case; run mbv2 lock"),
        ("[case.b]\n", f"{REQUIRED}{LIMITED}[case.b]\n", 1, "and mbv2.lock lacks the case; run"),
        (f"{LIMITED}[case.old]", LIMITED, 0, "mbv2.lock has the case 'old', which mbv2.toml does"),
        (f"{LIMITED}[case.old]", REQUIRED + LIMITED, 1, "mbv2.lock has the case 'old', which"),
    ],
)
def test_other_cases_than_those_of_the_lock(
    tmp_path: Path, face: str, *, locked: str | None, config: str, code: int, words: str
) -> None:
    if locked:
        (tmp_path / "mbv2.toml").write_text(locked)
        assert mbv2_here("lock", "-q", cwd=tmp_path).code == 0
    result = check_in(tmp_path, config, face)
    assert (result.code, result.stderr) == (code, "")
    if face == "json" and "'old'" in words:
        assert json.loads(result.stdout)["removed"] == ["old"]
    elif face == "table" and code == 1 and REQUIRED not in config:
        assert "FAIL  params" in result.stdout
    else:
        assert words in " ".join(result.stdout.split())
    if face == "github":
        level = "error" if REQUIRED in config else "warning"
        assert any(line.startswith(f"::{level} ") for line in result.stdout.splitlines())


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("", "dropout = 0", "dropout 0.2 -> 0.0"),
        ("", "act = 'silu'", "act relu6 -> silu"),
        ("", "dtype = 'int8'", "dtype float32 -> int8"),
        ("", "peak_rule = 'eager'", "peak_rule layerwise -> eager"),
        ("", "width_mult = 1.001", "width_mult 1.0 -> 1.001"),
    ],
)
def test_every_format_names_the_field_that_changed(
    tmp_path: Path, face: str, before: str, after: str, words: str
) -> None:
    case = "[case.a]\ntarget = 'network'\n"
    (tmp_path / "mbv2.toml").write_text(case + before)
    assert mbv2_here("lock", "-q", cwd=tmp_path).code == 0
    result = check_in(tmp_path, case + after, face)
    assert result.code == 1
    told = " ".join(result.stdout.replace("&gt;", ">").split())
    assert f"changed: {words}" in told
    if face == "json":
        (field,) = json.loads(result.stdout)["cases"][0]["drift"]["fields"]
        assert f"{field['field']} {field['before']} -> {field['after']}" == words


def test_a_layer_of_a_drift_has_its_fields_in_json(tmp_path: Path) -> None:
    (tmp_path / "mbv2.toml").write_text("[case.a]\n")
    assert mbv2_here("lock", "-q", cwd=tmp_path).code == 0
    document = json.loads(check_in(tmp_path, "[case.a]\nact = 'silu'\n", "json").stdout)
    first = document["cases"][0]["drift"]["first_layer"]
    assert {"field": "type", "before": "ReLU", "after": "SiLU"} in first["changes"]


@pytest.mark.parametrize("face", FACES)
def test_a_drift_within_its_tolerance_is_told(tmp_path: Path, face: str) -> None:
    (tmp_path / "mbv2.toml").write_text("[case.a]\n")
    assert mbv2_here("lock", "-q", cwd=tmp_path).code == 0
    result = check_in(tmp_path, "tolerance = '1%'\n[case.a]\nact = 'silu'\n", face)
    assert result.code == 0
    if face == "json":
        (case,) = json.loads(result.stdout)["cases"]
        assert case["holds"]
        assert case["drift"]["fields"] == [{"field": "act", "before": "relu", "after": "silu"}]
    else:
        assert "the drift is within the tolerance" in result.stdout
        assert "act relu -> silu" in result.stdout.replace("&gt;", ">")


@pytest.mark.parametrize(
    ("tolerance", "words"),
    [
        ("", "no tolerance is set: every drift fails; run mbv2 lock to accept the drift"),
        ("tolerance = '1%'\n", "beyond the tolerance; run mbv2 lock to accept the drift"),
    ],
)
def test_a_drift_that_fails_says_what_accepts_it(
    tmp_path: Path, tolerance: str, words: str
) -> None:
    (tmp_path / "mbv2.toml").write_text("[case.a]\n")
    assert mbv2_here("lock", "-q", cwd=tmp_path).code == 0
    result = check_in(tmp_path, f"{tolerance}[case.a]\nexpand = 7\n")
    assert result.code == 1
    assert words in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("key", "value"),
    [("size", 112), ("batch", 1), ("dtype", "'int8'"), ("peak_rule", "'layerwise'"), ("in", 2)],
)
def test_no_tolerance_lets_the_measurement_change(tmp_path: Path, key: str, value: object) -> None:
    """Figures of another input, rule or dtype are smaller here; no comparison is possible."""
    own = "target = 'network'\nbatch = 2\npeak_rule = 'eager'\n"
    (tmp_path / "mbv2.toml").write_text(f"[case.a]\n{own}")
    assert mbv2_here("lock", "-q", cwd=tmp_path).code == 0
    other = "\n".join(line for line in own.splitlines() if not line.startswith(key))
    result = check_in(tmp_path, f"tolerance = '900%'\n[case.a]\n{other}\n{key} = {value}\n")
    assert result.code == 1
    assert "a tolerance does not allow another kind, input, memory rule or dtype" in " ".join(
        result.stdout.split()
    )


def test_a_case_is_named_by_its_truth_values_as_the_file_has_them(tmp_path: Path) -> None:
    table = 'target = "network:width_mult=0.1"\nclassifier_bias = [true, false]\nmax_params = 9\n'
    result = check_in(tmp_path, f"[case.a]\n{table}", "table")
    assert "a[classifier_bias=false]" in result.stdout


def test_a_removed_case_is_one_row_of_markdown_whatever_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "mbv2.toml").write_text(f'{LIMITED}[case."a|b"]\n')
    assert mbv2_here("lock", "-q", cwd=tmp_path).code == 0
    tokens = MarkdownIt().enable("table").parse(check_in(tmp_path, LIMITED, "markdown").stdout)
    kinds = [token.type for token in tokens]
    assert [kinds.count(kind) for kind in ("tr_open", "td_open")] == [3, 2 * 6]
    assert "the case 'a|b', which mbv2.toml does not have" in " ".join(
        token.content for token in tokens
    )


@pytest.mark.parametrize(
    ("folder", "words"),
    [("", "run mbv2 lock --config deep/mbv2.toml"), ("deep", "run mbv2 lock")],
)
def test_the_command_that_is_told_writes_the_lock(tmp_path: Path, folder: str, words: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "mbv2.toml").write_text(LIMITED)
    line = ("--config", "deep/mbv2.toml") if not folder else ()
    result = mbv2_here("check", "--no-forward", *line, cwd=tmp_path / folder)
    assert " ".join(result.stdout.split()).endswith(f"there is no mbv2.lock; {words}")


def test_a_lock_is_that_of_its_configuration(tmp_path: Path) -> None:
    (tmp_path / "mbv2.toml").write_text("[case.a]\n")
    (tmp_path / "other.toml").write_text("[case.b]\n")
    missing = mbv2_here("check", "--no-forward", "--config", "other.toml", cwd=tmp_path)
    assert "there is no other.lock; run mbv2 lock --config other.toml" in " ".join(
        missing.stdout.split()
    )
    assert mbv2_here("lock", cwd=tmp_path).stdout == "wrote mbv2.lock: 1 case\n"
    other = mbv2_here("lock", "--config", "other.toml", cwd=tmp_path)
    assert other.stdout == "wrote other.lock: 1 case\n"
    assert "case.a" in (tmp_path / "mbv2.lock").read_text("utf-8")
    assert "case.b" in (tmp_path / "other.lock").read_text("utf-8")
    for name in ("mbv2.toml", "other.toml"):
        assert mbv2_here("check", "--no-forward", "--config", name, cwd=tmp_path).code == 0


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_narrow_terminal_breaks_no_number(tmp_path: Path, width: int) -> None:
    path = tmp_path / "mbv2.toml"
    path.write_text(CONFIG)
    assert mbv2_here("lock", "-q", cwd=tmp_path).code == 0
    path.write_text(CONFIG.replace("expand = 6", "expand = 12"))
    config = read_config(path)
    report = outcomes_of_config(config, config.cases, planned_result, Path(path.name))
    lines = ["".join(piece.text for piece in pieces) for pieces in fitted(as_table(report), width)]
    assert max(map(len, lines)) <= width
    shown = "\n".join(lines)
    assert all(amount in shown for amount in ("3,008", "137,281,536"))
    assert ("Distance" in lines[0]) is (width >= 60)


def test_colours_say_what_holds(tmp_path: Path) -> None:
    (tmp_path / "mbv2.toml").write_text(f"{LIMITED}[case.b]\nmax_params = 3\n[case.idle]\n")
    shown = mbv2_here("check", "--no-forward", cwd=tmp_path, FORCE_COLOR="1").stdout
    green, red, yellow = "\x1b[1;32mok   a", "\x1b[1;31mFAIL b", "\x1b[33mok   idle"
    for words in (green, red, yellow, "\x1b[1;31m3 cases"):
        assert words in shown


def test_json_tells_the_headroom(folder: Path) -> None:
    document = json.loads(mbv2_here("check", "--no-forward", "--format", "json", cwd=folder).stdout)
    verdict = document["cases"][0]["verdicts"][2]
    assert verdict == {
        "what": "macs",
        "holds": False,
        "actual": 68_640_768,
        "limit": 60_000_000,
        "headroom": -8_640_768,
        "uncounted": [],
        "doubt": "",
    }
    assert not document["holds"]


def test_an_int8_case_is_confirmed_in_float32() -> None:
    result = mbv2_here("check", "--dtype", "int8", "--max-peak", "4MiB")
    assert (result.code, result.stderr) == (0, "")
    assert "peak (layerwise, int8)" in result.stdout
    assert "plan and forward pass agree" in result.stdout


def test_the_torch_free_mode_loads_no_torch() -> None:
    loaded = modules_of_commands(("check", "--max-params", "2k", "--no-forward"))
    assert not loaded & {"torch", "torchsummary", "numpy", "psutil"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--max-params many", "--max-params must be a count such as"),
        ("--max-peak 3x", "--max-peak must be bytes such as"),
        ("--expect 1x", "--expect must be a shape such as"),
        ("--max-peak 3 --peak-rule eagr", "did you mean 'eager'?"),
        ("--peak-rule eager", "--peak-rule needs a limit beside it"),
        ("--size 3", "--size needs a limit beside it"),
        ("a b --max-macs 3", "check one target, not 2"),
        ("", "there is no mbv2.toml"),
        ("--format yaml --max-macs 3", "--format must be one of table"),
        ("--config none.toml", "cannot read none.toml"),
        ("--config none.toml --max-macs 3", "give --config or limits, not both"),
    ],
)
def test_mistakes(line: str, words: str, tmp_path: Path) -> None:
    result = mbv2_here("check", *line.split(), cwd=tmp_path)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("mbv2: ")
    assert words in result.stderr
