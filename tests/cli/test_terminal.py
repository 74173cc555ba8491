"""What a person at a terminal sees."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from tests.process import ENVIRONMENT, mbv2_here

COLOUR = "\x1b[3"
"""How a code for a coloured foreground starts."""


def on_terminal(*arguments: str, columns: int, **environment: str) -> str:
    """Return what ``mbv2 ARGUMENTS`` shows on a terminal of this width."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "mbv2cli", *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**ENVIRONMENT, "TERM": "xterm-256color", **environment},
    ):
        os.close(slave)
        shown = b""
        while chunk := _read(master):
            shown += chunk
    os.close(master)
    return shown.decode("utf-8").replace("\r\n", "\n")


def without_styles(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # Linux, once the other side is closed
        return b""


def test_80_columns_leave_out_the_paths_of_a_network_and_say_so() -> None:
    shown = on_terminal("summary", "network", "--no-forward", columns=80, NO_COLOR="1")
    assert "│ Conv2d-13            depthwise 3x3 s2 [1, 96, 56, 56]         864  2,709,504" in shown
    assert "features.17" not in shown
    assert "Not shown in 80 columns: Path." in shown


def test_short_paths_are_shown_where_whole_paths_do_not_fit() -> None:
    shown = on_terminal("summary", "network", "--no-forward", columns=92, NO_COLOR="1")
    assert " .conv.0.0" in shown
    assert "features.17.conv" not in shown
    assert "Not shown" not in shown


def test_200_columns_show_whole_paths() -> None:
    shown = on_terminal("summary", "network", "--no-forward", columns=200)
    assert "features.17.conv.0.0" in shown


def test_a_narrow_terminal_leaves_out_columns_and_cuts_nothing() -> None:
    shown = on_terminal("summary", "--no-forward", columns=40, NO_COLOR="1")
    lines = without_styles(shown).splitlines()
    assert max(map(len, lines)) <= 40
    assert "Conv2d-7        1,152 57,802,752" in shown
    assert "Not shown in 40 columns: Role, Output" in shown


@pytest.mark.parametrize(
    ("command", "columns", "words"),
    [
        ("memory network", 40, "inplace-depthwise  5,488.00  1,372.00\n"),
        ("memory network", 60, " 1,372.00 features.2.conv.0.0\n"),
        ("memory network", 80, " 1,372.00 features.2.conv.0.0, expansion\n"),
        ("counts network", 40, "+BN +activation +bias +pool 320,300,008\n"),
        ("presets mobilenetv2", 40, "mobilenetv2_110d   224  4.52 M   430.5 M\n"),
        ("explain", 40, "One dense 3x3 convolution: 86,704,128\n    MACs, 1.26 x\n"),
        ("explain", 60, "One dense 3x3 convolution               86,704,128 1.26\n"),
        ("explain network", 40, "320x7x7    23,002,560\n"),
    ],
)
def test_the_most_important_columns_are_shown(command: str, columns: int, words: str) -> None:
    assert words in without_styles(on_terminal(*command.split(), columns=columns))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("summary", "\x1b[32mPlan and forward pass agree"),
        ("summary --no-forward", "\x1b[33mNo forward pass was run"),
        ("summary --no-forward", "\x1b[33m57,802,752\x1b[0m"),
        ("summary network --no-forward --by stage", "\x1b[33m 58,103,808\x1b[0m"),
        ("summary network --no-forward --by stage", "\x1b[1m300,774,272\x1b[0m"),
        ("memory network", "\x1b[33mfeatures.2.conv.1.0, depthwise"),
        ("cliffs network", "\x1b[33mThe widest network after each drop"),
        ("counts network", "\x1b[1m300,774,272\x1b[0m"),
        ("presets", "\x1b[1mPreset "),
    ],
)
def test_what_has_a_colour(command: str, words: str) -> None:
    assert words in mbv2_here(*command.split(), FORCE_COLOR="1").stdout


def test_colour_only_without_no_color() -> None:
    assert COLOUR in on_terminal("summary", "--no-forward", columns=80)
    assert COLOUR not in on_terminal("summary", "--no-forward", columns=80, NO_COLOR="1")


def test_the_plan_is_shown_before_the_forward_pass() -> None:
    shown = on_terminal("summary", columns=100)
    order = ["(planned)", "Running the forward pass", "Conv2d-1", "agree on every layer"]
    assert sorted(order, key=shown.index) == order


def test_nothing_is_said_to_run_when_nothing_runs() -> None:
    assert "Running" not in on_terminal("summary", "--no-forward", columns=100)
    assert on_terminal("summary", "-q", columns=100) == ""


def test_a_mistake_in_the_forward_pass_is_told_after_the_plan() -> None:
    shown = on_terminal("summary", "--device", "cuda:9", columns=100)
    assert shown.index("(planned)") < shown.index("mbv2: --device cuda:9 cannot be used")
    assert "Traceback" not in shown


def test_the_help_fits_the_terminal() -> None:
    shown = on_terminal("-h", columns=60)
    lines = re.sub(r"\x1b\[[\d;]*m", "", shown).splitlines()
    assert max(map(len, lines)) <= 60
    assert "  mbv2 check network --max-params 4M --no-forward" in lines
    assert "\x1b[1mInspect:\x1b[0m" in shown
