"""`mbv2 fit`: the best networks that fit on a board, and the near misses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

from pydantic import Field

from mbv2cli.costs.figures import TFLM, Better, graded_figures
from mbv2cli.gate.limits import AmountVerdict
from mbv2cli.report.boards import not_counted
from mbv2cli.report.check.document import VerdictPart
from mbv2cli.report.document import Document, Part
from mbv2cli.report.page import BOLD, DIM, WARNING, Block, Column, Line, Page, Table, page
from mbv2cli.report.text import INDENT
from mbv2cli.search.fit import NEAR, Candidate, Fit
from mbv2cli.search.space import Space
from mbv2cli.specs.reader import split_target
from mbv2cli.specs.units import Unit, amount_text, bytes_numbers, distance_text, room_text

_PROXY: Final = (
    "MACs stand for accuracy here: of two networks, the one with more MACs is listed first. "
    "Nothing is trained."
)
_LEFT_OUT: Final = "Left out are networks whose amounts are not known"


def as_table(found: Fit) -> Page:
    """Return the networks that fit, the near misses, and what is not counted."""
    return page(_blocks(found))


def _blocks(found: Fit) -> Iterator[Block]:
    axes = ", ".join(f"{axis.name} {len(axis.values)}" for axis in found.space.varied)
    yield Line(
        f"Space: {found.space.size:,} members of {found.space.base} ({axes or 'one'}), "
        f"{found.networks:,} different networks",
        BOLD,
        INDENT,
    )
    yield Line(f"Limits: {_limits(found)}", "", INDENT)
    yield Line()
    if found.best:
        yield from _table("Fits", found.space, found.best, "")
    else:
        fits = "is known to fit" if found.unknown else "fits"
        yield Line(f"No network of the space {fits}.", WARNING)
    if found.unknown:
        names = ", ".join(found.unknown)
        yield Line(f"{_LEFT_OUT}: there is no rule for {names}.", WARNING, INDENT)
    if found.nearest:
        yield Line()
        yield from _table("The nearest network", found.space, [found.nearest], WARNING)
    if found.near:
        yield Line()
        yield from _table(
            f"Near misses: at most {100 * (NEAR - 1):.0f} % over", found.space, found.near, WARNING
        )
    yield Line()
    yield Line(_PROXY, DIM, INDENT)
    yield from not_counted(found.limits.board)
    if found.limits.board:
        over = sum(one.exceeds_sram(found.limits.board) for one in found.best)
        if over:
            yield Line(
                "Networks that fit, but exceed the SRAM together with TFLM's persistent data: "
                f"{over} of {len(found.best)}.",
                WARNING,
                INDENT,
            )
        yield Line("A lower --max-tflm or --max-flash beside the board leaves room for them.", DIM)


def _limits(found: Fit) -> str:
    board = f"{found.limits.board.name}: " if found.limits.board else ""
    return board + ", ".join(
        f"{figure.name} {'>=' if figure.better is Better.LARGER else '<='} "
        f"{amount_text(limit, figure.unit)}"
        for figure in graded_figures()
        if (limit := found.limits.limit_of(figure)) is not None
    )


def _table(
    title: str, space: Space, candidates: Sequence[Candidate], style: str
) -> Iterator[Block]:
    verdicts = list(zip(*(one.verdicts for one in candidates), strict=True))
    yield Table(
        [
            Column(
                title,
                [one.target for one in candidates],
                narrow=[_varied(space, one.target) for one in candidates],
            ),
            Column(
                "MACs", [f"{one.macs / 10**6:,.1f} M" for one in candidates], is_number=True, rank=1
            ),
            Column(
                "Params",
                [f"{one.params / 10**6:.2f} M" for one in candidates],
                is_number=True,
                rank=4,
            ),
            *(column for one in verdicts for column in _amounts(one)),
            *_persistent(candidates),
            Column("Arena fullest at", [one.culprit for one in candidates], rank=3),
        ],
        styles=[style] * len(candidates),
    )


def _varied(space: Space, target: str) -> str:
    """Return the fields of a target that the space varies: ``width_mult=0.5,size=96``."""
    keys = {axis.key for axis in space.varied}
    fields = (split_target(target)[1] or "").split(",")
    return ",".join(field for field in fields if field.partition("=")[0] in keys) or target


def _amounts(verdicts: Sequence[AmountVerdict]) -> Iterator[Column]:
    first = verdicts[0]
    if first.unit is Unit.BYTES:
        numbers, unit = bytes_numbers(one.actual for one in verdicts)
        yield Column(f"{first.what}\n{unit}", numbers, is_number=True, rank=1)
    distance = distance_text if first.is_minimum else room_text
    left = [distance(one.limit, one.actual) for one in verdicts]
    yield Column(f"{first.what}\nroom", left, is_number=True, rank=2)


def _persistent(candidates: Sequence[Candidate]) -> Iterator[Column]:
    """Yield what TFLM keeps beside each arena, if the arena has a limit: it is known then."""
    amounts = [one.persistent.most for one in candidates if one.persistent]
    if any(one.what == TFLM.name for one in candidates[0].verdicts):
        numbers, unit = bytes_numbers(amounts)
        yield Column(f"TFLM's own\n<= {unit}", numbers, is_number=True, rank=2)


class CandidatePart(Part):
    """A network of the space."""

    target: str = Field(description="The network as a TARGET of every command.")
    macs: int = Field(description="MACs of the convolutions and linear layers.")
    params: int = Field(description="Parameters.")
    verdicts: tuple[VerdictPart, ...] = Field(description="Every limit, with the headroom.")
    persistent_bytes_at_most: int | None = Field(
        description="Persistent data that TFLM keeps beside the arena: at most so many bytes; null "
        "where an operation has no rule."
    )
    culprit: str = Field(
        description="Layer that runs when the arena is fullest; `input` before the first layer."
    )


class FitDocument(Document):
    """What `mbv2 fit --format json` prints."""

    command: Literal["fit"] = Field("fit", description="`fit`.")
    board: str | None = Field(description="The board; null if only limits are given.")
    base: str = Field(description="TARGET whose fields the space varies.")
    space: dict[str, tuple[Any, ...]] = Field(description="Values of each field that varies.")
    members: int = Field(description="Members of the space.")
    networks: int = Field(description="Different networks among them.")
    best: tuple[CandidatePart, ...] = Field(
        description="Networks that keep every limit, most MACs first; each is planned exactly."
    )
    near: tuple[CandidatePart, ...] = Field(
        description="Networks with more MACs that break a limit by at most 10 %, nearest first."
    )
    nearest: CandidatePart | None = Field(
        description="The network that breaks its limits by the smallest factor, if `best` and "
        "`near` are empty."
    )
    unknown: tuple[str, ...] = Field(
        description="Functions without a rule: networks with them, and more MACs, are left out."
    )


def as_json(found: Fit) -> str:
    """Return the document, indented."""
    return FitDocument(
        board=found.limits.board and found.limits.board.name,
        base=found.space.base,
        space={axis.name: axis.values for axis in found.space.varied},
        members=found.space.size,
        networks=found.networks,
        best=tuple(map(_part, found.best)),
        near=tuple(map(_part, found.near)),
        nearest=found.nearest and _part(found.nearest),
        unknown=found.unknown,
    ).text


def _part(one: Candidate) -> CandidatePart:
    return CandidatePart(
        target=one.target,
        macs=one.macs,
        params=one.params,
        verdicts=tuple(VerdictPart.model_validate(verdict) for verdict in one.verdicts),
        persistent_bytes_at_most=one.persistent and one.persistent.most,
        culprit=one.culprit,
    )
