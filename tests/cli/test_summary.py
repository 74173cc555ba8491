"""stdout, stderr and exit code of `mbv2 summary`, as a caller gets them."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
import torchsummary
from syrupy.assertion import SnapshotAssertion
from torch import nn

from mbv2cli import BlockSpec, InvertedResidual, MobileNetV2
from mbv2cli.report.summary.rows import LayerRow
from mbv2cli.report.summary.values import VALUES
from tests.process import mbv2, mbv2_here

NETWORK = ("summary", "network:width_mult=0.35,size=96,classes=10")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("--help",),
        ("summary", "--help"),
        ("summary",),
        ("summary", "--no-forward"),
        ("summary", "--in", "8", "--out", "8", "--batch", "4", "--size", "20x30"),
        ("summary", "--expand", "1", "--format", "markdown"),
        NETWORK,
        (*NETWORK, "--format", "csv"),
        (*NETWORK, "--no-forward", "--by", "stage"),
        (*NETWORK, "--no-forward", "--by", "kind", "--format", "markdown"),
        (*NETWORK, "--no-forward", "--by", "block", "--format", "csv"),
        (
            "summary",
            "--no-forward",
            "--convention",
            "thop",
            "--columns",
            "name,kind,macs,intensity",
        ),
        ("summary", "--size", "8", "--format", "json"),
        ("summary", "--no-forward", "--print", ",".join(VALUES)),
        ("summary", "-q"),
    ],
    ids=" ".join,
)
def test_what_a_caller_gets(arguments: tuple[str, ...], snapshot: SnapshotAssertion) -> None:
    assert mbv2_here(*arguments) == snapshot


def test_the_reference_run() -> None:
    result = mbv2_here("summary", "--in", "3", "--out", "64", "--expand", "6")
    for words in (
        *("[1, 64, 224, 224]", "Total params: 1,568", "Input size (MB): 0.57"),
        *("pass size (MB): 90.34", "Params size (MB): 0.01", "Total Size (MB): 90.92"),
        *("Conv2d-1 ", "ReLU-3 ", "BatchNorm2d-8 ", "Plan and forward pass agree"),
    ):
        assert words in result.stdout
    assert (result.code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("", "Expand 3 -> 18, depthwise 3x3, project 18 -> 64; no shortcut: 3 in, 64 out"),
        (
            "--in 8 --out 8 --expand 1",
            (
                "No expansion (expand 1), depthwise 3x3, project 8 -> 8; shortcut: stride 1, 8 in, "
                "8 out"
            ),
        ),
        (
            "--in 8 --out 16 --stride 2 --kernel 5",
            (
                "Expand 8 -> 48, depthwise 5x5 stride 2, project 48 -> 16; no shortcut: stride 2, "
                "8 in, 16 out"
            ),
        ),
        (
            "--in 8 --out 8 --stride 2",
            "Expand 8 -> 48, depthwise 3x3 stride 2, project 48 -> 8; no shortcut: stride 2",
        ),
        (
            "--in 8 --out 8 --dilation 2",
            (
                "Expand 8 -> 48, depthwise 3x3 dilation 2, project 48 -> 8; shortcut: stride 1, "
                "8 in, 8 out"
            ),
        ),
    ],
)
def test_a_block_says_what_each_convolution_does(flags: str, words: str) -> None:
    lines = mbv2_here("summary", "--no-forward", *flags.split()).stdout.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Output shape")) + 1
    stop = next(i for i, line in enumerate(lines) if line.startswith("Device"))
    assert " ".join(" ".join(lines[start:stop]).split()) == words


@pytest.mark.parametrize(
    ("flags", "role"),
    [
        ("", "depthwise 3x3"),
        ("--stride 2", "depthwise 3x3 s2"),
        ("--kernel 5 --dilation 4", "depthwise 5x5 d4"),
    ],
)
def test_the_role_has_kernel_stride_and_dilation(flags: str, role: str) -> None:
    arguments = ("--no-forward", "--columns", "path,role", *flags.split())
    lines = mbv2_here("summary", *arguments).stdout.splitlines()
    roles = ["conv.0.0 expansion", f"conv.1.0 {role}", "conv.2   projection"]
    assert [line for line in lines if line.startswith("conv.") and " " in line] == roles


@pytest.mark.parametrize(
    ("flags", "device"),
    [
        ("--no-forward", "none (--no-forward), float32"),
        ("--no-forward --dtype int8", "none (--no-forward), int8"),
        ("--size 8", "cpu (auto), float32"),
        ("--size 8 --device cpu --dtype float64", "cpu, float64"),
    ],
)
def test_the_device_is_the_one_that_ran(flags: str, device: str) -> None:
    assert f"\nDevice: {device}\n" in mbv2_here("summary", *flags.split()).stdout


def test_every_amount_of_bytes_has_its_dtype_and_unit() -> None:
    columns = [name for name in LayerRow.model_fields if name.endswith("_bytes")]
    arguments = ("--no-forward", "--columns", ",".join(columns), "--dtype", "float16")
    lines = mbv2_here("summary", *arguments).stdout.splitlines()
    assert [line.split() for line in lines if "float16 KiB" in line] == [
        ["float16", "KiB"] * len(columns)
    ]
    assert "Peak memory (float16): 8,036.00 KiB layerwise, 12,838.00 KiB eager" in "\n".join(lines)


def test_the_reference_network() -> None:
    document = json.loads(mbv2_here("summary", "network", "--format", "json").stdout)
    assert document["totals"]["params"] == 3_504_872
    assert document["totals"]["macs"] == 300_774_272
    assert document["output_shape"] == [1, 1000]
    assert document["torchsummary"]["forward_backward_mb"] == 152.87
    assert document["forward"]["agrees"] is True
    assert sum(not layer["functional"] for layer in document["layers"]) == 158


@pytest.mark.parametrize("forward", ["--forward", "--no-forward"])
@pytest.mark.parametrize(
    ("target", "module"),
    [("block", lambda: InvertedResidual(BlockSpec())), ("network", MobileNetV2)],
    ids=["block", "network"],
)
def test_torchsummary_s_own_text(
    target: str,
    module: Callable[[], nn.Module],
    forward: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    torchsummary.summary(module(), (3, 224, 224), batch_size=1, device="cpu")
    shown = capsys.readouterr().out
    assert mbv2_here("summary", target, "--format", "torchsummary", forward) == (0, shown, "")


def test_json_and_csv_tell_the_same_of_every_layer() -> None:
    layers = json.loads(mbv2_here(*NETWORK, "--no-forward", "--format", "json").stdout)["layers"]
    lines = list(csv.DictReader(StringIO(mbv2_here(*NETWORK, "--format", "csv").stdout)))

    def text(value: object) -> str:
        if isinstance(value, list):
            return "x".join(map(str, value))
        return "" if value is None else str(value).lower() if value in (True, False) else str(value)

    assert [{key: text(value) for key, value in layer.items()} for layer in layers] == [
        {key: line[key].lower() if key == "functional" else line[key] for key in line}
        for line in lines
    ]


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert mbv2(*NETWORK, "--seed", "7") == mbv2_here(*NETWORK, "--seed", "7")


def test_output_goes_to_the_file_and_nowhere_else(tmp_path: Path) -> None:
    result = mbv2_here(
        "summary", "--no-forward", "--format", "csv", "--output", "a.csv", cwd=tmp_path
    )
    assert result == (0, "", "")
    assert (tmp_path / "a.csv").read_text() == mbv2_here(
        "summary", "--no-forward", "--format", "csv"
    ).stdout
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_output_keeps_the_mode_and_the_link(tmp_path: Path) -> None:
    real = tmp_path / "real.txt"
    real.write_text("old")
    real.chmod(0o600)
    (tmp_path / "link.txt").symlink_to(real)
    assert mbv2_here("summary", "--no-forward", "--output", "link.txt", cwd=tmp_path).code == 0
    assert (tmp_path / "link.txt").is_symlink()
    assert "Conv2d-1" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_quiet_still_writes_the_file(tmp_path: Path) -> None:
    result = mbv2_here("summary", "-q", "--print", "macs", "--output", "macs.txt", cwd=tmp_path)
    assert result == (0, "", "")
    assert (tmp_path / "macs.txt").read_text() == "68640768\n"


@pytest.mark.parametrize("by", ["block", "stage", "kind"])
def test_groups_fit_80_columns(by: str) -> None:
    lines = mbv2_here("summary", "network", "--no-forward", "--by", by).stdout.splitlines()
    assert max(map(len, lines)) <= 80


def test_a_convention_changes_macs_everywhere() -> None:
    arguments = ("summary", "network", "--no-forward", "--convention", "torchinfo")
    document = json.loads(mbv2_here(*arguments, "--format", "json").stdout)
    assert document["convention"] == "+bias +BN parameter count"
    for rows in ("layers", "blocks", "stages", "kinds"):
        assert sum(row["macs"] for row in document[rows]) == 300_809_384
    assert document["totals"]["macs"] == 300_809_384
    assert mbv2_here(*arguments, "--print", "macs").stdout == "300809384\n"


def test_no_line_of_a_pipe_is_cut_or_padded() -> None:
    lines = mbv2_here(*NETWORK, "--no-forward", COLUMNS="40").stdout.splitlines()
    assert any("features.17.conv.0.0" in line for line in lines)
    assert not any("…" in line or line.endswith(" ") for line in lines)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("--act ReLU6", "--act relu6"),
        ("--act LeakyReLU", "--act leaky_relu"),
        ("--act swish", "--act silu"),
        ("--act h-swish", "--act hardswish"),
        ("--size 64,32", "--size 64x32"),
        ("--size 64*32", "--size 64x32"),
        ("--dtype half", "--dtype float16"),
        ("--dtype fp16", "--dtype float16"),
        ("--dtype F32", "--dtype float32"),
        ("--dtype bf16", "--dtype bfloat16"),
        ("--format JSON", "--format json"),
        ("--format TorchSummary", "--format torchsummary"),
        ("--by Stage", "--by stage"),
        ("--device CPU", "--device cpu"),
    ],
)
def test_a_word_may_be_written_in_several_ways(written: str, meant: str) -> None:
    found, expected = (
        mbv2_here("summary", "--no-forward", *words.split()) for words in (written, meant)
    )
    assert expected.code == 0
    assert (found.code, found.stdout) == (0, expected.stdout)
