from __future__ import annotations

from pathlib import Path

import pytest

from mbv2cli.report.draw import What
from tests.process import mbv2_here


def test_the_same_model_is_the_same_file(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        assert mbv2_here("draw", "network", "--output", str(tmp_path / name)) == (0, "", "")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert mbv2_here("draw", "--output", str(tmp_path / "a.png")).code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("what", What)
def test_each_kind_of_picture(what: What, tmp_path: Path) -> None:
    command = ("draw", "--in", "8", "--size", "16", "--what", what)
    assert mbv2_here(*command, "--output", str(tmp_path / "a.svg")) == (0, "", "")
    text = (tmp_path / "a.svg").read_text("utf-8")
    assert "InvertedResidual(in=8, out=64, stride=1, expand=6, kernel=3, act=relu)" in text


def test_a_module_of_one_s_own_and_a_ridge(tmp_path: Path) -> None:
    (tmp_path / "my_model.py").write_text("from torch import nn\nnet = nn.Conv2d(1, 2, 3)\n")
    command = ("draw", "my_model.py:net", "--input", "1x1x8x8")
    line = (*command, "--what", "roofline", "--ridge", "1e3", "--output", "a.svg")
    assert mbv2_here(*line, cwd=tmp_path) == (0, "", "")
    assert "1 of 1 layers are to the left" in (tmp_path / "a.svg").read_text("utf-8")
    (tmp_path / "b.svg").symlink_to("my_model.py")
    result = mbv2_here(*command, "--output", "b.svg", cwd=tmp_path)
    assert result.code == 2
    assert "which is the same file" in result.stderr


def test_a_file_of_another_codebase_says_what_is_assumed(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "mobilenet_v2"}')
    for what in What:
        line = ("draw", "config.json", "--what", what, "--output", "a.svg")
        assert mbv2_here(*line, cwd=tmp_path) == (0, "", "")
        assert "Read from config.json: Hugging Face" in (tmp_path / "a.svg").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--output is missing"),
        (("--output", "block.pdf"), "--output must end in .svg or .png, not 'block.pdf'"),
        (("nework", "--output", "a.svg"), "did you mean 'network'?"),
        (("--output", "no/such/a.svg"), "cannot write no/such/a.svg"),
        (("--what", "memroy", "--output", "a.svg"), "did you mean 'memory'?"),
        (("--dtype", "int8", "--output", "a.svg"), "--dtype does nothing with --what shapes"),
        (
            ("--what", "roofline", "--peak-rule", "eager", "--output", "a.svg"),
            "--peak-rule does nothing with --what roofline",
        ),
        (("--what", "cost", "--ridge", "4", "--output", "a.svg"), "--ridge does nothing with"),
        (
            ("--what", "roofline", "--ridge", "nan", "--output", "a.svg"),
            "--ridge must be a number above 0, such as 4, not 'nan'",
        ),
        (
            ("--what", "roofline", "--ridge", "x", "--output", "a.svg"),
            "--ridge must be a number above 0, such as 4, not 'x'",
        ),
    ],
)
def test_mistakes(arguments: tuple[str, ...], words: str) -> None:
    result = mbv2_here("draw", *arguments)
    assert (result.code, result.stdout) == (2, "")
    assert words in result.stderr
