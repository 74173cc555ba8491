from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from syrupy.assertion import SnapshotAssertion

from mbv2cli import InputSpec, NetworkSpec
from mbv2cli.gate.comparison import compare
from mbv2cli.inspection import plan_of
from tests.process import mbv2_here
from tests.strategies import input_specs, network_specs

SIDES = ("network", "network:width_mult=0.75")


@pytest.mark.parametrize("face", ["table", "markdown"])
def test_formats(face: str, snapshot: SnapshotAssertion) -> None:
    assert mbv2_here("compare", "block", "block:expand=4,stride=2", "--format", face) == snapshot


def test_it_fits_80_columns() -> None:
    assert max(map(len, mbv2_here("compare", *SIDES).stdout.splitlines())) <= 80


def test_exit_code_only_when_asked() -> None:
    assert mbv2_here("compare", *SIDES).code == 0
    assert mbv2_here("compare", *SIDES, "--exit-code").code == 1
    assert mbv2_here("compare", "paper", "network", "--exit-code").code == 0


def test_reports_and_files_are_sides(tmp_path: Path) -> None:
    (tmp_path / "half.toml").write_text("width_mult = 0.5\n")
    arguments = ("network:width_mult=0.5", "--no-forward", "--format", "json", "--output", "a.json")
    assert mbv2_here("summary", *arguments, cwd=tmp_path).code == 0
    result = mbv2_here("compare", "a.json", "half.toml", "--exit-code", cwd=tmp_path)
    assert (result.code, result.stderr) == (0, "")
    assert "Every layer is the same." in result.stdout


def test_a_case_at_two_revisions_of_the_lock(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)  # noqa: S607

    git("init", "-b", "main")
    (tmp_path / "mbv2.toml").write_text("[case.stem]\nexpand = 6\n")
    assert mbv2_here("lock", cwd=tmp_path).stdout == "wrote mbv2.lock: 1 case\n"
    git("add", ".")
    git("commit", "-m", "lock")
    (tmp_path / "mbv2.toml").write_text("[case.stem]\nexpand = 4\n")
    assert mbv2_here("lock", cwd=tmp_path).code == 0
    result = mbv2_here("compare", "--lock", "main", "stem", cwd=tmp_path)
    assert (result.code, result.stderr) == (0, "")
    assert "stem at main" in result.stdout
    assert "1,568" in result.stdout
    assert "1,088" in result.stdout
    assert mbv2_here("compare", "--lock", "main", cwd=tmp_path) == result
    (tmp_path / "mbv2.lock").unlink()
    lockless = mbv2_here("compare", "--lock", "main", cwd=tmp_path)
    assert (lockless.code, lockless.stdout) == (2, "")
    assert "No such file or directory; restore it, or run mbv2 lock" in lockless.stderr
    (tmp_path / "mbv2.lock").write_text("version = 2\n")
    git("commit", "-am", "broken")
    assert mbv2_here("lock", cwd=tmp_path).code == 0
    for line, words in (
        (("--lock", "HEAD", "stem"), "the lock is corrupt: mbv2.lock at HEAD must have the keys"),
        (("--lock", "main", "a", "b"), "one case, not 2 (the cases are stem)"),
        (("--lock", "nowhere", "stem"), "git has no mbv2.lock at 'nowhere'"),
        (("--lock=--output=x", "stem"), "git has no mbv2.lock at '--output=x'"),
        (("--lock", "HEAD~1", "stm"), "has no case 'stm'; did you mean 'stem'?"),
    ):
        refused = mbv2_here("compare", *line, cwd=tmp_path)
        assert (refused.code, refused.stdout) == (2, "")
        assert words in refused.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("network", "compare takes two models, A and B, not 1"),
        ("", "compare takes two models, A and B, not 0"),
        ("network nework", "did you mean 'network'?"),
        ("a.json network", "cannot read a.json"),
        ("bad.json network", "bad.json is not a report of mbv2"),
        ("--format csv network block", "--format must be one of table, json, markdown"),
    ],
)
def test_mistakes(line: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"spec": 3}')
    result = mbv2_here("compare", *line.split(), cwd=tmp_path)
    assert (result.code, result.stdout) == (2, "")
    assert words in result.stderr


@given(network_specs(), network_specs(), input_specs)
def test_layers_add_up_to_the_totals(
    before: NetworkSpec, after: NetworkSpec, input_: InputSpec
) -> None:
    comparison = compare("a", plan_of(before, input_), "b", plan_of(after, input_))
    totals = {one.what: one.change for one in comparison.totals}
    for what in ("params", "macs"):
        changes = [
            (getattr(pair.after, what) if pair.after else 0)
            - (getattr(pair.before, what) if pair.before else 0)
            for pair in comparison.layers
        ]
        assert sum(changes) == totals[what]
    assert [pair.before for pair in comparison.layers if pair.before] == list(
        comparison.before.layers
    )
    assert [pair.after for pair in comparison.layers if pair.after] == list(comparison.after.layers)


def test_a_side_beside_itself_has_no_difference() -> None:
    document = json.loads(mbv2_here("compare", "network", "paper", "--format", "json").stdout)
    assert not document["differs"]
    assert document["layers"] == []
    assert all(one["change"] == 0 for one in document["totals"])
