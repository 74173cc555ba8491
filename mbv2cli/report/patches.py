"""`mbv2 memory --patches`: the memory of patch-based inference, and what the overlaps cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import Field

from mbv2cli.costs.memory import ELEMENT_BYTES
from mbv2cli.costs.patches import PatchPlan, peaks
from mbv2cli.inspection import Plan
from mbv2cli.report.document import Part
from mbv2cli.report.page import BOLD, Line, Page, detail, page, plain
from mbv2cli.report.text import heading
from mbv2cli.specs.requests import AnyRequest
from mbv2cli.specs.units import bytes_text, growth_text


@dataclass(frozen=True, slots=True)
class PatchReport:
    """The patches of a request, in an element type."""

    request: AnyRequest
    model: Plan
    plan: PatchPlan
    dtype: str

    def bytes(self, elements: int) -> int:
        """Return the bytes of elements."""
        return elements * ELEMENT_BYTES[self.dtype]

    @property
    def unpatched(self) -> int:
        """Elements at the peak without patches, counted in the same way."""
        return peaks(self.model.graph).own


def as_page(report: PatchReport) -> Page:
    """Return the plan in sentences."""
    return page((*heading(report.request), Line(), *_lines(report)))


def _lines(report: PatchReport) -> Iterator[Line]:
    plan, macs = report.plan, report.model.totals.macs
    rows, columns = plan.grid
    height, width = plan.input_sides
    yield Line(
        f"Patches: {rows}x{columns}, up to {plan.until}: {_text(report, plan.peak.elements)} "
        f"in {report.dtype}",
        BOLD,
    )
    yield detail(
        "As MCUNetV2 counts: a depthwise convolution overwrites its input, and the input of an "
        "open shortcut is left out. The input of the model is not counted either: its patches of "
        f"up to {height}x{width} come from outside."
    )
    yield plain(
        f"While patches run: {_text(report, plan.peak.patched)}, with the result of {plan.until} "
        f"put together. After them: {_text(report, plan.peak.rest)}."
    )
    yield plain(
        f"With the input of open shortcuts: {_text(report, plan.peak_with_shortcuts.elements)}."
    )
    change = growth_text(report.unpatched, plan.peak.elements)
    yield plain(f"Without patches: {_text(report, report.unpatched)}; with patches {change}.")
    why = (
        f"The overlaps cost {plan.extra_macs:,} MACs more"
        if plan.extra_macs >= 0
        else f"Patches leave out what no stride reads, and cost {-plan.extra_macs:,} MACs less"
    )
    yield plain(
        f"{why}: {macs:,} become {macs + plan.extra_macs:,}, "
        f"{growth_text(macs, macs + plan.extra_macs)}."
    )


def _text(report: PatchReport, elements: int) -> str:
    size = report.bytes(elements)
    return f"{bytes_text(size)} ({size:,} bytes)"


class PatchesPart(Part):
    """Patch-based inference, as MCUNetV2 counts its memory."""

    rows: int = Field(description="Patches down.")
    columns: int = Field(description="Patches across.")
    until: str = Field(description="Path of the last block that runs in patches.")
    dtype: str = Field(description="Element type of the bytes.")
    input_height: int = Field(description="Height of the largest patch of the input.")
    input_width: int = Field(description="Width of the largest patch of the input.")
    peak_bytes: int = Field(
        description="The larger of both peaks; without the input of open shortcuts."
    )
    patched_bytes: int = Field(description="Peak while patches run.")
    rest_bytes: int = Field(description="Peak after the patches.")
    with_shortcuts_bytes: int = Field(description="`peak_bytes` with the input of open shortcuts.")
    unpatched_bytes: int = Field(description="Peak without patches, counted as `peak_bytes` is.")
    macs: int = Field(description="MACs without patches.")
    extra_macs: int = Field(
        description="MACs that the overlaps add, less those of rows that no stride reads."
    )


def patches_part(report: PatchReport) -> PatchesPart:
    """Return the plan as a part of a document."""
    plan = report.plan
    return PatchesPart(
        rows=plan.grid[0],
        columns=plan.grid[1],
        until=plan.until,
        dtype=report.dtype,
        input_height=plan.input_sides[0],
        input_width=plan.input_sides[1],
        peak_bytes=report.bytes(plan.peak.elements),
        patched_bytes=report.bytes(plan.peak.patched),
        rest_bytes=report.bytes(plan.peak.rest),
        with_shortcuts_bytes=report.bytes(plan.peak_with_shortcuts.elements),
        unpatched_bytes=report.bytes(report.unpatched),
        macs=report.model.totals.macs,
        extra_macs=plan.extra_macs,
    )
