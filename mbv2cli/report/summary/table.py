"""The summary for people: torchsummary's table with roles, MACs and paths; the closing figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from mbv2cli.costs.conventions import CONV_LINEAR
from mbv2cli.costs.layers import whole
from mbv2cli.costs.memory import EAGER, LAYERWISE
from mbv2cli.graph.ops import Shape
from mbv2cli.graph.rows import Layer
from mbv2cli.inspection import Plan
from mbv2cli.report.page import BOLD, DIM, WARNING, Column, Line, Page, Table, page
from mbv2cli.report.summary.document import rows_of
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.summary.rows import GroupRow, LayerRow
from mbv2cli.report.summary.verdict import other_dtypes, verdict
from mbv2cli.report.summary.view import cell, is_cost, is_number
from mbv2cli.report.text import INDENT, bracketed, heading, stride_text, total_text
from mbv2cli.shown import first_three
from mbv2cli.specs import BlockSpec
from mbv2cli.specs.units import bytes_texts

_RANKED: Final = (
    *("name", "params", "macs", "layerwise_bytes", "role", "output_shape"),
    *("macs_share", "params_share", "path"),
)
"""The default columns that a narrow terminal shows first; it shows the others last."""

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
    model, request = report.model, report.request
    known = "planned" if isinstance(model, Plan) else "observed"
    yield from heading(request)
    yield _shapes("Input shape", model.graph.input_shapes)
    outputs = _shapes("Output shape", model.output_shapes)
    if not model.output_shapes:
        known = f"{known}: a value of type {model.graph.returns}"
    yield outputs._replace(text=f"{outputs.text} ({known})")
    if isinstance(model, Plan) and isinstance(spec := model.spec, BlockSpec):
        convolutions = ", ".join(_convolutions(spec)).capitalize()
        yield Line(f"{convolutions}; {_shortcut(spec)}", "", INDENT)


def _shapes(title: str, shapes: Sequence[Shape]) -> Line:
    text = ", ".join(map(bracketed, shapes)) or "none"
    return Line(f"{title}{'s' * (len(shapes) > 1)}: {text}", "", INDENT)


def _convolutions(block: BlockSpec) -> Iterator[str]:
    """Yield what each convolution of a block does, and its squeeze-excite."""
    kernel = f"{block.kernel}x{block.kernel}"
    stride = f" stride {stride_text(block.stride)}" if block.stride != 1 else ""
    dilation = f" dilation {block.dilation}" if block.dilation != 1 else ""
    if block.type == "conv":
        yield f"convolution {kernel}{stride}{dilation} {block.in_channels} -> {block.out_channels}"
        return
    if block.type == "fused":
        widths = f"{block.in_channels} -> {block.hidden_channels}"
        yield f"fused expand {kernel}{stride}{dilation} {widths}"
    else:
        if block.has_expansion:
            yield f"expand {block.in_channels} -> {block.hidden_channels}"
        else:
            yield "no expansion (expand 1)"
        yield f"depthwise {kernel}{stride}{dilation}"
    if block.has_se:
        yield f"squeeze-excite {block.hidden_channels} -> {block.squeezed_channels}"
    yield f"project {block.hidden_channels} -> {block.out_channels}"


def _shortcut(block: BlockSpec) -> str:
    """Return whether a block has a shortcut and why."""
    channels = f"{block.in_channels} in, {block.out_channels} out"
    if block.has_shortcut:
        return f"shortcut: stride 1, {channels}"
    if block.projects_shortcut:
        return f"shortcut with a 1x1 convolution: stride 1, {channels}"
    reasons = [f"stride {stride_text(block.stride)}"] if block.stride != 1 else []
    if block.in_channels != block.out_channels and block.shortcut != "projection":
        reasons.append(channels)
    return f"no shortcut: {', '.join(reasons) or 'the field shortcut is none'}"


def _device(report: SummaryReport) -> Line:
    if report.forward is None:
        return Line(f"Device: none (--no-forward), {report.run.dtype}")
    auto = " (auto)" if report.run.device == "auto" else ""
    return Line(f"Device: {report.forward.device}{auto}, {report.run.dtype}")


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
        layers = report.model.layers
        styles = list(map(layer_style, layers))
        if "name" in cells:
            cells["name"] = list(map("".join, zip(_margins(layers), cells["name"], strict=True)))
        narrow["path"] = _short_paths(layers)
    ranks = {name: rank for rank, name in enumerate(view.columns or _RANKED)}
    return Table(
        [
            Column(
                view.title(name, report.convention, report.run.dtype),
                cells[name],
                is_number(name),
                ranks.get(name, len(ranks)),
                narrow.get(name),
                highlights(rows, name, styles),
            )
            for name in cells
        ],
        styles,
    )


def highlights(
    rows: Sequence[LayerRow | GroupRow], column: str, styles: Sequence[str]
) -> Sequence[str]:
    """Return a style for each cell: the largest costs stand out, except in the row of totals."""
    if not is_cost(column):
        return ()
    amounts = [
        0 if style == BOLD else getattr(row, column) or 0
        for row, style in zip(rows, styles, strict=True)
    ]
    largest = max(amounts)
    return [WARNING if amount == largest > 0 else "" for amount in amounts]


def _footer(report: SummaryReport) -> Iterator[Line]:
    """Yield torchsummary's closing figures, those of mbv2, and whether the forward pass agrees."""
    totals, sizes = report.model.totals, report.sizes
    yield Line()
    least = "at least " if report.packed else ""
    yield Line(f"Total params: {least}{totals.params:,}", BOLD)
    yield Line(f"Trainable params: {totals.trainable_params:,}")
    yield Line(f"Non-trainable params: {least}{totals.non_trainable_params:,}")
    if report.packed:
        yield _packed(report)
    if report.model.graph.unused:
        yield _unused(report)
    if report.doubt_of_file:
        yield Line(report.doubt_of_file, WARNING, INDENT)
    yield Line()
    for title, megabytes in sizes.titled if sizes else ():
        yield Line(f"{title}: {megabytes:,.2f}")
    if report.doubt:
        yield _doubt(report)
    yield Line()
    macs = f"{report.convention.unit}: {total_text(report.macs)} ({_counted(report)})"
    yield Line(macs, BOLD, INDENT)
    if report.macs.unknown:
        yield _uncounted(report)
    peaks = f"Peak memory ({report.run.dtype}): {_peaks(report)}"
    yield Line(peaks, BOLD, INDENT)
    if dtypes := other_dtypes(report.forward):
        yield _mixed(report, dtypes)
    yield verdict(report)


def doubts(report: SummaryReport) -> Iterator[Line]:
    """Yield what the figures do not count, and why torchsummary has no figures."""
    if report.packed:
        yield _packed(report)
    if dtypes := other_dtypes(report.forward):
        yield _mixed(report, dtypes)
    if report.model.graph.unused:
        yield _unused(report)
    if report.doubt_of_file:
        yield Line(report.doubt_of_file, WARNING, INDENT)
    if report.doubt:
        yield _doubt(report)
    if report.macs.unknown:
        yield _uncounted(report)


def _mixed(report: SummaryReport, dtypes: Sequence[str]) -> Line:
    names = " and ".join(dtypes)
    text = f"Results are {names} too, so the eager peak is not that of {report.run.dtype}."
    return Line(text, WARNING, INDENT)


def _packed(report: SummaryReport) -> Line:
    names = first_three(report.packed)
    text = f"Not in the totals, because nobody can count packed weights: {names}."
    return Line(text, WARNING, INDENT)


def _unused(report: SummaryReport) -> Line:
    names = first_three(report.model.graph.unused)
    return Line(f"Not in the totals, because no operation uses them: {names}.", WARNING, INDENT)


def _doubt(report: SummaryReport) -> Line:
    return Line(f"No sizes of torchsummary: {report.doubt}.", WARNING, INDENT)


def _uncounted(report: SummaryReport) -> Line:
    names = ", ".join(report.macs.unknown)
    return Line(f"Not counted, because the convention has no rule: {names}.", WARNING, INDENT)


def _counted(report: SummaryReport) -> str:
    """Return what is counted, and the MACs of one input if the batch has several."""
    convention, macs = report.convention, report.model.macs_per_sample
    if convention is not CONV_LINEAR:
        return f"{convention.name}: {convention.reported_by}"
    batched = isinstance(report.model, Plan) and report.model.input_shape[0] > 1
    return "convolutions + linear" + (f", {macs:,} per sample" if batched else "")


def _peaks(report: SummaryReport) -> str:
    uses = [use for use in report.memory if use.rule in (LAYERWISE, EAGER)]
    sizes = bytes_texts(use.peak_bytes(report.run.dtype) for use in uses)
    return ", ".join(f"{size} {use.rule.name}" for size, use in zip(sizes, uses, strict=True))


def layer_style(layer: Layer) -> str:
    """Return the style of the row of a layer."""
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
