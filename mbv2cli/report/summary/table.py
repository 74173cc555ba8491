"""The summary for people: torchsummary's table with roles, MACs and paths; the closing figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from mbv2cli.costs.conventions import CONV_LINEAR
from mbv2cli.costs.layers import whole
from mbv2cli.costs.memory import EAGER, LAYERWISE
from mbv2cli.graph.rows import Layer
from mbv2cli.report.page import BOLD, DIM, GOOD, WARNING, Column, Line, Page, Table, page
from mbv2cli.report.summary.document import GroupRow, rows_of
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.summary.view import cell, is_number
from mbv2cli.report.text import bracketed, described
from mbv2cli.specs import BlockSpec
from mbv2cli.specs.units import bytes_text

_INDENT: Final = "    "
_RANKS: Final = {"name": 0, "params": 1, "macs": 2, "output_shape": 3, "role": 4, "path": 5}
"""Which of the default columns a narrow terminal shows first."""

_FIRST, _INNER, _CONTAINER = "┌ ", "│ ", "└ "
"""The signs in the margin that hold a container and its layers together."""


def as_table(report: SummaryReport) -> Page:
    """Return the whole summary."""
    return page((*header(report).blocks, *body(report).blocks))


def header(report: SummaryReport) -> Page:
    """Return what is known before the forward pass has run."""
    return page(_header(report))


def body(report: SummaryReport) -> Page:
    """Return the device, the table and the closing figures."""
    return page((_device(report), Line(), _table(report), *_footer(report)))


def _header(report: SummaryReport) -> Iterator[Line]:
    spec = report.plan.spec
    yield Line(described(report.request), BOLD, _INDENT)
    yield Line(f"Input shape: {bracketed(report.plan.input_shape)}")
    yield Line(f"Output shape: {bracketed(report.plan.output_shape)} (planned)")
    if isinstance(spec, BlockSpec):
        convolutions = ", ".join(_convolutions(spec)).capitalize()
        yield Line(f"{convolutions}; {_shortcut(spec)}", "", _INDENT)


def _convolutions(block: BlockSpec) -> Iterator[str]:
    """Yield what each convolution of a block does."""
    if block.has_expansion:
        yield f"expand {block.in_channels} -> {block.hidden_channels}"
    else:
        yield "no expansion (expand 1)"
    stride = f" stride {block.stride}" if block.stride != 1 else ""
    yield f"depthwise {block.kernel}x{block.kernel}{stride}"
    yield f"project {block.hidden_channels} -> {block.out_channels}"


def _shortcut(block: BlockSpec) -> str:
    """Return whether a block has a shortcut and why."""
    if block.has_shortcut:
        return f"shortcut: stride 1, {block.in_channels} in, {block.out_channels} out"
    reasons = [f"stride {block.stride}"] if block.stride != 1 else []
    if block.in_channels != block.out_channels:
        reasons.append(f"{block.in_channels} in, {block.out_channels} out")
    return f"no shortcut: {', '.join(reasons)}"


def _device(report: SummaryReport) -> Line:
    given, dtype = report.run.device, report.run.dtype
    if report.forward is None:
        return Line(f"Device: none (--no-forward), {dtype}")
    device = report.forward.device
    return Line(f"Device: {device}{' (auto)' if given != device else ''}, {dtype}")


def _table(report: SummaryReport) -> Table:
    """Return the table of layers, or of groups with a last row for the whole."""
    view = report.view
    rows = list(rows_of(report))
    if view.by is not None:
        rows.append(GroupRow.model_validate(whole(report.layers)))
    cells = {column: [cell(row, column) for row in rows] for column in view.shown_columns}
    narrow: dict[str, list[str]] = {}
    styles = [""] * (len(rows) - 1) + [BOLD]
    if view.by is None:
        layers = report.plan.layers
        styles = list(map(_style, layers))
        if "name" in cells:
            cells["name"] = list(map("".join, zip(_margins(layers), cells["name"], strict=True)))
        narrow["path"] = _short_paths(layers)
    ranks = {name: rank for rank, name in enumerate(view.columns)} or _RANKS
    return Table(
        [
            Column(
                view.title(name, report.convention),
                cells[name],
                is_number(name),
                ranks.get(name, len(ranks)),
                narrow.get(name),
            )
            for name in cells
        ],
        styles,
    )


def _footer(report: SummaryReport) -> Iterator[Line]:
    """Yield torchsummary's closing figures, those of mbv2, and whether the forward pass agrees."""
    totals, sizes = report.plan.totals, report.sizes
    yield Line()
    yield Line(f"Total params: {totals.params:,}")
    yield Line(f"Trainable params: {totals.trainable_params:,}")
    yield Line(f"Non-trainable params: {totals.non_trainable_params:,}")
    yield Line()
    yield Line(f"Input size (MB): {sizes.input_mb:,.2f}")
    yield Line(f"Forward/backward pass size (MB): {sizes.forward_backward_mb:,.2f}")
    yield Line(f"Params size (MB): {sizes.params_mb:,.2f}")
    yield Line(f"Estimated Total Size (MB): {sizes.total_mb:,.2f}")
    yield Line()
    yield Line(f"{report.convention.unit}: {report.macs.total:,} ({_counted(report)})", "", _INDENT)
    yield Line(
        f"Peak memory ({report.run.dtype}): {', '.join(_peaks(report))} (see mbv2 memory)",
        "",
        _INDENT,
    )
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
        text = "Nothing was run (--no-forward): these are the plan's numbers."
        return Line(text, WARNING, _INDENT)
    return Line(
        f"Plan and forward pass agree on every layer: {bracketed(forward.output_shape)}, "
        f"{forward.device}, {forward.dtype}.",
        GOOD,
        _INDENT,
    )


def _style(layer: Layer) -> str:
    if layer.is_functional:
        return DIM
    return BOLD if layer.is_container else ""


def _margins(layers: Sequence[Layer]) -> Iterator[str]:
    """Yield the margin of each layer; a network without containers has none."""
    if not any(layer.is_container for layer in layers):
        yield from [""] * len(layers)
        return
    last = None
    for layer, container in zip(layers, _containers(layers), strict=True):
        if container is None:
            yield "  "
        elif layer is container:
            yield _CONTAINER
        else:
            yield _INNER if container is last else _FIRST
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
