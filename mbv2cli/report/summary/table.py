"""The summary for people: torchsummary's table, with paths and MACs, and the closing figures.

`as_table` is the plain text of pipes and files. On a terminal, `terminal` shows the same lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from unicodedata import east_asian_width

from mbv2cli.costs.conventions import CONV_LINEAR
from mbv2cli.costs.layers import whole
from mbv2cli.costs.memory import EAGER, LAYERWISE
from mbv2cli.graph.rows import Layer
from mbv2cli.report.summary.document import GroupRow, rows_of
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.summary.view import cell, is_number
from mbv2cli.report.text import bracketed, heading
from mbv2cli.specs.units import bytes_text

BOLD: Final = "bold"
DIM: Final = "dim"


class Line(NamedTuple):
    """A line and its style, in the words of rich."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Cells below titles, and a style for each row. Columns of numbers are aligned on the right."""

    titles: tuple[str, ...]
    is_number: tuple[bool, ...]
    rows: Sequence[Sequence[str]]
    styles: Sequence[str]

    @property
    def lines(self) -> list[Line]:
        """The lines, all of the same width."""
        columns = zip(self.titles, *self.rows, strict=True)
        aligned = [
            _aligned(cells, on_the_right=number)
            for cells, number in zip(columns, self.is_number, strict=True)
        ]
        texts = map(" ".join, zip(*aligned, strict=True))
        return [*map(Line, texts, (BOLD, *self.styles))]


class _Brackets(NamedTuple):
    """The signs in the margin that hold a container and its layers together."""

    first: str
    inner: str
    container: str


_BRACKETS: Final = _Brackets("┌ ", "│ ", "└ ")
_ASCII_BRACKETS: Final = _Brackets("/ ", "| ", "\\ ")


def as_table(report: SummaryReport) -> str:
    """Return the whole as plain text; a line is as long as it needs to be."""
    lines = (*header(report), *table(report).lines, *footer(report))
    return "".join(f"{line.text.rstrip()}\n" for line in lines)


def header(report: SummaryReport) -> Iterator[Line]:
    """Yield what is known before the forward pass has run."""
    yield from (Line(text, BOLD) for text in heading(report.request).splitlines())
    yield Line(f"Input shape: {bracketed(report.plan.input_shape)}")
    yield Line(f"Output shape: {bracketed(report.plan.output_shape)} (planned)")
    yield Line(f"Device: {report.run.device}, {report.run.dtype}")
    yield Line("")


def table(report: SummaryReport, *, short_paths: bool = False, ascii_only: bool = False) -> Table:
    """Return the table of layers, or of groups with a last row for the whole.

    Short paths leave out the path of the block that a layer is in. Groups have no paths.
    """
    view = report.view
    rows = list(rows_of(report))
    if view.by is not None:
        rows.append(GroupRow.model_validate(whole(report.layers)))
    cells = {column: [cell(row, column) for row in rows] for column in view.shown_columns}
    styles = [""] * (len(rows) - 1) + [BOLD]
    if view.by is None:
        layers = report.plan.layers
        styles = list(map(_style, layers))
        if "name" in cells:
            margins = _margins(layers, _ASCII_BRACKETS if ascii_only else _BRACKETS)
            cells["name"] = list(map("".join, zip(margins, cells["name"], strict=True)))
        if "path" in cells and short_paths:
            cells["path"] = _short_paths(layers)
    return Table(
        tuple(view.title(column, report.convention) for column in cells),
        tuple(map(is_number, cells)),
        list(zip(*cells.values(), strict=True)),
        styles,
    )


def footer(report: SummaryReport) -> Iterator[Line]:
    """Yield torchsummary's closing figures, those of mbv2, and whether the forward pass agrees."""
    totals, sizes = report.plan.totals, report.sizes
    yield Line("")
    yield Line(f"Total params: {totals.params:,}")
    yield Line(f"Trainable params: {totals.trainable_params:,}")
    yield Line(f"Non-trainable params: {totals.non_trainable_params:,}")
    yield Line("")
    yield Line(f"Input size (MB): {sizes.input_mb:,.2f}")
    yield Line(f"Forward/backward pass size (MB): {sizes.forward_backward_mb:,.2f}")
    yield Line(f"Params size (MB): {sizes.params_mb:,.2f}")
    yield Line(f"Estimated Total Size (MB): {sizes.total_mb:,.2f}")
    yield Line("")
    yield Line(f"{report.convention.unit}: {report.macs.total:,} ({_counted(report)})")
    yield Line(f"Peak memory: {', '.join(_peaks(report))} (mbv2 memory tells more)")
    yield _verdict(report)


def _counted(report: SummaryReport) -> str:
    """Return what is counted, and the MACs of one input if the batch has several."""
    convention, macs = report.convention, report.plan.macs_per_sample
    if convention is not CONV_LINEAR:
        return f"{convention.name}: {convention.reported_by}"
    batched = report.request.input.batch > 1
    return "convolutions + linear" + (f", {macs:,} a sample" if batched else "")


def _peaks(report: SummaryReport) -> Iterator[str]:
    for use in report.memory:
        if use.rule in (LAYERWISE, EAGER):
            yield f"{bytes_text(use.peak_bytes(report.run.dtype))} {use.rule.name}"


def _verdict(report: SummaryReport) -> Line:
    forward = report.forward
    if forward is None:
        return Line("Nothing was run (--no-forward): these are the plan's numbers.", "yellow")
    return Line(
        f"Plan and forward pass agree on every layer: {bracketed(forward.output_shape)}, "
        f"{forward.device}, {forward.dtype}.",
        "green",
    )


def _aligned(cells: Sequence[str], *, on_the_right: bool) -> list[str]:
    """Return cells filled with spaces to the width of the widest."""
    widths = list(map(_width, cells))
    widest = max(widths)
    gaps = [" " * (widest - width) for width in widths]
    pairs = zip(gaps, cells, strict=True) if on_the_right else zip(cells, gaps, strict=True)
    return list(map("".join, pairs))


def _width(text: str) -> int:
    """Return the columns that a text takes on a terminal: two for each wide sign."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def _style(layer: Layer) -> str:
    if layer.is_functional:
        return DIM
    return BOLD if layer.is_container else ""


def _margins(layers: Sequence[Layer], brackets: _Brackets) -> Iterator[str]:
    """Yield the margin of each layer; a network without containers has none."""
    if not any(layer.is_container for layer in layers):
        yield from [""] * len(layers)
        return
    last = None
    for layer, container in zip(layers, _containers(layers), strict=True):
        if container is None:
            yield "  "
        elif layer is container:
            yield brackets.container
        else:
            yield brackets.inner if container is last else brackets.first
        last = container


def _short_paths(layers: Sequence[Layer]) -> list[str]:
    """Return the path of each layer, without that of the container it is in."""
    return [
        layer.path
        if container is None or layer is container
        else layer.path.removeprefix(container.path)
        for layer, container in zip(layers, _containers(layers), strict=True)
    ]


def _containers(layers: Sequence[Layer]) -> list[Layer | None]:
    """Return for each layer the container that it is or is in: the row comes after its layers."""
    found: list[Layer | None] = []
    container: Layer | None = None
    for layer in reversed(layers):
        if layer.is_container:
            container = layer
        elif container and not _is_within(layer, container):
            container = None
        found.append(container)
    return found[::-1]


def _is_within(layer: Layer, container: Layer) -> bool:
    return layer.path == container.path or layer.path.startswith(f"{container.path}.")
