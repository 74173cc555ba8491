from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mbv2cli.specs.boards import boards
from tests.process import mbv2_at_terminal, mbv2_here

MINE = '[board.mine]\nsram = "200KiB"\nflash = "100KiB"\n'
BOARD = ("--board", "nrf52840")
NARROW = ("network:width_mult=0.1,classes=10", "--size", "96")


def document(*arguments: str) -> Any:
    result = mbv2_here(*arguments, "--format", "json")
    assert (result.code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_boards_are_listed_with_their_memory() -> None:
    listed = document("boards")["boards"]
    assert [one["name"] for one in listed] == list(boards())
    shown = mbv2_here("boards").stdout
    assert max(map(len, shown.splitlines())) <= 80
    row = next(line.split() for line in shown.splitlines() if line.startswith("stm32h743"))
    assert row[1:4] == ["1,024", "512", "2,048"]


def test_one_board_is_shown_with_its_sources() -> None:
    (board,) = document("boards", "nucleo-h743zi")["boards"]
    shown = mbv2_here("boards", "stm32h743").stdout
    assert board["name"] == "stm32h743"
    for source in board["sources"]:
        assert source["source"].split()[-1] in shown
    assert "AXI SRAM 512 KiB" in shown


def test_a_board_of_one_s_own_is_listed_last_and_limits(tmp_path: Path) -> None:
    (tmp_path / "mbv2.toml").write_text(MINE)
    shown = mbv2_here("boards", "--format", "json", cwd=tmp_path).stdout
    assert json.loads(shown)["boards"][-1]["name"] == "mine"
    result = mbv2_here("check", *NARROW, "--board", "mine", "--no-forward", cwd=tmp_path)
    assert result.code == 1
    assert "<= 200.00 KiB" in result.stdout


@pytest.mark.parametrize(
    ("board", "verdict"), [("stm32f746", "fits"), ("max78000", "does not fit")]
)
def test_every_command_says_the_same(board: str, verdict: str) -> None:
    holds = verdict == "fits"
    checked = mbv2_here("check", *NARROW, "--board", board, "--no-forward", "--format", "json")
    assert checked.code == (0 if holds else 1)
    (case,) = json.loads(checked.stdout)["cases"]
    assert (case["board"], case["holds"]) == (board, holds)
    fit = document("memory", *NARROW, "--board", board)["fit"]
    assert fit["holds"] is holds
    amounts = {one["what"]: (one["actual"], one["headroom"]) for one in case["verdicts"]}
    assert amounts == {
        "tflm": (fit["tflm_bytes"], fit["tflm_headroom_bytes"]),
        "flash": (fit["flash_bytes"], fit["flash_headroom_bytes"]),
    }
    for arena in ((), ("--arena",)):
        shown = mbv2_here("memory", *NARROW, "--board", board, *arena).stdout
        assert f"On {board}: {verdict}\n" in shown
        assert "Not counted are stack" in shown


@pytest.mark.parametrize(
    ("board", "verdict"), [("stm32h743", "not known whether it fits"), ("max78000", "does not fit")]
)
def test_a_lower_bound_may_fit_or_surely_not(board: str, verdict: str) -> None:
    words = (*NARROW, "--act", "gelu", "--board", board)
    shown = mbv2_here("memory", *words).stdout
    assert f"On {board}: {verdict}\n" in shown
    assert "no rule counts gelu" in shown
    assert not document("memory", *words)["fit"]["holds"]


def test_presets_are_those_that_fit() -> None:
    listed = {
        one["name"]: one["fit"] for one in document("presets", "--board", "stm32h743")["presets"]
    }
    assert {"hf_035_96", "mcunet_035_144"} <= listed.keys()
    assert all(fit["holds"] for fit in listed.values())
    assert all(one["fit"] is None for one in document("presets", "hf_035_96")["presets"])
    assert "% left" in mbv2_here("presets", "--board", "stm32h743").stdout


def test_cliffs_names_the_widest_network_that_fits() -> None:
    board = ("--size", "112", "--board", "stm32f746")
    found = document("cliffs", "network:classes=10,padding=same", *board)
    networks = (one for plateau in found["plateaus"] for one in plateau["networks"])
    widths = sorted(width for one in networks for width in one["widths"])
    wider = widths[widths.index(found["board_width"]) + 1]
    for width, holds in ((found["board_width"], True), (wider, False)):
        target = f"network:classes=10,padding=same,width_mult={width}"
        assert document("memory", target, *board)["fit"]["holds"] is holds


def test_cliffs_names_the_narrowest_network_where_none_fits() -> None:
    shown = mbv2_here("cliffs", "network", "--size", "112", "--board", "max78000").stdout
    # 0.11 and 0.10 build the same network
    assert "On max78000, width_mult 0.11, the narrowest: does not fit\n" in shown


def test_a_network_of_fit_is_a_target() -> None:
    arguments = ("--board", "max78000", "--classes", "10", "--size", "64", "--expand", "6")
    found = document("fit", *arguments, "--top", "2")
    assert len(found["best"]) == 2
    shown = mbv2_here("fit", *arguments).stdout
    for one in found["best"]:
        result = mbv2_here("check", one["target"], "--board", "max78000", "--no-forward")
        assert result.code == 0
        assert one["target"] in shown


def test_fit_says_what_it_tried_and_what_is_not_counted() -> None:
    words = ("fit", "--board", "max78000", "--classes=10", "--size=64,80", "--padding=same")
    shown = mbv2_here(*words).stdout
    assert "Space: 78 members of network (width_mult 13, expand 3, size 2)" in shown
    assert "Limits: max78000: tflm <= 128.00 KiB, flash <= 512.00 KiB" in shown
    assert "MACs stand for accuracy here" in shown
    assert "not counted are stack" in shown
    coloured = mbv2_at_terminal(*words, columns=80).stdout
    narrow = re.sub(r"\x1b\[[\d;]*m", "", coloured).splitlines()
    assert max(map(len, narrow)) <= 80
    assert any(line.startswith("width_mult=") and "% left" in line for line in narrow)


def test_fit_finds_nothing_where_nothing_fits() -> None:
    result = mbv2_here("fit", "--max-tflm", "1KiB", "--size", "64")
    assert (result.code, result.stderr) == (0, "")
    assert "No network of the space fits." in result.stdout
    assert "The nearest network" in result.stdout
    assert "Limits: tflm <= 1.00 KiB" in result.stdout


def test_fit_never_lists_an_arena_that_is_not_known() -> None:
    words = ("fit", *BOARD, "--act=gelu", "--classes=10", "--size=64", "--padding=same")
    shown = mbv2_here(*words).stdout
    assert "No network of the space is known to fit." in shown
    assert "Left out are networks whose amounts are not known: there is no rule for gelu." in shown
    found = document(*words)
    assert (found["best"], found["near"], found["nearest"]) == ([], [], None)
    assert found["unknown"] == ["gelu"]


def test_every_command_says_the_same_of_what_tflm_keeps_beside_the_arena() -> None:
    (best,) = document("fit", *BOARD, "--classes=10", "--size=96", "--top=1")["best"]
    in_arena = document("memory", best["target"], "--arena")["arena"]
    on_board = document("memory", best["target"], *BOARD)["fit"]
    bound = best["persistent_bytes_at_most"]
    assert bound == in_arena["persistent_bytes_at_most"] == on_board["persistent_bytes_at_most"]
    kib = f"{bound / 2**10:.2f}"
    assert f"{kib} KiB of SRAM more" in mbv2_here("memory", best["target"], *BOARD).stdout
    shown = mbv2_here("fit", *BOARD, "--classes=10", "--size=96", "--top=1").stdout
    assert "TFLM's own" in shown
    assert kib in shown


@pytest.mark.parametrize(("limit", "exceeds"), [("256KiB", True), ("160KiB", False)])
def test_an_arena_that_exceeds_the_sram_with_tflm_s_persistent_data_is_told(
    limit: str, *, exceeds: bool
) -> None:
    words = (*BOARD, "--classes=2", "--max-tflm", limit, "--size=112", "--padding=same", "--top=1")
    assert ("exceed the SRAM together with" in mbv2_here("fit", *words).stdout) is exceeds
    (best,) = document("fit", *words)["best"]
    shown = mbv2_here("memory", best["target"], *BOARD).stdout
    assert ("exceed the SRAM of 256.00 KiB" in shown.replace("\n    ", " ")) is exceeds


def test_a_sweep_keeps_the_limits_of_a_board() -> None:
    flags = ("--size", "96,128", "--classes", "10", "--width-mult", "0.35", "--format", "json")
    found = json.loads(mbv2_here("sweep", "network", *flags, "--board", "rp2040").stdout)
    conditions = ["tflm <= 270336", "flash <= 2097152"]
    assert [one["condition"] for one in found["conditions"]] == conditions
    assert [one["target"] for one in found["top"]] == ["network:width_mult=0.35,classes=10,size=96"]
    assert found["top"][0]["tflm"] <= 264 * 1024


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("boards stm32x743", "no board has 'stm32x743' in its name; mbv2 boards lists every board"),
        ("memory network --board stm32f74", "did you mean 'stm32f746'?"),
        ("check network --board stm32f74", "--board must be a board that mbv2 boards lists"),
        ("cliffs network --board nrf", "--board must be a board that mbv2 boards lists"),
        (
            "memory network --board rp2040,stm32f746",
            "--board takes one board at a time, such as rp2040, not 'rp2040,stm32f746'",
        ),
        ("memory network --board rp2041,stm32f746", "one board at a time, such as stm32f746"),
        ("memory network --patches 2x2,rp2040", "must be best or a grid"),
        ("memory network --board rp2040 --patches 4x4", "--board is about the arena"),
        ("fit", "mbv2 fit needs a board or a limit"),
        ("fit --peak-rule eager", "mbv2 fit needs a board or a limit"),
        ("fit block --board rp2040", "mbv2 fit varies a network"),
        ("fit --board rp2040 --top 0", "--top must be a whole number from 1 to 1,000"),
        ("fit --board rp2040 --size 0.5", "--size must be a side"),
    ],
)
def test_mistakes(line: str, words: str) -> None:
    result = mbv2_here(*line.split())
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
