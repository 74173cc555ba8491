from __future__ import annotations

from pathlib import Path

import pytest

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, Stage, UserError
from mbv2cli.specs.reader import Setting, read_request

TINY = """
in = 1
classes = 2
stages = [
    {t = 1, c = 8},
    {t = 4, c = 16, n = 2, s = 2, kernel = 5, dilation = 2},
]
size = [32, 48]
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def test_a_file_gives_a_network_of_its_own_stages(tiny: Path) -> None:
    request = read_request(str(tiny))
    assert request.spec == NetworkSpec(
        in_channels=1,
        classes=2,
        stages=(
            Stage(expand=1, out_channels=8),
            Stage(expand=4, out_channels=16, repeats=2, stride=2, kernel=5, dilation=2),
        ),
    )
    assert request.input == InputSpec(size=(32, 48))


def test_flags_win_over_inline_settings_and_those_over_the_file(tiny: Path) -> None:
    request = read_request(
        f"{tiny}:classes=5,width_mult=0.5", [Setting("classes", "7", "--classes")]
    )
    assert isinstance(request.spec, NetworkSpec)
    assert (request.spec.classes, request.spec.width_mult, request.spec.in_channels) == (7, 0.5, 1)


def test_a_file_can_hold_a_block(tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    path.write_text('target = "block"\nin = 8\nexpand = 2.5\n')
    assert read_request(str(path)).spec == BlockSpec(in_channels=8, expand=2.5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("in = ", "not valid TOML"),
        ("in = " + 5000 * "9", "not valid TOML"),
        ("in = " + 5000 * "[", "not valid TOML"),
        ("in = [3]", "in must be a whole number"),
        ("size = [3]", "size must be a side or HEIGHTxWIDTH"),
        ('target = "block"\nstages = []', "belongs to a network"),
        ("clases = 3", "did you mean 'classes'"),
        ("stages = [{t = 1, c = 8, m = 3}]", "stages[0].m is not a key"),
        ("stages = [{t = 1}]", "stages[0].c is missing"),
        ("stages = [{t = 1, c = 8, kernel = 4}]", "stages[0].kernel must be an odd"),
        ("stages = []", "list of 1 to 100 stages"),
        ("stages = 3", "list of 1 to 100 stages"),
        ("in = true", "whole number"),
        ("kernel = 5", "belongs to a block"),
        ('target = "blok"', "did you mean 'block'"),
    ],
)
def test_mistakes_in_a_file_name_the_file_and_the_key(
    tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(content)
    with pytest.raises(UserError) as error:
        read_request(str(path))
    assert str(path) in str(error.value)
    assert words in str(error.value)


def test_the_message_of_a_syntax_error_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("in = 3\nclasses = =\n")
    with pytest.raises(UserError, match="line 2"):
        read_request(str(path))
