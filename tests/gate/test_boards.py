from __future__ import annotations

from pathlib import Path

import pytest

from mbv2cli import NetworkSpec, UserError, plan_of
from mbv2cli.costs.figures import FLASH, TFLM
from mbv2cli.gate.boards import boards_here, fit_of, matching, own_boards, with_boards
from mbv2cli.gate.cases import planned_result
from mbv2cli.gate.config import read_config
from mbv2cli.gate.limits import Expectations, Limits
from mbv2cli.specs.boards import Board, boards
from mbv2cli.specs.reader import Setting, read_spec
from mbv2cli.specs.run import InputSpec
from mbv2cli.testing import check

FILE = Path("mbv2.toml")
MINE = {"mine": {"sram": "200KiB", "flash": "100KiB"}}
EDGE = 'target = "network:width_mult=0.1,classes=10"\nsize = 96\n'


@pytest.mark.parametrize("board", boards())
def test_a_board_limits_arena_and_flash(board: str) -> None:
    limits = Limits.model_validate({"board": board})
    assert limits.limit_of(TFLM) == boards()[board].region
    assert limits.limit_of(FLASH) == boards()[board].flash


def test_a_limit_beside_the_board_wins() -> None:
    limits = Limits.model_validate({"board": "stm32f746", "max_tflm": "9KiB"})
    assert (limits.limit_of(TFLM), limits.limit_of(FLASH)) == (9 * 2**10, 2**20)


def test_boards_of_the_user_s_own() -> None:
    found = own_boards(FILE, {"board": {**MINE, "gap": {**MINE["mine"], "region": "96KiB"}}})
    assert found["mine"] == Board("mine", 204_800, 102_400, 204_800)
    assert found["gap"].region == 98_304
    settings = with_boards([Setting("board", "mine", "--board")], lambda: found)
    assert read_spec(Limits, settings).limit_of(TFLM) == 204_800
    assert matching("mine", found) == (found["mine"],)


@pytest.mark.parametrize(
    ("boards", "words"),
    [
        ({"mine": {"sram": "1KiB"}}, "mbv2.toml: board.mine.flash"),
        ({"mine": {"sram": "1KiB", "flash": "much"}}, "board.mine.flash must be bytes such as"),
        ({"mine": {"sram": "1KiB", "flash": 9, "ram": 3}}, "board.mine.ram is not a key"),
        ({"mine": {"sram": 9, "flash": 9, "region": 10}}, "board.mine.region"),
        ({"mine": 3}, "board.mine must be a table"),
        ({"stm32f746": MINE["mine"]}, "has the name of a board that mbv2 boards lists"),
        (3, "mbv2.toml: board must be a table, such as [board.mine], not 3"),
    ],
)
def test_mistakes_in_a_board(boards: object, words: str) -> None:
    with pytest.raises(UserError) as error:
        own_boards(FILE, {"board": boards})
    assert words in str(error.value)


def test_a_case_names_a_board_or_several(tmp_path: Path) -> None:
    path = tmp_path / "mbv2.toml"
    path.write_text(
        f'[case.edge]\n{EDGE}board = ["mine", "stm32f746"]\n'
        '[board.mine]\nsram = "200KiB"\nflash = "100KiB"\n'
    )
    results = {case.name: planned_result(case) for case in read_config(path).cases}
    assert {name: result.holds for name, result in results.items()} == {
        "edge[board=mine]": False,
        "edge[board=stm32f746]": True,
    }
    limits = [verdict.limit for verdict in results["edge[board=mine]"].verdicts]  # type: ignore[union-attr]  # amounts
    assert limits == [204_800, 102_400]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'[case.edge]\n{EDGE}board = "stm32f747"\n', "case.edge.board must be a board that mbv2"),
        (f"[case.edge]\n{EDGE}board = 3\n", "case.edge.board must be a board that mbv2"),
        (
            f'[case.edge]\n{EDGE}board = "rp2040,stm32f746"\n',
            "case.edge.board takes one board at a time, such as rp2040, not 'rp2040,stm32f746'",
        ),
        (f'[case.edge]\n{EDGE}board = "mine"\n[board.mine]\nsram = 3\n', "board.mine.flash"),
    ],
)
def test_mistakes_in_a_case(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "mbv2.toml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_config(path)
    assert words in str(error.value)
    assert str(error.value).count(str(path)) == 1  # one mistake


def test_the_nearest_configuration_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    (tmp_path / "pyproject.toml").write_text("[tool.mbv2.board.mine]\nsram = 9\nflash = 8\n")
    assert boards_here() == {"mine": Board("mine", 9, 8, 9)}


def test_a_board_of_mbv2_needs_no_configuration() -> None:
    def fails() -> dict[str, Board]:
        raise AssertionError

    setting = Setting("board", "RP2040", "--board")
    assert with_boards([setting], fails) == [setting]


def test_an_arena_of_the_region_fits_and_a_byte_more_does_not() -> None:
    plan = plan_of(NetworkSpec(width_mult=0.1, classes=10), InputSpec(size=(96, 96)))
    arena, flash = plan.figure(TFLM), plan.figure(FLASH)
    for region, holds in ((arena, True), (arena - 1, False)):
        board = Board("mine", 2**30, flash, region)
        fit = fit_of(plan, Limits.model_validate({"board": board}))
        assert fit is not None
        assert (fit.holds, fit.tflm.headroom, fit.flash.headroom) == (holds, region - arena, 0)
    assert fit_of(plan, Limits()) is None


def test_the_python_api_knows_boards() -> None:
    spec, size = NetworkSpec(width_mult=0.1, classes=10), InputSpec(size=(96, 96))
    check(spec, size, expect={"board": "stm32f746"})
    with pytest.raises(AssertionError, match="tflm is"):
        check(spec, size, expect={"board": "max78000"})
    with pytest.raises(UserError, match="board must be a board that mbv2 boards lists"):
        Expectations.model_validate({"board": "max7800"})
