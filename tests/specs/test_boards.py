from __future__ import annotations

import pytest

from mbv2cli.specs.boards import Board, boards, known_board, names_of, not_a_board

ALL = tuple(boards().values())
KIB = 2**10


def test_there_are_boards_of_every_kind() -> None:
    assert len(ALL) >= 15
    wanted = "stm32f4 stm32f7 stm32h7 stm32n6 nrf52 nrf53 rp2040 rp2350 esp32s3 esp32p4 max78000"
    for start in (*wanted.split(), "arduino", "alif", "corstone"):
        assert any(board.name.startswith(start) for board in ALL), start


@pytest.mark.parametrize("board", ALL, ids=str)
def test_every_figure_has_a_source(board: Board) -> None:
    sources = dict(board.sources)
    assert {"sram", "flash"} <= sources.keys() <= {"sram", "flash", "region"}
    assert "region" in sources or board.region == board.sram
    assert all(sources.values())
    assert board.memory.endswith(".")
    assert board.chip
    first = next(iter(sources.values()))
    assert not first.startswith("the same")


@pytest.mark.parametrize("board", ALL, ids=str)
def test_a_region_is_a_part_of_the_sram(board: Board) -> None:
    assert 0 < board.region <= board.sram
    assert board.flash > 0


@pytest.mark.parametrize(
    ("name", "sram", "region", "flash"),
    [
        ("stm32f412", 256, 256, 1024),
        ("stm32f746", 240 + 16 + 64, 320, 1024),
        ("stm32h743", 1024, 512, 2048),
        ("nrf52840", 256, 256, 1024),
        ("nrf5340", 512, 512, 1024),
        ("rp2040", 264, 264, 2048),
        ("esp32s3", 512, 416 + 64, 8192),
        ("stm32n6", 2 * 1024 + 4 * 448, 3840, 131072),
        ("alif_e8", 2 * 4096, 8192, 5632),
    ],
)
def test_the_figures_are_those_of_the_sources(
    name: str, sram: int, region: int, flash: int
) -> None:
    board = boards()[name]
    assert (board.sram, board.region, board.flash) == (sram * KIB, region * KIB, flash * KIB)


def test_no_two_boards_have_a_name() -> None:
    names = list(names_of(ALL))
    assert len(names) == len(set(names))
    assert all(name == name.lower().replace("-", "_") for name in names)


@pytest.mark.parametrize("name", ["STM32F746", "stm32f746g-disco", "STM32F746G DISCO"])
def test_case_and_hyphens_do_not_matter(name: str) -> None:
    assert known_board(name) is boards()["stm32f746"]


def test_a_wrong_name_is_told_with_the_nearest() -> None:
    assert known_board("stm32f747") is None
    assert "not 'stm32f747'; did you mean 'stm32" in not_a_board("stm32f747")
    assert not_a_board("min", ["mine"]).endswith("did you mean 'mine'?")
