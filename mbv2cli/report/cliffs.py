"""`mbv2 cliffs`: where rounding keeps a narrower network from saving memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mbv2cli.cliffs import Plateau, Walk, walk
from mbv2cli.costs.memory import MemoryRule
from mbv2cli.errors import UserError
from mbv2cli.report.boards import BoardFitPart, fit_lines, fit_part
from mbv2cli.report.document import Part, RequestDocument, request_fields
from mbv2cli.report.page import DIM, WARNING, Column, Line, Page, Table, page
from mbv2cli.report.text import INDENT, heading
from mbv2cli.specs import NetworkSpec
from mbv2cli.specs.reader import Request
from mbv2cli.specs.units import bytes_numbers

if TYPE_CHECKING:
    from mbv2cli.gate.board_width import WidthOnBoard
    from mbv2cli.gate.limits import Limits


@dataclass(frozen=True, slots=True)
class CliffsReport:
    """The plateaus of a network's peak as its width multiplier falls."""

    request: Request
    rule: MemoryRule
    dtype: str
    walk: Walk
    on_board: WidthOnBoard | None = None


def cliffs_of(
    request: Request, rule: MemoryRule, dtype: str, limits: Limits | None = None
) -> CliffsReport:
    """Return the cliffs of ``request``, and its widest network on the board. Loads no torch.

    Raises `UserError` for a block, which has no width multiplier, and for a network that cannot
    be built at any width.
    """
    if not isinstance(request.spec, NetworkSpec):
        raise UserError("a block has no width multiplier; try mbv2 cliffs network, or a preset")
    found = walk(request.spec, request.input, rule, dtype)
    if limits is None:
        return CliffsReport(request, rule, dtype, found)
    from mbv2cli.gate.board_width import width_for_board

    on_board = width_for_board(found, request.spec, request.input, limits)
    return CliffsReport(request, rule, dtype, found, on_board)


def as_table(report: CliffsReport) -> Page:
    """Return a row for each plateau, the widths that are left out, and two lists of widths."""
    found = report.walk.plateaus
    peaks, unit = bytes_numbers(plateau.peak_bytes for plateau in found)
    left_out = [
        Line(
            f"width_mult {one.side} {one.nearest:.2f} cannot be built: {one.reason}",
            WARNING,
            INDENT,
        )
        for one in report.walk.unbuildable
    ]
    drops = [
        f"{plateau.widest.widths[0]:.2f} ({peak} {unit})"
        for plateau, peak in zip(found[1:], peaks[1:], strict=True)
    ]
    table = Table(
        [
            Column("Width multiplier", list(map(_widths, found))),
            Column(f"Peak {unit}\n{report.rule.name}\n{report.dtype}", peaks, is_number=True),
            Column("Params", list(map(_params, found)), is_number=True, rank=2),
            Column("MACs", list(map(_macs, found)), is_number=True, rank=1),
        ]
    )
    return page(
        (
            *heading(report.request),
            Line(),
            table,
            Line(),
            *left_out,
            _list("The widest network after each drop of the peak", drops, WARNING),
            _list("The same network as the next larger width", _repeating(report), DIM),
            *_on_board(report),
        )
    )


def _on_board(report: CliffsReport) -> Iterator[Line]:
    """Yield the widest network that fits on the board, or the narrowest; nothing without one."""
    if report.on_board:
        width, fit = report.on_board
        which = "the widest that fits" if fit.holds else "the narrowest"
        yield from fit_lines(fit, f", width_mult {width:.2f}, {which}")


def _widths(plateau: Plateau) -> str:
    return f"{plateau.widest.widths[0]:.2f} - {plateau.narrowest.widths[-1]:.2f}"


def _params(plateau: Plateau) -> str:
    return f"{plateau.widest.params / 10**6:.2f} - {plateau.narrowest.params / 10**6:.2f} M"


def _macs(plateau: Plateau) -> str:
    return f"{plateau.widest.macs / 10**6:,.1f} - {plateau.narrowest.macs / 10**6:,.1f} M"


def _repeating(report: CliffsReport) -> list[str]:
    """Return the widths that build the same network as the next larger width."""
    return [
        f"{width:.2f}"
        for plateau in report.walk.plateaus
        for network in plateau.networks
        for width in network.widths[1:]
    ]


def _list(title: str, words: Sequence[str], style: str) -> Line:
    return Line(f"{title}: {', '.join(words) or 'none'}", style, INDENT)


class SameNetworkPart(Part):
    """A network, and the width multipliers that build this network."""

    widths: tuple[float, ...] = Field(
        description="Width multipliers that build this network, largest first."
    )
    params: int = Field(description="Parameters of the network.")
    macs: int = Field(description="MACs of the convolutions and linear layers.")


class PlateauPart(Part):
    """Neighbouring width multipliers with the same peak."""

    peak_bytes: int = Field(
        description="Peak of each of these networks, under the rule and in the dtype."
    )
    networks: tuple[SameNetworkPart, ...] = Field(
        description="Networks with this peak, widest first."
    )


class UnbuildablePart(Part):
    """Neighbouring widths at which the network cannot be built."""

    widths: tuple[float, ...] = Field(description="Width multipliers, widest first.")
    nearest: float = Field(description="Nearest width multiplier that can be built.")
    reason: str = Field(description="What is wrong at the width next to the nearest one.")


class CliffsDocument(RequestDocument):
    """What `mbv2 cliffs --format json` prints."""

    command: Literal["cliffs"] = Field("cliffs", description="`cliffs`.")
    rule: str = Field(description="Name of the memory rule.")
    dtype: str = Field(description="Element type of the peaks.")
    plateaus: tuple[PlateauPart, ...] = Field(
        description="Plateaus from width multiplier 1.50 down to 0.10, in steps of 0.01."
    )
    unbuildable: tuple[UnbuildablePart, ...] = Field(
        description="Widths that are left out, because the network cannot be built there."
    )
    board_width: float | None = Field(
        description="Widest width multiplier that fits on the board, the narrowest if none fits; "
        "null without `--board`."
    )
    fit: BoardFitPart | None = Field(
        description="The network of that width on the board; null without `--board`."
    )


def as_json(report: CliffsReport) -> str:
    """Return the document, indented."""
    return CliffsDocument(
        **request_fields(report.request),
        rule=report.rule.name,
        dtype=report.dtype,
        plateaus=tuple(
            PlateauPart(
                peak_bytes=plateau.peak_bytes,
                networks=tuple(map(SameNetworkPart.model_validate, plateau.networks)),
            )
            for plateau in report.walk.plateaus
        ),
        unbuildable=tuple(map(UnbuildablePart.model_validate, report.walk.unbuildable)),
        board_width=report.on_board and report.on_board.width,
        fit=report.on_board and fit_part(report.on_board.fit),
    ).text
