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
from mbv2cli.report.shape_text import bracketed
from mbv2cli.report.summary import SummaryReport
from mbv2cli.report.target_text import described

FUNCTIONAL: Final = "dim"
CONTAINER: Final = "bold"
UNLIMITED_WIDTH: Final = 10_000
"""Wider than any line: what is piped or written to a file is never squeezed or folded."""


def render(report: SummaryReport) -> str:
    """Return the whole as plain text, each line as long as it needs to be."""
    text = StringIO()
    console = Console(file=text, width=UNLIMITED_WIDTH, color_system=None, force_terminal=False)
    console.print(header(report), body(report), highlight=False)
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def header(report: SummaryReport) -> Group:
    """Return what can be said before anything has run."""
    return Group(
        Text(described(report.request), style="bold"),
        Text(f"Input shape: {bracketed(report.plan.input_shape)}"),
        Text(f"Output shape: {bracketed(report.plan.output_shape)} (planned)"),
        Text(f"Device: {report.run.device}, {report.run.dtype}"),
        Text(),
    )


def body(report: SummaryReport) -> Group:
    """Return the layers and the closing figures."""
    return Group(_LayerTable(report.plan.layers), *map(Text, _figures(report)), _verdict(report))


@dataclass(frozen=True, slots=True)
class _LayerTable:
    """Shows whole module paths where the width allows, else those within a block shortened."""

    layers: Sequence[Layer]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        brackets = _ASCII_BRACKETS if options.ascii_only else _BRACKETS
        whole = _table(self.layers, [layer.path for layer in self.layers], brackets)
        if (
            Measurement.get(console, options.update_width(UNLIMITED_WIDTH), whole).maximum
            <= options.max_width
        ):
            yield whole
        else:
            yield _table(self.layers, _short_paths(self.layers), brackets)


class _Brackets(NamedTuple):
    """The signs in the margin that hold a container and its layers together."""

    first: str
    inner: str
    container: str


_BRACKETS: Final = _Brackets("┌ ", "│ ", "└ ")
_ASCII_BRACKETS: Final = _Brackets("/ ", "| ", "\\ ")


def _table(layers: Sequence[Layer], paths: Sequence[str], brackets: _Brackets) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, collapse_padding=True)
    table.add_column("Layer (type)", overflow="fold")
    table.add_column("Output Shape", overflow="fold")
    table.add_column("Param #", justify="right", overflow="fold")
    table.add_column("Path", overflow="fold")
    table.add_column("MACs", justify="right", overflow="fold")
    for layer, path, margin in zip(layers, paths, _margins(layers, brackets), strict=True):
        table.add_row(
            f"{margin}{layer.name or layer.type}",
            bracketed(layer.output_shape),
            "" if layer.is_functional else f"{layer.params:,}",
            path,
            f"{layer.macs:,}" if layer.macs else "",
            style=_style(layer),
        )
    return table


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
    batched = report.request.input.batch > 1
    per_sample = f", {report.plan.macs_per_sample:,} a sample" if batched else ""
    yield f"MACs: {totals.macs:,} (convolutions + linear{per_sample})"


def _verdict(report: SummaryReport) -> Text:
    forward = report.forward
    if forward is None:
        return Text("Nothing was run (--no-forward): these are the plan's numbers.", style="yellow")
    return Text(
        f"Plan and forward pass agree on every layer: output {bracketed(forward.output_shape)} "
        f"on {forward.device}, {forward.dtype}.",
        style="green",
    )
