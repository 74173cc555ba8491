"""`mbv2 boards`: boards and chips, their memory, and how a model fits there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mbv2cli.report.document import Document, Part
from mbv2cli.report.page import (
    BAD,
    BOLD,
    DIM,
    GOOD,
    WARNING,
    Block,
    Column,
    Line,
    Page,
    Table,
    page,
)
from mbv2cli.report.text import INDENT, NOT_COUNTED
from mbv2cli.specs.boards import Board
from mbv2cli.specs.units import bytes_text, bytes_texts, room_text

if TYPE_CHECKING:
    from mbv2cli.gate.boards import BoardFit
    from mbv2cli.gate.limits import AmountVerdict

_IN_A_ROW: Final = (
    "Most for one arena: the largest SRAM at addresses in a row. An arena is one buffer."
)
_OWN: Final = "mbv2.toml"
_KIB: Final = 2**10


def as_table(found: Sequence[Board]) -> Page:
    """Return a row for each board; of one board also what its memories are, and the sources."""
    if len(found) == 1:
        return page(_in_full(found[0]))
    return page(
        [
            Table(
                [
                    Column("Board", [one.name for one in found]),
                    _kib("SRAM\nKiB", [one.sram for one in found]),
                    _kib("Most for\none arena", [one.region for one in found]),
                    _kib("Flash\nKiB", [one.flash for one in found]),
                    Column("Chip", [one.chip or _OWN for one in found], rank=3),
                ]
            ),
            Line(),
            Line(_IN_A_ROW),
            Line(f"Board and model: {NOT_COUNTED}", "", INDENT),
            Line("mbv2 boards NAME shows the memories and the source of each figure.", DIM),
        ]
    )


def _kib(title: str, amounts: Sequence[int]) -> Column:
    """Return amounts in KiB; every memory of a board is a whole number of them, or shows more."""
    cells = [f"{one / _KIB:,.0f}" if one % _KIB == 0 else f"{one / _KIB:,.2f}" for one in amounts]
    return Column(title, cells, is_number=True, rank=1)


def _in_full(board: Board) -> Iterator[Block]:
    yield Line(f"{board.name}: {board.chip or _OWN}", BOLD, INDENT)
    if board.aliases:
        yield Line(f"Other names: {', '.join(board.aliases)}", "", INDENT)
    yield Line()
    yield Table(
        [
            Column("Memory", ["SRAM", "Most for one arena", "Flash"]),
            _kib("KiB", [board.sram, board.region, board.flash]),
            Column("Bytes", [f"{one:,}" for one in (board.sram, board.region, board.flash)], True),  # noqa: FBT003  (a column of numbers)
        ]
    )
    yield Line()
    if board.memory:
        yield Line(board.memory, "", INDENT)
    yield Line(_IN_A_ROW, "", INDENT)
    if board.sources:
        yield Line()
        yield Line("Sources:", BOLD)
        for figure, source in board.sources:
            yield Line(f"  {figure}: {source}", "", INDENT)


def fit_lines(fit: BoardFit | None, which: str = "") -> Iterator[Line]:
    """Yield whether a model fits on a board, with the headroom; nothing without a board.

    ``which`` says which model that is, if a page is about several.
    """
    if fit is None:
        return
    yield Line()
    if fit.is_known:
        verdict, style = ("fits", GOOD) if fit.holds else ("does not fit", BAD)
    else:
        verdict, style = "not known whether it fits", WARNING
    yield Line(f"On {fit.board.name}{which}: {verdict}", style)
    yield Line(f"  Arena of TFLM: {_room(fit.tflm)}", "", INDENT)
    yield Line(f"  Flash: {_room(fit.flash)}", "", INDENT)
    yield from _persistent(fit)
    yield Line(f"  {NOT_COUNTED[0].upper()}{NOT_COUNTED[1:]}", DIM, INDENT)


def _persistent(fit: BoardFit) -> Iterator[Line]:
    from mbv2cli.gate.boards import exceeds_sram  # slow, and a list of boards does without

    if fit.persistent is None:
        return
    text = f"  TFLM's persistent data: at most {bytes_text(fit.persistent.most)} of SRAM more"
    if exceeds_sram(fit.board, fit.tflm.actual, fit.persistent):
        sram = bytes_text(fit.board.sram)
        yield Line(f"{text}. Arena and this data exceed the SRAM of {sram}.", WARNING, INDENT)
    else:
        yield Line(text, "", INDENT)


def _room(verdict: AmountVerdict) -> str:
    actual, limit = bytes_texts((verdict.actual, verdict.limit))
    if verdict.uncounted:
        return f"at least {actual} of {limit}: no rule counts {', '.join(verdict.uncounted)}"
    if verdict.doubt:
        return f"{actual} of {limit}: {verdict.doubt}"
    return f"{actual} of {limit}, {room_text(verdict.limit, verdict.actual)}"


def not_counted(board: Board | None) -> Iterator[Line]:
    """Yield what a limit by the memory of a board leaves out; nothing without a board."""
    if board:
        yield Line()
        yield Line(f"On {board.name}: {NOT_COUNTED}", DIM, INDENT)


class BoardFitPart(Part):
    """A model on a board."""

    board: str = Field(description="Name of the board.")
    holds: bool = Field(description="Whether the arena and the flash are known to fit.")
    tflm_bytes: int = Field(description="Arena of TFLM; at least this if `unknown` has functions.")
    tflm_headroom_bytes: int = Field(description="What the arena leaves; negative if too large.")
    unknown: tuple[str, ...] = Field(description="Functions that the arena has no rule for.")
    persistent_bytes_at_most: int | None = Field(
        description="Persistent data that TFLM keeps beside the arena: at most so many bytes; null "
        "if `unknown` has functions."
    )
    flash_bytes: int = Field(description="int8 weights and int32 biases.")
    flash_headroom_bytes: int = Field(description="What the flash leaves; negative if too large.")


def fit_part(fit: BoardFit) -> BoardFitPart:
    """Return the part of a document for a model on a board."""
    return BoardFitPart(
        board=fit.board.name,
        holds=fit.holds,
        tflm_bytes=fit.tflm.actual,
        tflm_headroom_bytes=fit.tflm.headroom,
        unknown=fit.tflm.uncounted,
        persistent_bytes_at_most=fit.persistent and fit.persistent.most,
        flash_bytes=fit.flash.actual,
        flash_headroom_bytes=fit.flash.headroom,
    )


class SourcePart(Part):
    """Where a figure of a board comes from."""

    figure: str = Field(description="`sram`, `region` or `flash`.")
    source: str = Field(description="A document and its place, or an address.")


class BoardPart(Part):
    """A board or a chip."""

    name: str = Field(description="Name of the board. `--board` takes this name.")
    aliases: tuple[str, ...] = Field(description="Other names that `--board` takes.")
    chip: str = Field(description='The chip and its cores; "" for a board of your own.')
    sram_bytes: int = Field(description="SRAM in bytes.")
    region_bytes: int = Field(
        description="Largest SRAM at addresses in a row: the most bytes that one arena can have."
    )
    flash_bytes: int = Field(description="Flash in bytes.")
    memory: str = Field(description='Which memories are meant; "" for a board of your own.')
    sources: tuple[SourcePart, ...] = Field(description="The source of each figure.")


class BoardsDocument(Document):
    """What `mbv2 boards --format json` prints."""

    command: Literal["boards"] = Field("boards", description="`boards`.")
    boards: tuple[BoardPart, ...] = Field(description="Every board, your own last.")


def as_json(found: Sequence[Board]) -> str:
    """Return the document, indented."""
    return BoardsDocument(boards=tuple(map(_part, found))).text


def _part(board: Board) -> BoardPart:
    return BoardPart(
        name=board.name,
        aliases=board.aliases,
        chip=board.chip,
        sram_bytes=board.sram,
        region_bytes=board.region,
        flash_bytes=board.flash,
        memory=board.memory,
        sources=tuple(SourcePart(figure=one, source=text) for one, text in board.sources),
    )
