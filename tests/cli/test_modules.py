"""`mbv2 summary my_model.py:Net`, as people type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.process import mbv2_here

MODEL = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width=1.0):
        super().__init__()
        self.conv = nn.Conv2d(3, int(8 * width), 3, padding=1, bias=False)

    def forward(self, x):
        print("a line of the model")
        return self.conv(x).relu() @ x.new_ones(x.shape[-1], 2)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_model.py").write_text(MODEL)
    return tmp_path


def test_the_table_of_a_module(folder: Path) -> None:
    result = mbv2_here("summary", "my_model.py:Net:width=0.5", "--size", "32", cwd=folder)
    assert (result.code, result.stderr) == (0, "a line of the model\n")
    for line in (
        "my_model.py:Net(width=0.5)",
        "Output shape: [1, 4, 32, 2] (observed)",
        "Total params: 108",
        "MACs: at least 110,592 (convolutions + linear)",
        "Not counted, because the convention has no rule: matmul.",
        "Observed only: one forward pass, cpu, float32. There is no plan to compare with.",
    ):
        assert line in result.stdout.splitlines()
    assert "agree" not in result.stdout


def test_the_document_of_a_module(folder: Path) -> None:
    target = "my_model.py:Net"
    result = mbv2_here(*("summary", target, "--input", "2x3x8x8", "--format", "json"), cwd=folder)
    document = json.loads(result.stdout)
    assert (document["target"], document["kind"], document["spec"]) == (target, "module", None)
    assert document["input_shapes"] == [[2, 3, 8, 8]]
    assert document["output_shapes"] == [[2, 8, 8, 2]]
    assert document["forward"]["agrees"] is None
    assert document["unknown"] == ["matmul"]
    assert document["identity"] is None
    assert document["totals"]["macs"] == 2 * 64 * 216


NETWORK = """
from mbv2cli import MobileNetV2, NetworkSpec

def same():
    return MobileNetV2()

def near():
    model = MobileNetV2()
    model.features[8].has_shortcut = False
    return model

def own():
    return MobileNetV2(NetworkSpec(stem=40, stages="t1c16/t6c48n3s2"))
"""
WHERE = "cpu, float32; not compared: dropout 0.2"


@pytest.mark.parametrize(
    ("name", "sentence", "cell", "identity"),
    [
        (
            "same",
            f"It is torchvision: plan and forward pass agree: the same 151 operations, {WHERE}.",
            "agrees with the plan of torchvision (cpu, float32); not compared: dropout 0.2",
            ("torchvision", None, True),
        ),
        (
            "near",
            (
                "Observed only: one forward pass, cpu, float32. Nearest preset: torchvision; "
                "1 place differs (mbv2 identify says where)."
            ),
            "observed only (cpu, float32); nearest preset: torchvision; 1 place differs",
            (None, "torchvision", False),
        ),
        (
            "own",
            (
                "It is a MobileNetV2 of its own: plan and forward pass agree: the same "
                f"39 operations, {WHERE}."
            ),
            (
                "agrees with the plan of a MobileNetV2 of its own (cpu, float32); not compared: "
                "dropout 0.2"
            ),
            (None, None, True),
        ),
    ],
)
def test_the_verdict_says_which_network_it_is(
    tmp_path: Path, name: str, sentence: str, cell: str, identity: tuple[str, str, bool]
) -> None:
    (tmp_path / "nets.py").write_text(NETWORK)
    table, markdown, text = (
        mbv2_here(*f"summary nets.py:{name} --size 32 --format {one}".split(), cwd=tmp_path).stdout
        for one in ("table", "markdown", "json")
    )
    assert " ".join(table.split()).endswith(sentence)
    assert f"| Forward pass | {cell} |" in markdown
    part = json.loads(text)["identity"]
    assert (next(iter(part["names"]), None), part["nearest"], part["agrees"]) == identity
    assert part["remarks"] == ["dropout 0.2"]


@pytest.mark.parametrize("format_name", ["csv", "markdown", "torchsummary"])
def test_other_formats_of_a_module(folder: Path, format_name: str) -> None:
    result = mbv2_here(*("summary", "my_model.py:Net", "--format", format_name), cwd=folder)
    assert result.code == 0
    assert "Conv2d-1" in result.stdout
    assert "a line of the model" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("summary my_model.py:Net --no-forward", "only a forward pass shows its layers"),
        ("summary my_model.py:Net --out 8", "is part of the TARGET: my_model.py:Net:out=8"),
        ("identify my_model.py", "take a module too, such as my_model.py:Net"),
        ("counts my_model.py:Net", "mbv2 summary and mbv2 identify take a module too"),
        ("identify network --input 1x3x8x8", "--input belongs to a module of your own"),
        ("summary network --input 1x3x8x8", "--input belongs to a module of your own"),
        ("summary my_model.py:Net --input 1x4x8x8", "the forward pass fails in Conv2d conv"),
    ],
)
def test_mistakes(folder: Path, arguments: str, message: str) -> None:
    result = mbv2_here(*arguments.split(), cwd=folder)
    assert (result.code, result.stdout) == (2, "")
    assert message in result.stderr.splitlines()[-1]


def test_a_module_is_not_replaced_by_an_output(folder: Path) -> None:
    (folder / "link.txt").symlink_to("my_model.py")
    for command in ("summary", "identify"):
        result = mbv2_here(command, "my_model.py:Net", "--output", "link.txt", cwd=folder)
        assert result.code == 2
        assert "which is the same file" in result.stderr
    assert (folder / "my_model.py").read_text() == MODEL


@pytest.mark.parametrize("command", ["summary", "identify"])
def test_a_device_that_cannot_be_used_is_named_as_it_was_typed(command: str, folder: Path) -> None:
    result = mbv2_here(command, "my_model.py:Net", "--device", "cuda", cwd=folder)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("mbv2: --device cuda cannot be used: this machine has no CUDA")


def test_nothing_is_loaded_for_a_mistake(folder: Path) -> None:
    (folder / "my_model.py").write_text("open('ran', 'w')\n")
    for arguments in ("--no-forward", "--out 8", "--input 0", "--convention x"):
        mbv2_here("summary", "my_model.py:Net", *arguments.split(), cwd=folder)
    assert not (folder / "ran").exists()
