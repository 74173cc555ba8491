"""Every command at every width: numbers are whole, and styles are only where they belong."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.process import mbv2_at_terminal, mbv2_here

CONFIG = """
[case.stem]
expand = 6
max_params = "1k"

[case.edge]
target = "network"
width_mult = [0.35, 1.4]
max_macs = "300M"
max_flash = "2MiB"
"""
COMMANDS = (
    "summary --no-forward",
    "summary --no-forward --in 8 --out 8 --expand 1",
    "summary --no-forward --in 512 --out 512 --stride 2 --dilation 2 --batch 64",
    "summary network --no-forward",
    "summary network --no-forward --by block",
    "summary network --no-forward --by stage --dtype float64",
    "summary network --no-forward --by kind",
    "summary network --no-forward --columns path,moved_bytes,macs,training_bytes,stage",
    "counts network",
    "counts network --size 4096 --batch 128",
    "memory network",
    "memory network --size 2048 --batch 64 --dtype float64",
    "cliffs network --peak-rule inplace-depthwise --size 1024 --batch 8 --dtype float32",
    "presets efficientnet",
    "sweep network --width-mult 0.35:1.4:0.35 --max-macs 300M --cdf --pareto peak,-macs",
    "check --no-forward",
    "compare network network:width_mult=0.75",
)
WIDTHS = (40, 60, 80, 120, 200)

NUMBER = re.compile(r"(?:\d|(?<=\d)[.,](?=\d))+")
STYLE = re.compile(r"\x1b\[([\d;]*)m")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases")
    (folder / "mbv2.toml").write_text(CONFIG)
    return folder


def piped(command: str, folder: Path, **environment: str) -> str:
    """Return what a command writes to a pipe."""
    result = mbv2_here(*command.split(), cwd=folder, **environment)
    assert result.stderr == ""
    return result.stdout


def at_terminal(command: str, folder: Path, columns: int, **environment: str) -> str:
    """Return what a terminal of this width shows."""
    result = mbv2_at_terminal(*command.split(), columns=columns, cwd=folder, **environment)
    assert result.stderr == ""
    return result.stdout


def without_styles(text: str) -> str:
    return STYLE.sub("", text)


def colours(text: str) -> set[str]:
    """Return the codes of the colours in a text."""
    codes = {code for found in STYLE.findall(text) for code in found.split(";")}
    return {code for code in codes if re.fullmatch(r"[349]\d|10\d", code)}


@pytest.mark.parametrize("command", COMMANDS)
def test_numbers_are_whole_and_lines_fit(command: str, folder: Path) -> None:
    numbers = Counter(NUMBER.findall(piped(command, folder)))
    shortest = set(without_styles(at_terminal(command, folder, 1)).splitlines())
    for columns in WIDTHS:
        shown = without_styles(at_terminal(command, folder, columns))
        left_out = Counter({str(columns): shown.count("Not shown in ")})
        assert Counter(NUMBER.findall(shown)) <= numbers + left_out, columns
        # a line is longer than the terminal only if it cannot be shorter
        assert {line for line in shown.splitlines() if len(line) > columns} <= shortest, columns


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_has_every_column_and_no_style(command: str, folder: Path) -> None:
    text = piped(command, folder)
    assert "Not shown" not in text
    assert "\x1b" not in text
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_a_file_has_no_style_and_no_width(folder: Path) -> None:
    command = "summary network --no-forward"
    assert at_terminal(f"{command} --output a.txt", folder, 40, FORCE_COLOR="1") == ""
    assert (folder / "a.txt").read_text("utf-8") == piped(command, folder)


@pytest.mark.parametrize("command", COMMANDS)
def test_force_color_adds_styles_to_a_pipe_and_changes_nothing_else(
    command: str, folder: Path
) -> None:
    styled = piped(command, folder, FORCE_COLOR="1")
    assert STYLE.search(styled)
    assert without_styles(styled) == piped(command, folder)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_color_leaves_bold_and_dim_alone(command: str, folder: Path) -> None:
    shown = at_terminal(command, folder, 80, NO_COLOR="1")
    assert STYLE.search(shown)
    assert not colours(shown)
    assert without_styles(shown) == without_styles(at_terminal(command, folder, 80))
