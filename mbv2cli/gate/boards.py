"""Boards of the user's own, boards as limits, and what fits on a board."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from mbv2cli.costs.arena import PersistentData, persistent_data
from mbv2cli.costs.int8_graph import int8_graph
from mbv2cli.errors import MistakesError, UserError, nearest, value_text
from mbv2cli.gate.limits import AmountVerdict, Bytes, Expectations, Limits, verdicts
from mbv2cli.inspection import Model
from mbv2cli.specs.base import Spec
from mbv2cli.specs.boards import Board, boards, known_board, names_of, not_a_board
from mbv2cli.specs.reader import Setting

BOARD: Final = "board"
"""The key of a board among limits, and of the table of boards in a configuration file."""


class OwnBoard(Spec):
    """The memory of a board of the user's own. Raises `UserError`."""

    noun = BOARD

    sram: Bytes
    flash: Bytes
    region: Bytes = None


def own_boards(path: Path, content: Mapping[str, Any]) -> Mapping[str, Board]:
    """Return the boards that the tables ``[board.NAME]`` of a configuration describe.

    Raises `MistakesError`.
    """
    tables = content.get(BOARD, {})
    if not isinstance(tables, dict):
        raise UserError(
            f"{path}: {BOARD} must be a table, such as [board.mine], not {value_text(tables)}"
        )
    found: dict[str, Board] = {}
    mistakes: list[str] = []
    for name, table in tables.items():
        try:
            found[name] = _own_board(f"{path}: {BOARD}.{name}", name, table)
        except UserError as error:
            mistakes.append(str(error))
    if mistakes:
        raise MistakesError(mistakes)
    return found


def _own_board(place: str, name: str, table: object) -> Board:
    if not isinstance(table, dict):
        raise UserError(f"{place} must be a table with the keys sram and flash")
    if known_board(name):
        raise UserError(f"{place} has the name of a board that mbv2 boards lists; choose another")
    fields = [*OwnBoard.model_fields, *table]
    own = OwnBoard.model_validate(table, context={key: f"{place}.{key}" for key in fields})
    region = own.sram if own.region is None else own.region
    if own.sram is None or own.flash is None or region is None:
        raise UserError(f"{place} needs sram and flash in bytes, such as 320KiB")
    if region > own.sram:
        raise UserError(f"{place}.region is a part of sram, so it must not be larger")
    return Board(name, own.sram, own.flash, region)


def boards_here() -> Mapping[str, Board]:
    """Return the boards that the nearest configuration describes. Raises `UserError`."""
    from mbv2cli.gate.config import nearest_table  # slow, and a board of mbv2 needs none

    path, content = nearest_table()
    return own_boards(path, content)


def with_boards(
    settings: Iterable[Setting], own: Callable[[], Mapping[str, Board]] = boards_here
) -> list[Setting]:
    """Return settings with the board itself where one names a board of the user's ``own``.

    Raises `UserError` for a name of no board.
    """
    return [_with_board(one, own) if one.key == BOARD else one for one in settings]


def _with_board(setting: Setting, own: Callable[[], Mapping[str, Board]]) -> Setting:
    name = setting.value
    if isinstance(name, str) and known_board(name):
        return setting
    found = own()
    board = found.get(name) if isinstance(name, str) else None
    if board is None:
        raise UserError(f"{setting.place} {not_a_board(name, found)}")
    return Setting(setting.key, board, setting.place)


def matching(text: str, own: Mapping[str, Board]) -> tuple[Board, ...]:
    """Return the board with this name, else those with the text in a name or in the chip.

    Those of the user's ``own`` come last. Raises `UserError` if there is none.
    """
    exact = known_board(text) or own.get(text)
    if exact:
        return (exact,)
    wanted = text.lower()
    found = tuple(
        board
        for board in (*boards().values(), *own.values())
        if any(wanted in word.lower() for word in (*names_of([board]), board.chip))
    )
    if not found:
        known = [*names_of(boards().values()), *own]
        raise UserError(
            f"no board has '{text}' in its name; mbv2 boards lists every board"
            f"{nearest(text, known)}"
        )
    return found


class BoardFit(NamedTuple):
    """Whether a model fits on a board: the verdicts on its arena and on its flash.

    ``persistent`` is what TFLM keeps beside the arena; None if that is not known.
    """

    board: Board
    tflm: AmountVerdict
    flash: AmountVerdict
    persistent: PersistentData | None

    @property
    def holds(self) -> bool:
        """Whether the board is known to have room for arena and flash."""
        return self.tflm.holds and self.flash.holds

    @property
    def is_known(self) -> bool:
        """Whether it is known if the board has room: a lower bound may exceed a limit as well."""
        return self.holds or min(self.tflm.headroom, self.flash.headroom) < 0


def exceeds_sram(board: Board, arena: int, persistent: PersistentData) -> bool:
    """Return whether an arena surely takes more than the SRAM with what TFLM keeps beside it."""
    return arena + persistent.least > board.sram


def fit_of(model: Model, limits: Limits, doubt: str = "") -> BoardFit | None:
    """Return whether a model fits on the board of ``limits``; None without a board.

    ``doubt`` says why the figures of a file are not those of its spec.
    """
    if limits.board is None:
        return None
    expected = Expectations.model_validate(
        {key: getattr(limits, key) for key in ("max_tflm", "max_flash", BOARD)}
    )
    tflm, flash = (one for one in verdicts(expected, model, "int8", doubt))
    graph = int8_graph(model.graph)
    persistent = None if graph.unknown else persistent_data(graph)
    return BoardFit(limits.board, _amount(tflm), _amount(flash), persistent)


def _amount(verdict: object) -> AmountVerdict:
    if not isinstance(verdict, AmountVerdict):
        raise TypeError("a board limits amounts")
    return verdict
