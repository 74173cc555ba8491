"""`mbv2 memory --arena`: where TensorFlow Lite Micro puts each buffer, and what would help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import Field

from mbv2cli.costs.arena import (
    CHANNEL_BYTES,
    Arena,
    Placement,
    arena_of,
    least_size,
    persistent_data,
)
from mbv2cli.costs.int8_graph import Int8Graph, Int8Op, int8_graph
from mbv2cli.inspection import Model, Plan
from mbv2cli.nearest import SAME_PADDING
from mbv2cli.report.document import Part
from mbv2cli.report.page import (
    BOLD,
    DIM,
    WARNING,
    Block,
    Column,
    Line,
    Page,
    Table,
    detail,
    page,
    plain,
)
from mbv2cli.report.text import heading
from mbv2cli.savings import WIDTH_STEP, Saving, Savings, savings
from mbv2cli.specs.requests import AnyRequest
from mbv2cli.specs.units import bytes_text, room_text

INPUT: Final = "input"
SCRATCH: Final = "scratch of"

COUNTED: Final = (
    "The activations of the int8 model that LiteRT's converter makes, placed by the memory "
    "planner of TFLM, with its reference kernels. Not counted: TFLM's persistent data, scratch "
    "memory of optimised kernels (CMSIS-NN), and the model itself."
)


@dataclass(frozen=True, slots=True)
class ArenaReport:
    """The int8 graph of a request, its arena, and what would help.

    ``arena`` is None where the graph has an operation without a rule. ``limit`` is in bytes.
    """

    request: AnyRequest
    model: Model
    graph: Int8Graph
    arena: Arena | None
    savings: Savings
    limit: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether the arena is above the limit."""
        return self.arena is not None and self.limit is not None and self.arena.size > self.limit

    @property
    def is_helped(self) -> bool:
        """Whether a change keeps the limit; below the limit, or without one: saves bytes."""
        found = self.savings.found
        limit = self.limit if self.is_over else None
        return any(limit is None or one.arena_bytes <= limit for one in found)

    def place(self, op: Int8Op) -> str:
        """Return the path of the layer that an operation stands for; its function without one."""
        layer = self.model.graph.ops[op.op]
        return layer.path or layer.function

    def what(self, placement: Placement) -> str:
        """Return what a buffer is: ``input``, or the operation that writes the buffer."""
        buffer = placement.buffer
        if buffer.op is None:
            return INPUT
        name = self.graph.ops[buffer.op].name
        return f"{SCRATCH} {name}" if buffer.is_scratch else name

    def path(self, placement: Placement) -> str:
        """Return the path of the layer that a buffer belongs to; "" for an input."""
        op = placement.buffer.op
        return "" if op is None else self.place(self.graph.ops[op])


def arena_report(request: AnyRequest, model: Model, limit: int | None = None) -> ArenaReport:
    """Return the arena of the ``model`` of a request."""
    graph = int8_graph(model.graph)
    arena = None if graph.unknown else arena_of(graph)
    helps = savings(model, limit) if isinstance(model, Plan) else Savings()
    return ArenaReport(request, model, graph, arena, helps, limit)


def as_page(report: ArenaReport) -> Page:
    """Return the arena, what would help, and a row for each buffer in the order of its making."""
    return page((*heading(report.request), Line(), *_blocks(report)))


def _blocks(report: ArenaReport) -> Iterator[Block]:
    if report.arena is None:
        yield from _unknown(report.graph)
        return
    yield Line(f"Arena of TFLM: {_both(report.arena.size)}", BOLD)
    yield detail(COUNTED)
    yield from _limit(report.arena, report.limit)
    yield from _why(report, report.arena)
    yield plain(
        f"TFLM's persistent data: at most {_both(persistent_data(report.graph).most)} more. That "
        f"is {CHANNEL_BYTES} bytes for each output channel, and structures of TFLM."
    )
    yield from _helps(report, report.arena)
    yield Line()
    yield _placements(report, report.arena)


def _unknown(graph: Int8Graph) -> Iterator[Line]:
    names = ", ".join(graph.unknown)
    yield Line(f"The arena of TFLM is not known: there is no rule for {names}.", WARNING, "  ")
    yield detail(f"It has at least {_both(least_size(graph))}, if TFLM runs the model at all.")


def _limit(arena: Arena, limit: int | None) -> Iterator[Line]:
    if limit is not None:
        style = WARNING if arena.size > limit else ""
        yield Line(f"  Limit: {_both(limit)}; {room_text(limit, arena.size)}.", style, "  ")


def _why(report: ArenaReport, arena: Arena) -> Iterator[Line]:
    moment = arena.alive.index(arena.live_peak)
    runs = report.graph.ops[moment - 1] if moment else None
    where = f"{runs.name} of {report.place(runs)} runs" if runs else "the input is written"
    yield plain(f"Needed at one moment: {_both(arena.live_peak)}, while {where}.")
    yield plain(f"Fragmentation: {_both(arena.fragmentation)}.")
    pads = report.graph.pads
    if pads:
        count = f"{len(pads)} PAD operations add" if len(pads) > 1 else "One PAD operation adds"
        yield plain(f"{count} {_both(arena.pad_cost)}: TensorFlow has no such padding of its own.")


def _helps(report: ArenaReport, arena: Arena) -> Iterator[Block]:
    """Yield the changes that help; sentences where none does, or where some were not tried."""
    sentences = list(_no_help(report))
    if report.savings.found or sentences:
        yield Line()
    if report.savings.found:
        yield _savings(report, report.savings.found, arena)
    yield from sentences


def _savings(report: ArenaReport, found: Sequence[Saving], arena: Arena) -> Table:
    return Table(
        [
            Column("What would help", [_fields_text(one) for one in found]),
            Column("Bytes", [f"{one.arena_bytes:,}" for one in found], is_number=True),
            Column(
                "Saves",
                [bytes_text(arena.size - one.arena_bytes) for one in found],
                is_number=True,
                rank=2,
            ),
            *_fits(found, report.limit),
        ],
        narrow=[
            Line("What would help"),
            *(Line(f"{_fields_text(one)}: {one.arena_bytes:,} bytes", "", "  ") for one in found),
        ],
    )


def _no_help(report: ArenaReport) -> Iterator[Line]:
    found, tried, left_out = report.savings
    heading = "" if found else "What would help: nothing. "
    if report.is_over and not tried:
        yield Line("What would help: no change was tried.")
    elif report.is_over and not report.is_helped:
        text = f"No change that was tried keeps the limit. Tried: {_tried(tried, left_out)}."
        skipped = " or ".join(name for name in left_out if name not in tried)
        rest = f" Not tried, because that takes too long: a smaller {skipped}." if skipped else ""
        yield Line(heading + text + rest)
    elif tried and not report.is_helped:
        yield Line(f"{heading}padding=same does not make the arena smaller.")
    elif left_out:
        text = f"Not every smaller {' or '.join(left_out)} was tried: that takes too long."
        yield Line(f"{text} A larger one may keep the limit.")


def _tried(tried: Sequence[str], left_out: Sequence[str]) -> str:
    """Return what was tried, such as ``each smaller size, with and without padding=same``."""
    steps = {"width_mult": f" in steps of {WIDTH_STEP}"}
    smaller = [
        f"{'some' if name in left_out else 'each'} smaller {name}{steps.get(name, '')}"
        for name in tried
        if name not in SAME_PADDING
    ]
    padding = [f"{name}={value}" for name, value in SAME_PADDING.items() if name in tried]
    both = f"{' and '.join(smaller)}, with and without {''.join(padding)}"
    return both if smaller and padding else " and ".join(smaller or padding)


def _fits(found: Sequence[Saving], limit: int | None) -> Iterator[Column]:
    if limit is not None:
        yield Column("Limit", [room_text(limit, one.arena_bytes) for one in found], rank=1)


def _fields_text(saving: Saving) -> str:
    return ",".join(f"{name}={value}" for name, value in saving.fields.items())


def _placements(report: ArenaReport, arena: Arena) -> Table:
    placements = in_order(arena)
    return Table(
        [
            Column("Offset", [f"{one.offset:,}" for one in placements], is_number=True),
            Column("Bytes", [f"{one.buffer.size:,}" for one in placements], is_number=True),
            Column("From", [str(one.buffer.first) for one in placements], is_number=True, rank=2),
            Column("To", [str(one.buffer.last) for one in placements], is_number=True, rank=2),
            Column("Written by", [report.what(one) for one in placements], rank=1),
            Column("Layer", [report.path(one) for one in placements], rank=3),
        ],
        styles=[DIM if one.buffer.is_scratch else "" for one in placements],
    )


def in_order(arena: Arena) -> list[Placement]:
    """Return the placements in the order in which their buffers are first needed."""
    return sorted(arena.placements, key=lambda one: one.buffer.first)


def _both(size: int) -> str:
    return f"{bytes_text(size)} ({size:,} bytes)"


class BufferPart(Part):
    """A buffer in its place."""

    layer: str = Field(description="Path of the layer; empty for an input of the model.")
    operation: str | None = Field(
        description="LiteRT's name of the operation that writes the buffer; null for an input of "
        "the model."
    )
    is_scratch: bool = Field(
        description="Whether the operation needs the buffer only while it runs."
    )
    offset: int = Field(description="First byte of the buffer in the arena.")
    bytes: int = Field(description="Bytes of the buffer, a multiple of 16.")
    first: int = Field(
        description="Moment from which the buffer is needed: 0 is before operation 1."
    )
    last: int = Field(description="Last moment at which the buffer is needed.")


class PadPart(Part):
    """A PAD operation."""

    layer: str = Field(description="Path of the layer that takes the padded values.")
    bytes: int = Field(description="Bytes that this operation alone adds to the arena.")


class SavingPart(Part):
    """A change that makes the arena smaller."""

    fields: dict[str, object] = Field(description="Fields of the spec or input, and their values.")
    arena_bytes: int = Field(description="Bytes of the arena with these values.")


class ArenaPart(Part):
    """The arena of TensorFlow Lite Micro for the int8 model."""

    arena_bytes: int | None = Field(
        description="Bytes of the arena; null where an operation has no rule."
    )
    unknown: tuple[str, ...] = Field(description="Functions without a rule.")
    live_peak_bytes: int | None = Field(description="Most bytes that are needed at one moment.")
    fragmentation_bytes: int | None = Field(
        description="Bytes of the arena beside those needed at that moment."
    )
    pad_bytes: int | None = Field(description="Bytes that all PAD operations add to the arena.")
    persistent_bytes_at_most: int | None = Field(
        description="Persistent data that TFLM keeps beside the arena: at most so many bytes, on "
        "a chip of 32 or 64 bits; null where an operation has no rule."
    )
    limit_bytes: int | None = Field(description="`--max-tflm`; null without it.")
    pads: tuple[PadPart, ...] = Field(description="Every PAD operation, in forward order.")
    savings: tuple[SavingPart, ...] = Field(
        description="What would help: `padding` same where it saves bytes. Above the limit, also "
        f"the largest `size` and the largest `width_mult` (in steps of {WIDTH_STEP}) that keep the "
        "limit: each alone and, where a larger one then keeps it, with `padding` same. Empty where "
        "nothing helps, and for a module."
    )
    left_out: tuple[str, ...] = Field(
        description="Fields that have too many smaller values to try each: a larger value than "
        "that in `savings` may keep the limit."
    )
    buffers: tuple[BufferPart, ...] = Field(
        description="Every buffer, in the order in which the buffers are first needed."
    )


def arena_part(report: ArenaReport) -> ArenaPart:
    """Return the arena as a part of a document."""
    arena, ops = report.arena, report.graph.ops
    return ArenaPart(
        arena_bytes=arena and arena.size,
        unknown=report.graph.unknown,
        live_peak_bytes=arena and arena.live_peak,
        fragmentation_bytes=arena and arena.fragmentation,
        pad_bytes=arena and arena.pad_cost,
        persistent_bytes_at_most=arena and persistent_data(report.graph).most,
        limit_bytes=report.limit,
        pads=tuple(
            PadPart(layer=report.place(ops[pad]), bytes=arena.cost_of_pad(pad))
            for pad in report.graph.pads
            if arena
        ),
        savings=tuple(
            SavingPart(fields=dict(one.fields), arena_bytes=one.arena_bytes)
            for one in report.savings.found
        ),
        left_out=report.savings.left_out,
        buffers=tuple(_buffer_part(report, one) for one in in_order(arena)) if arena else (),
    )


def _buffer_part(report: ArenaReport, placement: Placement) -> BufferPart:
    buffer = placement.buffer
    return BufferPart(
        layer=report.path(placement),
        operation=None if buffer.op is None else report.graph.ops[buffer.op].name,
        is_scratch=buffer.is_scratch,
        offset=placement.offset,
        bytes=buffer.size,
        first=buffer.first,
        last=buffer.last,
    )
