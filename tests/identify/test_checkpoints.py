"""`mbv2 identify` and `mbv2 summary` of a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mbv2cli import NetworkSpec
from mbv2cli.specs.reader import read_request
from tests.process import mbv2_here
from tests.specs.checkpoint.networks import weights_of
from tests.specs.weights.files import SMALL, safetensors_bytes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a checkpoint of torchvision, and three others."""
    folder = tmp_path_factory.mktemp("checkpoints")
    spec = read_request("torchvision").spec
    assert isinstance(spec, NetworkSpec)
    torchvision = {one.name: one.shape for one in weights_of(spec, "torchvision").tensors}
    files = {
        "tv": torchvision,
        "small": SMALL,
        "linear": {"fc.weight": (4, 3)},
        "wrong": {**torchvision, "features.4.conv.1.1.weight": (145,)},
        "shorter": {n: one for n, one in torchvision.items() if not n.startswith("features.5.")},
        "askew": {**SMALL, "classifier.1.bias": (9,)},
        "segments": {
            **{name: shape for name, shape in SMALL.items() if not name.startswith("classifier")},
            "classifier.0.weight": (8, 16, 3, 3),
            "classifier.4.weight": (21, 8, 1, 1),
        },
    }
    for name, shapes in files.items():
        (folder / name).write_bytes(safetensors_bytes(shapes))
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("tv", 0, "tv has the shapes of torchvision (the same shapes: paper, keras_100,"),
        ("tv", 0, "tv is a torchvision checkpoint (safetensors)."),
        ("tv", 0, "Read: in, stem (features.0.0.weight), channels (features.1.conv.1.weight"),
        ("tv", 0, "Assumed: strides, dilation, act, size, shortcut (not in weights: the paper's)"),
        ("tv", 0, "Names and shapes only: no data was read, nothing was run."),
        ("tv:act=relu", 0, "Assumed: strides, dilation, size, shortcut (not"),
        ("tv --expect keras_100", 0, "tv has the shapes of keras_100."),
        ("tv --expect keras_050", 1, "block 1: in channels 32, not 16"),
        ("tv --expect block", 1, "the checkpoint: a network, not a block"),
        ("small", 0, "small is a MobileNetV2 of its own."),
        ("small --expect tv", 1, "block 3: missing"),
        ("tv --expect small", 1, "block 3: one too many"),
        ("tv:classes=7 --expect tv", 1, "the classifier: classes 7, not 1,000"),
        ("tv:classes=7", 0, "tv:classes=7 has the shapes of network:classes=7."),
        ("linear", 0, "linear is not a MobileNetV2: it has no depthwise convolution with 1x1"),
        ("linear", 0, "It has 1 tensor; 0 convolutions, 0 of them depthwise; 1 linear layer."),
        ("linear --expect paper", 1, "the checkpoint: not a MobileNetV2: it has no depthwise"),
        ("segments", 0, "Left out: other layers (classifier.0 and 1 more; the spec is the backb"),
        ("shorter --expect tv", 1, "differs from tv in 1 place: block 5: missing"),
        ("tv --expect shorter", 1, "differs from shorter in 1 place: block 5: one too many"),
        ("wrong", 0, "wrong contradicts itself, nearest to torchvision."),
        ("wrong", 0, "Contradicted: channels (features.4.conv.1.1.bias has 144 elements, but"),
        ("wrong --expect torchvision", 1, "features.4.conv.1.1.weight has 145"),
    ],
)
def test_identify(arguments: str, code: int, words: str, folder: Path) -> None:
    result = mbv2_here("identify", *arguments.split(), cwd=folder, COLUMNS="300")
    assert (result.code, result.stderr) == (code, "")
    assert words in " ".join(result.stdout.split())
    assert "agree" not in result.stdout


@pytest.mark.parametrize("target", ["tv", "small"])
def test_toml_of_a_checkpoint_has_its_shapes(target: str, folder: Path) -> None:
    result = mbv2_here("identify", target, "--format", "toml", cwd=folder)
    (folder / f"{target}.toml").write_text(result.stdout, "utf-8")
    again = mbv2_here("identify", target, "--expect", f"{target}.toml", cwd=folder)
    assert (again.code, again.stderr) == (0, "")


@pytest.mark.parametrize("target", ["wrong", "linear"])
def test_no_toml_of_what_has_no_spec(target: str, folder: Path) -> None:
    result = mbv2_here("identify", target, "--format", "toml", cwd=folder)
    assert result.code == 2
    assert "no spec has the shapes of" in result.stderr


def test_json(folder: Path) -> None:
    found = json.loads(mbv2_here("identify", "tv", "--format", "json", cwd=folder).stdout)
    assert found["agrees"] is None
    assert found["names"][0] == "torchvision"
    assert found["origin"]["what"] == "torchvision checkpoint (safetensors)"
    assert {one["how"] for one in found["origin"]["fields"]} == {"read", "assumed"}
    other = json.loads(mbv2_here("identify", "linear", "--format", "json", cwd=folder).stdout)
    assert other["spec"] is None
    assert other["reason"].startswith("it has no depthwise convolution")
    assert other["origin"]["fields"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        "summary tv --no-forward",
        "counts tv",
        "memory tv",
        "check tv --max-params 4M",
        "compare tv torchvision",
        "sweep tv --size 96,128",
    ],
)
def test_every_command_takes_a_checkpoint(arguments: str, folder: Path) -> None:
    result = mbv2_here(*arguments.split(), cwd=folder)
    assert result.code == 0, result.stderr


def test_summary_tells_what_is_assumed(folder: Path) -> None:
    result = mbv2_here("summary", "tv", "--no-forward", cwd=folder, COLUMNS="300")
    text = " ".join(result.stdout.split())
    assert "Read from tv: torchvision checkpoint (safetensors); assumed: strides, dilation," in text
    assert "Total params: 3,504,872" in text


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("segments", "the spec leaves out other layers (classifier.0 and 1 more; the spec is"),
        ("askew", "the file contradicts itself: classes (classifier.1.bias has 9 elements, but"),
    ],
)
def test_figures_of_a_part_are_no_figures_of_the_file(name: str, why: str, folder: Path) -> None:
    """No limit on them holds, and every report of them says so."""
    for limit in ("--max-params 1G", "--expect *x*x*x*", "--expect *x*"):
        checked = mbv2_here("check", name, *limit.split(), cwd=folder, COLUMNS="300")
        assert checked.code == 1
        assert why in " ".join(checked.stdout.split())
    report = mbv2_here("check", name, "--max-params=9M", "--format=json", cwd=folder).stdout
    (verdict,) = json.loads(report)["cases"][0]["verdicts"]
    assert verdict["doubt"].startswith(why)
    shown = mbv2_here("summary", name, "--no-forward", cwd=folder, COLUMNS="300").stdout
    assert f"those of the spec, not of the file: {why}" in " ".join(shown.split())
    memory = f"memory {name} --board stm32h743 --size 32"
    board = " ".join(mbv2_here(*memory.split(), cwd=folder).stdout.split())
    assert "On stm32h743: not known" in board
    assert board.count(why) == 2  # arena and flash
    printed = mbv2_here("summary", name, "--no-forward", "--print", "params", cwd=folder)
    assert printed.stdout.strip().isdecimal()
    assert f"those of the spec, not of the file: {why}" in printed.stderr


def test_the_verdict_is_not_on_the_weights_of_the_file(folder: Path) -> None:
    result = mbv2_here("summary", "small", "--size", "32", cwd=folder, COLUMNS="300")
    assert "Plan and forward pass of this spec, with random weights, agree on" in result.stdout


def test_summary_of_what_is_no_mobilenetv2_is_one_sentence(folder: Path) -> None:
    result = mbv2_here("summary", "linear", cwd=folder)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("mbv2: linear is a checkpoint (safetensors), not a MobileNetV2")
    assert result.stderr.endswith("mbv2 identify linear says what it has\n")
