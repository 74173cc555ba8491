"""The summary for people: torchsummary's table, with paths and MACs, through rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Final, NamedTuple

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from mbv2cli.plan import Layer
from mbv2cli.plan.conventions import CONV_LINEAR
from mbv2cli.plan.figures import whole
from mbv2cli.plan.memory import EAGER, LAYERWISE
from mbv2cli.report.amount_text import binary
from mbv2cli.report.shape_text import bracketed
from mbv2cli.report.summary.cells import is_number, text, title
from mbv2cli.report.summary.document import GroupRow
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.summary.view import LAYER, View
from mbv2cli.report.target_text import heading

FUNCTIONAL: Final = "dim"
CONTAINER: Final = "bold"
UNLIMITED_WIDTH: Final = 10_000
"""Wider than any line: what is piped or written to a file is never squeezed or folded."""


def render(report: SummaryReport, view: View) -> str:
    """Return the whole as plain text, each line as long as it needs to be."""
    plain = StringIO()
    console = Console(file=plain, width=UNLIMITED_WIDTH, color_system=None, force_terminal=False)
    console.print(header(report), body(report, view), highlight=False)
    return "".join(f"{line.rstrip()}\n" for line in plain.getvalue().splitlines())


def header(report: SummaryReport) -> Group:
    """Return what can be said before anything has run."""
    return Group(
        Text(heading(report.request), style="bold"),
        Text(f"Input shape: {bracketed(report.plan.input_shape)}"),
        Text(f"Output shape: {bracketed(report.plan.output_shape)} (planned)"),
        Text(f"Device: {report.run.device}, {report.run.dtype}"),
        Text(),
    )


def body(report: SummaryReport, view: View) -> Group:
    """Return the layers or groups and the closing figures."""
    table = _LayerTable(report, view) if view.by is None else _group_table(report, view)
    return Group(table, *map(Text, _figures(report)), _verdict(report))


def _group_table(report: SummaryReport, view: View) -> Table:
    rows = [*view.rows(report), GroupRow.model_validate(whole(report.layers))]
    table = _empty_table(report, view)
    for row in rows:
        is_whole = row is rows[-1]
        if is_whole:
            table.add_section()
        table.add_row(
            *(text(row, column) for column in view.shown_columns),
            style=CONTAINER if is_whole else "",
        )
    return table


def _empty_table(report: SummaryReport, view: View) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, collapse_padding=True)
    for column in view.shown_columns:
        table.add_column(
            title(column, view.by or LAYER, report.convention),
            justify="right" if is_number(column) else "left",
            overflow="fold",
        )
    return table


@dataclass(frozen=True, slots=True)
class _LayerTable:
    """Shows whole module paths where the width allows, else those within a block shortened."""

    report: SummaryReport
    view: View

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        layers = self.report.plan.layers
        margins = list(_margins(layers, _ASCII_BRACKETS if options.ascii_only else _BRACKETS))
        whole = self._table([layer.path for layer in layers], margins)
        if (
            Measurement.get(console, options.update_width(UNLIMITED_WIDTH), whole).maximum
            <= options.max_width
        ):
            yield whole
        else:
            yield self._table(_short_paths(layers), margins)

    def _table(self, paths: Sequence[str], margins: Sequence[str]) -> Table:
        table = _empty_table(self.report, self.view)
        rows = zip(
            self.report.plan.layers, self.view.rows(self.report), paths, margins, strict=True
        )
        for layer, row, path, margin in rows:
            cells = {column: text(row, column) for column in self.view.shown_columns}
            if "name" in cells:
                cells["name"] = f"{margin}{cells['name']}"
            if "path" in cells:
                cells["path"] = path
            table.add_row(*cells.values(), style=_style(layer))
        return table


class _Brackets(NamedTuple):
    """The signs in the margin that hold a container and its layers together."""

    first: str
    inner: str
    container: str


_BRACKETS: Final = _Brackets("┌ ", "│ ", "└ ")
_ASCII_BRACKETS: Final = _Brackets("/ ", "| ", "\\ ")


def _style(layer: Layer) -> str:
    if layer.is_functional:
        return FUNCTIONAL
    return CONTAINER if layer.is_container else ""


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
    """Return paths that, inside a container, go on from the container's own."""
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


def _figures(report: SummaryReport) -> Iterator[str]:
    """Yield torchsummary's closing figures, then ours."""
    totals, sizes = report.plan.totals, report.sizes
    yield ""
    yield f"Total params: {totals.params:,}"
    yield f"Trainable params: {totals.trainable_params:,}"
    yield f"Non-trainable params: {totals.non_trainable_params:,}"
    yield ""
    yield f"Input size (MB): {sizes.input_mb:,.2f}"
    yield f"Forward/backward pass size (MB): {sizes.forward_backward_mb:,.2f}"
    yield f"Params size (MB): {sizes.params_mb:,.2f}"
    yield f"Estimated Total Size (MB): {sizes.total_mb:,.2f}"
    yield ""
    yield f"{report.convention.unit}: {report.macs.total:,} ({_counted(report)})"
    yield f"Peak memory: {', '.join(_peaks(report))} (mbv2 memory tells more)"


def _counted(report: SummaryReport) -> str:
    """Return what is counted, and how many MACs one of a batch has."""
    convention, macs = report.convention, report.plan.macs_per_sample
    if convention is not CONV_LINEAR:
        return f"{convention.name}: {convention.reported_by}"
    batched = report.request.input.batch > 1
    return "convolutions + linear" + (f", {macs:,} a sample" if batched else "")


def _peaks(report: SummaryReport) -> Iterator[str]:
    for use in report.memory:
        if use.rule in (LAYERWISE, EAGER):
            yield f"{binary(use.peak_bytes(report.run.dtype))} {use.rule.name}"


def _verdict(report: SummaryReport) -> Text:
    forward = report.forward
    if forward is None:
        return Text("Nothing was run (--no-forward): these are the plan's numbers.", style="yellow")
    return Text(
        f"Plan and forward pass agree on every layer: {bracketed(forward.output_shape)}, "
        f"{forward.device}, {forward.dtype}.",
        style="green",
    )
