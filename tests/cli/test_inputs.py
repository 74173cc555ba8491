"""What mbv2 reads, wrong in every way: exit code 2 and one sentence that names the cause."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from mbv2cli.errors import UserError
from mbv2cli.gate.config import MAX_CASE_BLOCKS, MAX_CASES
from mbv2cli.search.space import read_space
from mbv2cli.specs.reader import Setting
from tests.cli.test_bad_input import assert_one_sentence
from tests.process import Result, mbv2, mbv2_here, python

DIGITS = "9" * 4000
HEX = "0x" + "f" * 4000
HUGE = "1" + "0" * 400

CONFIGS = [
    ("tool = 5", "tool must be a table"),
    ("tool = []", "tool must be a table"),
    ("[tool]\nmbv2 = 5", "mbv2 must be a table, such as [tool.mbv2]"),
    ("[tool.mbv2]\ncase = 5", "case must be a table, such as [case.edge], not 5"),
    ("[tool.mbv2]\ncase = []", "case must be a table"),
    ("[tool.mbv2]\ncases = 3\n[tool.mbv2.case.a]", "cases is not a key"),
    ("[tool.mbv2]\ncase.a = 5", "case.a must be a table"),
    ("[tool.mbv2]\nforward = 5\n[tool.mbv2.case.a]", "forward must be true or false"),
    ("[tool.mbv2]\ntolerance = []\n[tool.mbv2.case.a]", 'tolerance must be "2%"'),
    (f"[tool.mbv2]\ntolerance = {DIGITS}\n[tool.mbv2.case.a]", 'tolerance must be "2%"'),
    ("[tool.mbv2.case.a]\ntarget = 5", "case.a.target must be a target"),
    ("[tool.mbv2.case.a]\nfeatures = 5", "case.a.features must be a table"),
    (f"[tool.mbv2.case.a]\nfeatures.{DIGITS} = '*'", "case.a.features must be a table"),
    (f"[tool.mbv2.case.a]\nin = {DIGITS}", "case.a.in must be a whole number from 1"),
    (f"[tool.mbv2.case.a]\nin = {HEX}", "a number has more digits than Python reads"),
    (f"[tool.mbv2.case.a]\nexpand = {HUGE}", "case.a.expand must be a number"),
    ("[tool.mbv2.case.a]\nexpand = 1e400", "case.a.expand must be a number"),
    ("[tool.mbv2.case.a]\nexpand = nan", "case.a.expand must be a number"),
    (f"[tool.mbv2.case.a]\nmax_params = {HUGE}", "case.a.max_params must be a count"),
    ("[tool.mbv2.case.a]\nmax_peak = inf", "case.a.max_peak must be bytes"),
    (f"[tool.mbv2.case.a]\noutput = '1x{DIGITS}'", "case.a.output must be a shape"),
    ('[tool.mbv2.case.a]\ntarget = "a\\u0000.toml"', "a file cannot have this name"),
]


@pytest.mark.parametrize(("text", "words"), CONFIGS, ids=[words for _, words in CONFIGS])
def test_a_value_of_a_wrong_type_or_size(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    for command in (["check", "--no-forward"], ["lock"]):
        assert_one_sentence(mbv2_here(*command, cwd=tmp_path), words)
    (tmp_path / "mbv2.toml").write_text(text.replace("tool.mbv2.", "").replace("[tool.mbv2]\n", ""))
    if not text.startswith(("tool", "[tool]")):
        assert_one_sentence(mbv2_here("check", cwd=tmp_path), words)


MODELS = [
    (f"in = {DIGITS}", "in must be a whole number"),
    (f"width_mult = {HUGE}", "width_mult must be a number"),
    ("width_mult = inf", "width_mult must be a number"),
    ("target = 5", "target must be a target"),
    ("target = []", "target must be a target"),
    (f"stages = [{{c = {DIGITS}}}]", "c must be a whole number"),
    ("stages = [5]", "stages[0] must be a table"),
]


@pytest.mark.parametrize(("text", "words"), MODELS, ids=[words for _, words in MODELS])
def test_a_wrong_value_in_a_model_or_a_space(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text(text)
    for command in (
        ["summary", "net.toml", "--no-forward"],
        ["sweep", "--space", "net.toml"],
        ["compare", "network", "net.toml"],
    ):
        assert_one_sentence(mbv2_here(*command, cwd=tmp_path), words)


@pytest.mark.parametrize(
    "flags",
    [
        f"--in {DIGITS}",
        f"--in {HEX}",
        f"--in 9{DIGITS}",
        f"--expand {HUGE}",
        "--expand 1e400",
        f"--size {DIGITS}x{DIGITS}",
        f"--seed {DIGITS}",
        f"--device cuda:{DIGITS}",
        f"network --stages t6c{DIGITS}",
        f"network --width-mult {HUGE}",
        f"network:classes={DIGITS}",
    ],
    ids=lambda flags: flags[:20],
)
def test_a_flag_of_four_thousand_digits(flags: str, tmp_path: Path) -> None:
    result = mbv2_here("summary", *flags.split(), cwd=tmp_path)
    assert_one_sentence(result, "must be")


REPORT = {"command": "summary", "schema_version": 1, "kind": "block", "spec": {}, "input": {}}
NO_REPORTS = [
    ("{", "not valid JSON"),
    ('{"spec": 5}', "not a model"),
    ('{"a":' * 9000, "nested too deep"),
    ('{"a":' + "9" * 5000, "more digits"),
    ('{"a":[' + "[]," * 10**6, "has more than 1,000,000 values"),
    (json.dumps({**REPORT, "schema_version": int(DIGITS)}), "has schema_version 9999"),
    (json.dumps({**REPORT, "schema_version": [[[]]]}), "has schema_version [[[]]]"),
    (json.dumps({**REPORT, "kind": []}), "not a report"),
    (json.dumps({**REPORT, "spec": 5}), "not a report"),
    (json.dumps({**REPORT, "spec": {"in": int(DIGITS)}}), "in must be a whole number"),
    (json.dumps({**REPORT, "spec": {"expand": float("inf")}}), "expand must be a number"),
    (json.dumps({**REPORT, "input": {"size": None}}), "size must be a side"),
    (json.dumps({**REPORT, "input": {"\ud800": 1}}), "not a report"),
    (json.dumps({**REPORT, "spec": {"in": json.loads("[" * 300 + "]" * 300)}}), "in must be"),
]


@pytest.mark.parametrize(
    ("text", "words"), NO_REPORTS, ids=[text[:9] + w for text, w in NO_REPORTS]
)
def test_a_report_that_is_not_one(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text, "utf-8")
    result = mbv2_here("compare", "a.json", "network", cwd=tmp_path)
    assert_one_sentence(result, words)
    assert "mbv2 summary --format json" in result.stderr


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    _write_locked(tmp_path)
    return tmp_path


def _write_locked(folder: Path) -> None:
    (folder / "mbv2.toml").write_text("[case.a]\nexpand = 4\n")
    assert mbv2_here("lock", cwd=folder).code == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input", "'text'"),
        ("input", "5"),
        ("input", f"'1x{DIGITS}'"),
        ("input", "'0x3x8x8'"),
        ("figures", "5"),
        ("spec", "'x'"),
        ("spec", f"{{in = {HUGE}, expand = {'[' * 900}{']' * 900}}}"),
        ("graph", "1.5"),
        ("stages", "{a = 1}"),
        ("kind", "'x'"),
        ("zz", "1"),
    ],
    ids=lambda value: value[:12],
)
def test_a_field_of_a_lock_is_named(field: str, value: str, locked: Path) -> None:
    path = locked / "mbv2.lock"
    text = path.read_text("utf-8").replace(f"\n{field} = ", "\nold = ")
    for table in ("figures", "spec", "stages"):
        if table == field:
            text = text.replace(f"[case.a.{field}]", "[case.b]")
    path.write_text(text.replace("[case.a]\n", f"[case.a]\n{field} = {value}\n"), "utf-8")
    for command in (["check", "--no-forward"], ["compare", "--lock", "HEAD", "a"]):
        assert_one_sentence(mbv2_here(*command, cwd=locked), "the lock is corrupt: ")


@pytest.mark.parametrize("amount", [HUGE, DIGITS, "-1"])
def test_a_figure_that_no_model_has_is_not_compared(amount: str, locked: Path) -> None:
    path = locked / "mbv2.lock"
    path.write_text(re.sub(r"\bmacs = \d+", f"macs = {amount}", path.read_text("utf-8")), "utf-8")
    for form in ("table", "json"):
        result = mbv2_here("check", "--no-forward", "--format", form, cwd=locked)
        assert_one_sentence(result, "case.a.figures is wrong")


@pytest.mark.parametrize("name", ["mbv2.toml", "pyproject.toml", "mbv2.lock"])
def test_a_file_that_cannot_be_opened_is_not_passed_by(name: str, locked: Path) -> None:
    if name == "pyproject.toml":
        (locked / "mbv2.toml").unlink()
    path = locked / name
    makers: list[Callable[[], object]] = [path.mkdir, lambda: path.symlink_to(name)]
    for make in makers:
        path.unlink(missing_ok=True)
        make()
        result = mbv2_here("check", "--no-forward", cwd=locked)
        assert_one_sentence(result, f"{name}: ")
        shutil.rmtree(path) if not path.is_symlink() else path.unlink()
    path.symlink_to("gone")
    assert_one_sentence(
        mbv2_here("check", "--no-forward", cwd=locked),
        {"mbv2.lock": "which does not exist"}.get(name, "No such file"),
    )


@contextmanager
def without_rights() -> Iterator[None]:
    """Be a user without rights, where the tests run as the one who may read everything."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.parametrize("name", ["mbv2.toml", "pyproject.toml", "mbv2.lock"])
def test_no_permission_is_named(name: str) -> None:
    if not hasattr(os, "geteuid"):
        pytest.skip("no users here")
    with TemporaryDirectory() as folder:  # the folders above those of pytest let nobody in
        locked = Path(folder)
        locked.chmod(0o755)
        _write_locked(locked)
        if name == "pyproject.toml":
            text = (locked / "mbv2.toml").read_text().replace("[", "[tool.mbv2.")
            (locked / "mbv2.toml").unlink()
            (locked / name).write_text(text)
        (locked / name).chmod(0)
        with without_rights():
            result = mbv2_here("check", "--no-forward", cwd=locked)
    assert_one_sentence(result, f"{name}: Permission denied")


FROM_NOWHERE = """
import os, sys
os.chdir(sys.argv[1])
os.rmdir(sys.argv.pop(1))
from mbv2cli.__main__ import main
main()
"""


def test_a_working_directory_that_is_gone(locked: Path) -> None:
    def from_nowhere(*arguments: str) -> Result:
        (locked / "gone").mkdir()
        return python("-c", FROM_NOWHERE, str(locked / "gone"), *arguments)

    for command in (
        *(["check"], ["lock"], ["compare", "--lock", "main"], ["summary"], ["boards"]),
        ["compare", "--git", "main", "net.py:Net"],
    ):
        assert_one_sentence(from_nowhere(*command), "working directory cannot be used")
    good = from_nowhere("check", "--config", str(locked / "mbv2.toml"), "--no-forward")
    assert (good.code, good.stderr) == (0, "")
    assert from_nowhere("summary", "--no-forward").code == 0
    assert from_nowhere("init").code == 2


def test_git_that_is_missing_or_broken(locked: Path) -> None:
    def compare(**environment: str) -> Result:
        return mbv2_here("compare", "--lock", "HEAD", cwd=locked, **environment)

    assert_one_sentence(compare(PATH="/missing"), "needs git; install git")
    assert_one_sentence(compare(), "git has no mbv2.lock at 'HEAD': not a git repository")
    git = locked / "git"
    for content, mode, words in (
        ("", 0o644, "git"),
        ("nonsense", 0o755, "cannot be started: Exec format error"),
        ("#!/bin/sh\nexit 3\n", 0o755, "git ended with exit code 3"),
        ("#!/bin/sh\nkill -9 $$\n", 0o755, "git ended with exit code -9"),
        ("#!/bin/sh\nprintf '\\377'\n", 0o755, "mbv2.lock at HEAD is not UTF-8 text"),
        ("#!/bin/sh\n", 0o755, "the lock is corrupt: mbv2.lock at HEAD"),
    ):
        git.write_text(content)
        git.chmod(mode)
        assert_one_sentence(compare(PATH=str(locked)), words)
    (locked / ".git").mkdir()
    (locked / ".git" / "HEAD").write_text("nonsense")
    assert_one_sentence(compare(), "git has no mbv2.lock at 'HEAD'")


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    name = b"n\xff.toml".decode("utf-8", "surrogateescape")
    assert_one_sentence(mbv2_here("summary", name, cwd=tmp_path), "No such file")
    assert_one_sentence(mbv2_here("summary", name[:2]), "there is no target")
    assert_one_sentence(mbv2_here("check", "--config", name, cwd=tmp_path), "No such file")
    (tmp_path / name).write_text("zz = 1")
    assert_one_sentence(mbv2_here("summary", name, cwd=tmp_path), "is not a key")
    assert_one_sentence(mbv2("summary", name, cwd=tmp_path), "is not a key")


MANY = [
    ("[case.a]\n" + "".join(f"{key} = {list(range(1, 11))}\n" for key in (
        *("in", "out", "stride", "expand", "kernel", "dilation", "batch", "seed"),
    )), "describes 100000000 cases"),
    ("".join(f"[case.c{n}]\n" for n in range(MAX_CASES + 1)), "at most 1,000 are allowed"),
    ("".join(
        f"[case.c{n}]\ntarget = 'network:stages=c8n1000'\n" for n in range(MAX_CASE_BLOCKS // 1000)
    ) + "[case.z]\ntarget = 'network'\n", "blocks together; at most 20,000"),
    ("[case.a]\ntarget = 'network:stages=c8n1000000000'\n", "stages must be a list"),
    ("[case.a]\ntarget = 'network:stages=c8n999/c8n2'\n", "1,001 blocks together; at most 1,000"),
    ("[case.a]\ntarget = 'network:stages=" + "c8/" * 50_000 + "c8'\n", "list of 1 to 100 stages"),
    ("[case.a]\n" + "".join(f"k{n} = 1\n" for n in range(20_000)), "k0 is not a key"),
    ("".join(f"k{n} = 1\n" for n in range(20_000)) + "[case.a]\n", "k0 is not a key"),
    ("[case.a]\ntarget = '" + "n" * 10**6 + "'\n", "there is no target"),
    ("[case.a]\nact = '" + "r" * 10**6 + "'\n", "act must be one of"),
    ("[case.a]\nsize = '" + "1x" * 10**5 + "1'\n", "size must be"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), MANY, ids=[words for _, words in MANY])
def test_more_than_is_allowed_is_refused_at_once(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "mbv2.toml").write_text(text)
    before = time.process_time()
    result = mbv2_here("check", "--no-forward", cwd=tmp_path)
    assert time.process_time() - before < 4
    assert result.code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) <= 20


@pytest.mark.parametrize(
    ("stages", "depths"),
    [("c8n600/c8n401", "1"), ("c8/c8n500/c8", "1,2,4")],
)
def test_a_space_whose_deepest_network_has_too_many_blocks(stages: str, depths: str) -> None:
    flags = [Setting("stages", stages, "--stages"), Setting("depth_mult", depths, "--depth-mult")]
    with pytest.raises(UserError, match="blocks together; at most 1,000 are allowed"):
        read_space("network", flags)


def test_the_largest_network_takes_seconds() -> None:
    stages = "/".join(f"t{1 + n % 7}c{8 + n * 13}n10s{2 if n < 5 else 1}" for n in range(100))
    before = time.process_time()
    for command in ("memory", "cliffs"):
        assert mbv2_here(command, f"network:stages={stages}").code == 0
    assert time.process_time() - before < 10


LARGEST = "network:stages=" + "/".join(["t6c64n100"] * 10)
"""As many blocks as a network may have."""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("memory TARGET --patches best", "7 grids and 1,002 last blocks"),
        ("memory TARGET --patches 99x99 --patch-until features.999", "this last block"),
        ("memory TARGET --arena --max-tflm 1KiB", None),
        ("identify TARGET", None),
    ],
)
def test_the_largest_network_is_worked_out_or_refused_in_seconds(
    words: str, sentence: str | None, tmp_path: Path
) -> None:
    given = [word.replace("TARGET", LARGEST) for word in words.split()]
    before = time.process_time()
    result = mbv2_here(*given, cwd=tmp_path)
    assert time.process_time() - before < 3
    if sentence is None:
        assert result.code == 0
    else:
        assert_one_sentence(result, sentence)


def test_a_long_text_elsewhere_takes_no_time(tmp_path: Path) -> None:
    text = "[project]\nreadme = '''\n" + "[case.no] words of a long text\n" * 50_000 + "'''\n"
    (tmp_path / "pyproject.toml").write_text(f"{text}[tool.mbv2.case.a]\nmax_params = 1\n")
    before = time.process_time()
    result = mbv2_here("check", "--no-forward", "--format", "github", cwd=tmp_path)
    assert time.process_time() - before < 2
    assert "line=50004" in result.stdout


def test_files_that_lead_to_files(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}.toml").write_text(f"target = '{number + 1}.toml'\n")
    (tmp_path / "30.toml").write_text("")
    result = mbv2_here("summary", "0.toml", cwd=tmp_path)
    assert_one_sentence(result, "20 files have led to this file")
    assert mbv2_here("summary", "15.toml", "--no-forward", cwd=tmp_path).code == 0
