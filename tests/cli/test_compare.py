from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from syrupy.assertion import SnapshotAssertion

from mbv2cli import InputSpec, NetworkSpec
from mbv2cli.costs.memory import MEMORY_RULES
from mbv2cli.gate.comparison import Side, compare, side_of_text
from mbv2cli.inspection import plan_of
from mbv2cli.report.compare import ROWS, as_table, compare_report
from mbv2cli.report.page import fitted
from tests.process import mbv2_here
from tests.strategies import input_specs, network_specs

SIDES = ("network", "network:width_mult=0.75")


@pytest.mark.parametrize("face", ["table", "markdown"])
def test_formats(face: str, snapshot: SnapshotAssertion) -> None:
    assert mbv2_here("compare", "block", "block:expand=4,stride=2", "--format", face) == snapshot


@pytest.mark.parametrize("face", ["table", "markdown", "json"])
@pytest.mark.parametrize(
    ("before", "after", "field", "old", "new"),
    [
        ("torchvision", "mobilenetv2_100", "dropout", 0.2, 0.0),
        ("network", "network:act=silu", "act", "relu6", "silu"),
        ("block", "block:dilation=2", "dilation", 1, 2),
        ("network", "network:batch=2", "batch", 1, 2),
        ("network", "network:width_mult=1.001", "width_mult", 1.0, 1.001),
    ],
)
def test_a_field_that_differs_is_named_and_exits_1(
    *, before: str, after: str, field: str, old: object, new: object, face: str
) -> None:
    result = mbv2_here("compare", before, after, "--exit-code", "--format", face)
    assert (result.code, result.stderr) == (1, "")
    if face == "json":
        document = json.loads(result.stdout)
        assert document["differs"]
        assert document["fields"] == [{"field": field, "before": old, "after": new}]
    elif face == "table":
        assert f"\n  {field} {old} -> {new}\n" in result.stdout
    else:
        assert f"| `{field}` | `{old}` | `{new}` |" in result.stdout


def test_a_field_may_differ_where_every_operation_is_the_same() -> None:
    shown = mbv2_here("compare", "network", "network:width_mult=1.001").stdout
    assert shown.endswith("\nField width_mult differs; every operation is the same.\n")
    assert "Layers that differ" not in shown
    same = mbv2_here("compare", "paper", "network").stdout
    assert same.endswith(
        "\nNothing differs: every field, every figure and every layer is the same.\n"
    )


def test_a_truth_value_is_written_as_every_input_has_it() -> None:
    plain, other = "network:width_mult=0.1", "network:width_mult=0.1,classifier_bias=false"
    for form in ("table", "markdown", "html"):
        out = mbv2_here("compare", plain, other, "--format", form).stdout
        assert "True" not in out
        assert "False" not in out
    assert "classifier_bias true -> false" in mbv2_here("compare", plain, other).stdout
    out = mbv2_here("summary", other, "--no-forward").stdout
    assert "classifier_bias=false" in out
    sweep = ("sweep", "network:width_mult=0.1", "--classifier-bias", "true,false", "--format")
    for form in ("table", "html"):
        assert "classifier_bias=false" in (out := mbv2_here(*sweep, form).stdout)
        assert "False" not in out


def test_a_row_shows_what_differs_and_json_has_its_fields() -> None:
    dilated = mbv2_here("compare", "block", "block:dilation=2").stdout
    assert "conv.1.0 dilation 1x1 -> 2x2, padding 1x1 -> 2x2" in " ".join(dilated.split())
    sides = ("block", "block:act=silu")
    rows = mbv2_here("compare", *sides).stdout.splitlines()
    assert [row.split() for row in rows if "conv" in row] == [
        ["conv.0.2", "ReLU", "->", "SiLU"],
        ["conv.1.2", "ReLU", "->", "SiLU"],
    ]
    document = json.loads(mbv2_here("compare", *sides, "--format", "json").stdout)
    for layer in document["layers"]:
        assert {"field": "type", "before": "ReLU", "after": "SiLU"} in layer["changes"]


def test_the_totals_are_last_and_rows_are_folded() -> None:
    lines = mbv2_here("compare", *SIDES).stdout.splitlines()
    assert lines[-1] == "Layers that differ: 138 of 170."
    assert lines[-15].split() == ["Total", "A", "B", "B", "-", "A", "Change"]
    assert sum(line.startswith("  features.") for line in lines) == 20
    assert "118 more of them differ. --all shows every row, and so does --format json." in lines
    every = mbv2_here("compare", *SIDES, "--all").stdout
    assert sum(line.startswith("  features.") for line in every.splitlines()) == 138
    assert "more of them" not in every


def test_stages_and_blocks_have_a_row_each() -> None:
    stages = mbv2_here("compare", *SIDES, "--by", "stage").stdout
    assert "Stages that differ: 8:" in stages
    assert "s3    23 differ 1x32x28x28 -> 1x24x28x28     39,696 -> 26,496" in stages
    blocks = mbv2_here("compare", *SIDES, "--by", "block", "--format", "markdown").stdout
    assert "|  | `features.1` | 5 differ | 1x16x112x112 | 896 -> 680 |" in blocks
    document = json.loads(mbv2_here("compare", *SIDES, "--by", "stage", "--format", "json").stdout)
    assert [group["name"] for group in document["groups"]][:3] == ["stem", "s1", "s3"]
    assert len(document["layers"]) == 138


def test_layers_of_one_side_have_a_mark_and_their_type() -> None:
    shown = mbv2_here("compare", "block:in=8,out=8", "block:in=8,out=8,expand=1").stdout
    assert "Layers that differ: 9 of 10 (- only A, + only B):" in shown
    rows = [line.split() for line in shown.splitlines() if " conv." in line]
    assert ["-", "conv.3", "BatchNorm2d"] in [row[:3] for row in rows]
    paths = [(row[1], row[2]) for row in rows if row[0] in "+-"]
    assert len(paths) == len(set(paths))


def test_flags_of_the_input_are_for_both_targets(tmp_path: Path) -> None:
    report = ("network:width_mult=0.5", "--no-forward", "--format", "json", "--output", "a.json")
    assert mbv2_here("summary", *report, cwd=tmp_path).code == 0
    result = mbv2_here(
        *("compare", "a.json", "network", "--size", "96x64", "--batch", "2", "--format", "json"),
        cwd=tmp_path,
    )
    document = json.loads(result.stdout)
    assert [document[side]["input_shape"] for side in "ab"] == [[2, 3, 96, 64]] * 2
    assert [change["field"] for change in document["fields"]] == ["width_mult"]


def test_every_peak_has_its_rule_and_its_dtype() -> None:
    for face in ("table", "markdown", "json"):
        shown = mbv2_here("compare", *SIDES, "--format", face).stdout
        for rule in MEMORY_RULES:
            assert f"peak ({rule.name}, float32)" in shown


@pytest.mark.parametrize("width", [30, 40, 50, 60, 80, 120, 200])
@pytest.mark.parametrize("by", ROWS)
def test_a_terminal_of_any_width_shows_both_sides_and_breaks_no_number(width: int, by: str) -> None:
    sides = [side_of_text(text) for text in SIDES]
    report = compare_report(compare(*sides), by, shows_every_row=False)
    lines = ["".join(piece.text for piece in pieces) for pieces in fitted(as_table(report), width)]
    assert max(map(len, lines)) <= width
    shown = "\n".join(lines)
    assert all(amount in shown for amount in ("3,504,872", "300,774,272", "76,509.75 KiB"))
    assert all(amount in shown for amount in ("2,636,424", "209,069,792", "67,054.19 KiB"))
    is_in_columns = width >= 60
    assert ("Total, A -> B:\n" in shown) is not is_in_columns
    assert ("24.8 % smaller" in " ".join(shown.split())) is (width >= 80 or not is_in_columns)


@pytest.mark.parametrize("acts", [("gelu", "relu"), ("relu", "gelu")])
def test_a_change_is_not_known_where_an_amount_is_a_lower_bound(acts: tuple[str, str]) -> None:
    sides = [f"network:act={act},size=32" for act in acts]
    shown = mbv2_here("compare", *sides).stdout
    assert re.search(r"tflm \(at least\) .* KiB +not known: no rule counts gelu\n", shown)
    document = json.loads(mbv2_here("compare", *sides, "--format", "json").stdout)
    changes = {one["what"]: one["change"] for one in document["totals"]}
    assert (changes["tflm (at least)"], changes["params"]) == (None, 0)


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
    assert "every layer is the same" in result.stdout


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
        (("--lock", "HEAD~1", "stm"), "has no case 'stm' (the cases are stem); did you mean"),
        (
            ("--lock", "HEAD~1", "edge"),
            "the lock at HEAD~1 has no case 'edge' (the cases are stem)",
        ),
        (("--lock", "HEAD~1", "mbv2.toml"), "for the cases of a file, write --config mbv2.toml"),
        (("--lock", "HEAD~1", "--size", "9"), "--size is for two targets, because a locked case"),
        (("--lock", "HEAD~1", "--config", "none.toml"), "none.lock: No such file"),
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
        ("a.json network", "there is no file a.json; give the path of one, or a preset"),
        ("bad.json network", "bad.json is JSON that is not a model; give a report of mbv2 summary"),
        ("list.json network", "list.json is text that is not a model; give a report of mbv2 summa"),
        ("new.json network", "new.json has schema_version 99; this mbv2 reads 1; write one with"),
        ("memory.json network", "memory.json is a report of mbv2 memory, not a report of mbv2 sum"),
        ("empty.json network", "empty.json is not a report of mbv2 summary"),
        ("network block --by kind", "--by must be one of layer, block, stage, not 'kind'"),
        (
            "network block --config x.toml",
            "--config is for --lock REVISION: two targets have no lock",
        ),
        ("network block --size 0", "--size must be a side or HEIGHTxWIDTH"),
        ("--format csv network block", "--format must be one of table, json, markdown"),
    ],
)
def test_mistakes(line: str, words: str, tmp_path: Path) -> None:
    for name, content in {
        "bad": '{"spec": 3}',
        "list": "[]",
        "new": '{"command": "summary", "schema_version": 99}',
        "memory": '{"command": "memory", "schema_version": 1}',
        "empty": '{"command": "summary", "schema_version": 1, "kind": "block", "spec": 3}',
    }.items():
        (tmp_path / f"{name}.json").write_text(content)
    result = mbv2_here("compare", *line.split(), cwd=tmp_path)
    assert (result.code, result.stdout) == (2, "")
    assert words in result.stderr


@given(network_specs(), network_specs(), input_specs)
def test_layers_add_up_to_the_totals(
    before: NetworkSpec, after: NetworkSpec, input_: InputSpec
) -> None:
    plans = plan_of(before, input_), plan_of(after, input_)
    found = compare(Side("a", plans[0]), Side("b", plans[1])).found
    totals = {one.what: one.change for one in found.figures}
    for what in ("params", "macs"):
        changes = [
            (getattr(pair.after, what) if pair.after else 0)
            - (getattr(pair.before, what) if pair.before else 0)
            for pair in found.layers
        ]
        assert sum(changes) == totals[what]
    assert [pair.before for pair in found.layers if pair.before] == list(plans[0].layers)
    assert [pair.after for pair in found.layers if pair.after] == list(plans[1].layers)


def test_a_side_beside_itself_has_no_difference() -> None:
    document = json.loads(mbv2_here("compare", "network", "paper", "--format", "json").stdout)
    assert not document["differs"]
    assert document["layers"] == document["fields"] == []
    assert all(one["change"] == 0 for one in document["totals"])
