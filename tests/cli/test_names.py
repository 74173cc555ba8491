"""Command lines, files and cases with names that are made to be more than text."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import pytest

from mbv2cli.shown import escaped
from tests.process import mbv2_at_terminal, mbv2_here
from tests.test_shown import commands, unseen

HOSTILE = "a\x1b[31m\u202eb\n::error::c,|`<b>*&[x](y) ##[error]$\\frac$\udcff\x85"
FORMULA = "=cmd|' !A0"
LANGUAGES = "网络 é Ελληνικά 👍🏽"
COMMAND = "::error::x"
NAMES = (HOSTILE, FORMULA, LANGUAGES, COMMAND, "a" * 200, "\ta\t", "\x7f\u202e\x1b[m")

NETWORK = 'target = "network"\nwidth_mult = 0.5\n'
CASES = '[case.edge]\nmax_params = "1k"\n[case."网络 x"]\nmax_params = "1G"\n'
MISTAKES = r"""
"key\u001b\n" = 1
[case."a\nb"]
[case.edge]
"x\u202e" = 3
act = "\u001b[31m"
target = ["block", "x\n::error::y"]
[case."two\u0085".deeper]
"""
LOCK = r"""version = 2
[case."gone\u001b\n::error::x"]
kind = "block"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names")
    for name in NAMES:
        (folder / f"{name}.toml").write_text(NETWORK)
        (folder / f"c{name}.toml").write_text(CASES)
        (folder / f"m{name}.toml").write_text(MISTAKES)
    return folder


def assert_only_text(result: tuple[int, str, str], codes: Sequence[int]) -> None:
    code, stdout, stderr = result
    assert code in codes, stderr
    assert unseen(stdout + stderr) <= {"\n"}
    assert not commands(stdout + stderr)
    assert all(line.startswith("mbv2: ") for line in stderr.splitlines())


REPORTS = [
    ["summary", "{}.toml", "--no-forward"],
    ["summary", "{}.toml", "--no-forward", "--format", "json"],
    ["summary", "{}.toml", "--no-forward", "--format", "csv"],
    ["summary", "{}.toml", "--no-forward", "--format", "markdown"],
    ["summary", "{}.toml", "--no-forward", "--format", "torchsummary"],
    ["summary", "{}.toml", "--no-forward", "--print", "params,macs"],
    ["memory", "{}.toml"],
    ["memory", "{}.toml", "--format", "json"],
    ["counts", "{}.toml"],
    ["counts", "{}.toml", "--format", "json"],
    ["cliffs", "{}.toml"],
    ["compare", "{}.toml", "network"],
    ["compare", "{}.toml", "network", "--format", "markdown"],
    ["compare", "{}.toml", "network", "--format", "json"],
    ["sweep", "{}.toml", "--batch", "1,2", "--pareto", "macs,peak"],
    ["sweep", "{}.toml", "--batch", "1,2", "--max-params", "1"],
    ["sweep", "{}.toml", "--batch", "1,2", "--format", "json"],
    ["check", "{}.toml", "--max-params", "1G", "--no-forward"],
    ["check", "--config", "c{}.toml", "--no-forward", "--exit-zero"],
    ["check", "--config", "c{}.toml", "--no-forward", "--exit-zero", "--format", "junit"],
    ["check", "--config", "c{}.toml", "--no-forward", "--exit-zero", "--format", "markdown"],
    ["check", "--config", "c{}.toml", "--no-forward", "--exit-zero", "--format", "json"],
]


@pytest.mark.parametrize("words", REPORTS, ids=" ".join)
def test_a_report_about_a_file_with_any_name_is_only_text(words: list[str], folder: Path) -> None:
    for name in (HOSTILE, COMMAND):
        line = [word.replace("{}", name) for word in words]
        assert_only_text(mbv2_here(*line, cwd=folder), [0])


MISTYPED = [
    ["{}"],
    ["summary", "{}"],
    ["summary", "{}.tml"],
    ["summary", "m{}.toml"],
    ["summary", "no{}.toml"],
    ["summary", "block", "{}"],
    ["summary", "--{}"],
    ["summary", "-{}"],
    ["summary", "--width-mult", "{}"],
    ["summary", "network", "--stages", "{}"],
    ["summary", "--act", "{}"],
    ["summary", "--by", "{}"],
    ["summary", "--columns", "{}"],
    ["summary", "--print", "{}"],
    ["summary", "--format", "{}"],
    ["summary", "--no-forward", "--output", "no/{}"],
    ["summary", "network:{}"],
    ["summary", "network:x{}=3"],
    ["summary", "network:width_mult={}"],
    ["summary", "{}=3"],
    ["help", "{}"],
    ["presets", "{}"],
    ["check", "--config", "m{}.toml"],
    ["check", "--config", "no{}.toml"],
    ["check", "no {}", "--config", "c{}.toml"],
    ["check", "--expect", "{}"],
    ["lock", "--config", "m{}.toml"],
    ["compare", "{}", "network"],
    ["compare", "{}.json", "network"],
    ["compare", "--lock", "{}", "--config", "c{}.toml"],
    ["sweep", "{}"],
    ["sweep", "--where", "{}"],
    ["sweep", "--sort", "{}"],
    ["sweep", "--pareto", "{}"],
    ["sweep", "--max-params", "{}"],
    ["sweep", "--space", "{}"],
    ["sweep", "--space", "m{}.toml"],
    ["sweep", "--output", "{}"],
    ["sweep", "--plot", "{}"],
]


@pytest.mark.parametrize("words", MISTYPED, ids=" ".join)
def test_a_mistake_of_any_name_is_only_text_on_one_line_each(
    words: list[str], folder: Path
) -> None:
    for name in (HOSTILE, COMMAND, "b" * 20_000):
        line = [word.replace("{}", name) for word in words]
        if any(len(os.fsencode(word)) > 250 for word in line if word.endswith(".toml")):
            continue
        result = mbv2_here(*line, cwd=folder)
        assert result.stdout == ""
        assert_only_text(result, [2])
        assert max(map(len, result.stderr.splitlines())) < 5_000


def test_a_mistake_says_the_name_as_it_is_shown() -> None:
    result = mbv2_here("summary", "\x1b]0;x\x07\u202e网络 é")
    assert r"there is no target '\x1b]0;x\x07\u202e网络 é'" in result.stderr
    result = mbv2_here("summary", "a  b\n c")
    assert r"'a  b\n c'" in result.stderr


@pytest.mark.parametrize("form", ["table", "github", "junit", "markdown", "json"])
def test_an_entry_of_a_lock_is_only_text(form: str, tmp_path: Path) -> None:
    (tmp_path / "mbv2.toml").write_text(CASES)
    assert mbv2_here("lock", cwd=tmp_path).code == 0
    lock = tmp_path / "mbv2.lock"
    text = lock.read_text("utf-8").replace("case.edge", r'case."\u001b\n::error::x\u202e"')
    lock.write_text(text.replace('"layerwise"', r'"\u001b\n::error::y"'), "utf-8")
    code, stdout, stderr = mbv2_here("check", "--no-forward", "--format", form, cwd=tmp_path)
    assert (code, stderr) == (1, "")
    assert unseen(stdout) == {"\n"}
    assert [line.split(" ")[0] for line in commands(stdout)] == (
        ["::error", "::warning", "::error", "::warning"] if form == "github" else []
    )


def test_a_lock_that_is_not_one_is_only_text(tmp_path: Path) -> None:
    (tmp_path / "mbv2.toml").write_text(CASES)
    (tmp_path / "mbv2.lock").write_text(LOCK)
    assert_only_text(mbv2_here("check", "--no-forward", cwd=tmp_path), [2])


@pytest.mark.parametrize("name", NAMES)
def test_a_csv_of_members_has_the_base_as_text(name: str, folder: Path) -> None:
    line = ("sweep", f"{name}.toml", "--batch", "1,2", "--output", "out.csv")
    assert_only_text(mbv2_here(*line, cwd=folder), [0])
    text = (folder / "out.csv").read_text("utf-8")
    assert unseen(text) == {"\n"}
    targets = [row["target"] for row in csv.DictReader(text.splitlines())]
    start = "./" if name == FORMULA else ""  # the same file, and no formula for a spreadsheet
    assert targets == [escaped(f"{start}{name}.toml:batch={n}") for n in (1, 2)]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_other_files_of_members_have_the_base(suffix: str, folder: Path) -> None:
    line = ("sweep", f"{HOSTILE}.toml", "--batch", "1,2", "--output", f"out.{suffix}")
    assert_only_text(mbv2_here(*line, cwd=folder), [0])
    if suffix == "jsonl":
        rows = map(json.loads, (folder / "out.jsonl").read_text().splitlines())
        assert [row["target"] for row in rows] == [f"{HOSTILE}.toml:batch={n}" for n in (1, 2)]


def test_a_picture_has_the_base_as_text(folder: Path) -> None:
    line = ("sweep", f"{HOSTILE}.toml", "--batch", "1,2", "--plot", "out.svg")
    assert_only_text(mbv2_here(*line, cwd=folder), [0])
    text = (folder / "out.svg").read_text("utf-8")
    ET.fromstring(text)  # noqa: S314  (our own picture)
    assert unseen(text) == {"\n"}
    assert r"$\frac$\udcff\x85.toml fit" in text


@pytest.mark.parametrize("name", [name for name in NAMES if name != HOSTILE])
def test_init_writes_a_configuration_that_check_reads(name: str, folder: Path) -> None:
    (folder / "mbv2.toml").unlink(missing_ok=True)
    assert_only_text(mbv2_here("init", f"{name}.toml", cwd=folder), [0])
    text = (folder / "mbv2.toml").read_text("utf-8")
    assert unseen(text) == {"\n"}
    ((case, values),) = tomllib.loads(text)["case"].items()
    assert (case, values["target"]) == (escaped(name), f"{name}.toml")
    assert_only_text(mbv2_here("check", "--no-forward", cwd=folder), [0])
    assert_only_text(mbv2_here("lock", cwd=folder), [0])
    assert_only_text(mbv2_here("check", "--no-forward", cwd=folder), [0])
    (folder / "mbv2.lock").unlink()
    (folder / "mbv2.toml").unlink()


def test_init_says_that_toml_cannot_hold_a_name_that_is_not_utf_8(folder: Path) -> None:
    result = mbv2_here("init", f"{HOSTILE}.toml", cwd=folder)
    assert_only_text(result, [2])
    assert "is not UTF-8 text, which mbv2.toml cannot hold; rename the file" in result.stderr
    assert not (folder / "mbv2.toml").exists()


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_a_terminal_shows_a_name_in_its_own_columns(columns: int, folder: Path) -> None:
    for name in NAMES:
        line = ("compare", f"{name}.toml", "network")
        code, stdout, stderr = mbv2_at_terminal(*line, columns=columns, cwd=folder)
        assert (code, stderr) == (0, "")
        plain = stdout.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[2m", "")
        assert unseen(plain) == {"\n"}


OFFERED = ("edge[size=96]", "网络", "a:b=c", "x.y-z")
NOT_OFFERED = ("a b", r"\$(touch owned)", "`x`", "'q", '"q', "a;b", "$HOME", "a\u3000b", "*", "~")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_shell_is_offered_no_name_that_it_would_split_or_run(shell: str, tmp_path: Path) -> None:
    cases = "".join(f"[case.{json.dumps(name)}]\n" for name in (*OFFERED, *NOT_OFFERED))
    (tmp_path / "mbv2.toml").write_text(cases, "utf-8")
    asked = {
        "_MBV2_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": "mbv2 check ",
        "COMP_WORDS": "mbv2 check ",
        "COMP_CWORD": "2",
    }
    code, stdout, stderr = mbv2_here(cwd=tmp_path, **asked)
    assert (code, stderr) == (0, "")
    for name in ("edge[size=96]", "网络", "x.y-z"):
        assert name in stdout
    assert not any(name in stdout for name in (*NOT_OFFERED[1:8], " b", "\u3000"))
    assert "owned" not in stdout


def test_a_process_with_such_arguments_ends_well(folder: Path) -> None:
    """Streams of a process are not those of the tests: they refuse what is not UTF-8."""
    from tests.process import mbv2

    for words in (["summary", HOSTILE], ["compare", f"{HOSTILE}.toml", "network"]):
        result = mbv2(*words, cwd=folder)
        assert result.code in (0, 2)
        assert unseen(result.stdout + result.stderr) == {"\n"}


def test_what_git_says_is_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "mbv2.toml").write_text(CASES)
    assert mbv2_here("lock", cwd=tmp_path).code == 0
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)  # noqa: S607  (the user's git)
    result = mbv2_here("compare", "--lock", "nothing", "edge", cwd=tmp_path)
    assert_only_text(result, [2])
    assert r"\n" not in result.stderr
