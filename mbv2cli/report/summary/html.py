"""The summary as a page for a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from mbv2cli.costs.figures import FIGURES, MACS, PEAK, Figure
from mbv2cli.costs.layers import By
from mbv2cli.costs.memory import LAYERWISE, MemoryUse
from mbv2cli.errors import UserError
from mbv2cli.inspection import Plan
from mbv2cli.report.draw import What
from mbv2cli.report.draw.pictures import (
    draw_cost,
    draw_memory,
    draw_roofline,
    draw_shapes,
    heading_of,
)
from mbv2cli.report.html.skeleton import (
    MOST_BYTES,
    TOO_LARGE,
    HtmlPage,
    Section,
    page_text,
    shown_text,
    size_of,
)
from mbv2cli.report.html.svg import figure
from mbv2cli.report.html.table import (
    LEAF,
    Cell,
    Heading,
    Row,
    Table,
    plain_table,
    sortable_table,
)
from mbv2cli.report.page import Line
from mbv2cli.report.summary.document import group_rows, rows_of
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.summary.rows import GroupRow, LayerRow
from mbv2cli.report.summary.table import doubts, header, highlights, layer_style
from mbv2cli.report.summary.verdict import verdict
from mbv2cli.report.summary.view import View, cell, is_number
from mbv2cli.report.text import sentence, total_text
from mbv2cli.specs.units import Unit, amount_text, bytes_text

_MOST_OF_TABLE: Final = 250_000
"""What the table may take of a page; the rest is for figures, pictures, style and script."""

_COLUMNS: Final = (
    *("name", "role", "output_shape", "params", "macs"),
    *("layerwise_bytes", "receptive_field", "path"),
)
"""The columns of a row for each layer, where no others are asked for."""

_CODE: Final = frozenset({"path", "block", "input_shape", "output_shape"})

_CAPTIONS: Final = {
    None: "A row for each layer and operation, in forward order",
    By.BLOCK: "A row for each block",
    By.STAGE: "A row for each stage",
    By.KIND: "A row for each kind of operation",
}


def as_html(report: SummaryReport, command: str) -> str:
    """Return the verdict, every figure, the picture and the table. ``command`` makes the page."""
    first, *lines = (block for block in header(report).blocks if isinstance(block, Line))
    figures = Section("Figures", plain_table(_figures(report)))
    layers = Section("Layers", _layers(report))
    page = HtmlPage(
        first.text, (verdict(report), *lines, *doubts(report)), sections=(figures, layers)
    )
    room = MOST_BYTES - len(page_text(page, command))
    pictures = Section("Pictures", _pictures(report, room))
    return page_text(page._replace(sections=(figures, pictures, layers)), command)


def _figures(report: SummaryReport) -> Table:
    headings = (
        Heading("Figure"),
        Heading("Amount", is_number=True),
        Heading("Rule and unit"),
    )
    return Table("Every figure, and how it is counted", headings, list(_figure_rows(report)))


def _figure_rows(report: SummaryReport) -> Iterator[Row]:
    """Yield a row for each figure, under its name in JSON, with what it counts."""
    by_rule = {use.rule: use for use in report.memory}
    for one in FIGURES:
        if one is PEAK:
            continue
        amount = report.known_figure(one)
        rule = _peak_rule(report, by_rule[one.rule]) if one.rule else _rule(report, one)
        yield Row([Cell(one.field), Cell(_amount(report, one, amount), amount), Cell(rule)])
    for title, megabytes in report.sizes.titled if report.sizes else ():
        text = "torchsummary's figure; 1 MB is 2^20 bytes."
        yield Row([Cell(title), Cell(f"{megabytes:,.2f}", megabytes), Cell(text)])


def _amount(report: SummaryReport, figure: Figure, amount: int | None) -> str:
    if amount is None:
        return f"not known: no rule for {', '.join(report.uncounted(figure))}"
    if figure is MACS:
        return total_text(report.macs)
    least = "at least " if report.uncounted(figure) else ""
    if figure.unit is not Unit.BYTES:
        return f"{least}{amount_text(amount, figure.unit)}"
    return f"{least}{amount:,} bytes ({bytes_text(amount)})"


def _rule(report: SummaryReport, figure: Figure) -> str:
    text = sentence(figure.description)
    if figure is MACS:
        convention = report.convention
        return f"{text} Convention: {convention.name} ({convention.reported_by})."
    return text.replace("in the dtype", report.run.dtype)


def _peak_rule(report: SummaryReport, use: MemoryUse) -> str:
    """Return what a memory rule counts, and the layer that causes the peak."""
    culprit = report.culprit(use)
    place = f" ({culprit.path})" if culprit.path else ""
    return (
        f"Peak of activation memory, rule {use.rule.name}, {report.run.dtype}: {use.rule.counts}; "
        f"the peak is at {culprit.name or culprit.type}{place}."
    )


def _pictures(report: SummaryReport, room: int) -> str:
    """Return the pictures of `mbv2 draw` that take at most ``room`` bytes, or why there is none."""
    heading, model, dtype = heading_of(report.request), report.model, report.run.dtype
    shapes = "feature maps, to scale" if isinstance(model, Plan) else "module calls"
    pictures: dict[What, tuple[str, Callable[[], bytes]]] = {
        What.SHAPES: (f"The {shapes}", lambda: draw_shapes(heading, model, ".svg")),
        What.COST: (
            "Where parameters, MACs and bytes go",
            lambda: draw_cost(heading, model, LAYERWISE, dtype, ".svg"),
        ),
        What.MEMORY: (
            "The bytes alive while each operation runs",
            lambda: draw_memory(heading, model, LAYERWISE, dtype, ".svg"),
        ),
        What.ROOFLINE: (
            "MACs of each layer over its MACs per byte",
            lambda: draw_roofline(heading, model, dtype, ".svg"),
        ),
    }
    try:
        import matplotlib  # noqa: F401, ICN001  (only to see whether it is there)
    except ImportError as error:
        why = "is not installed" if error.name == "matplotlib" else f"cannot be imported ({error})"
        return _sentence(
            f"There are no pictures: matplotlib {why}; run pip install 'mbv2[plot]', "
            "then make the page again."
        )
    shown = []
    for what, (label, draw) in pictures.items():
        shown.append(_picture(what, label, draw, room))
        room -= len(shown[-1])
    return "\n".join(shown)


def _picture(what: What, label: str, draw: Callable[[], bytes], room: int) -> str:
    try:
        picture = figure(draw(), what, label)
    except UserError as error:
        return _sentence(f"{label}: there is no picture; {error}.")
    if len(picture) <= room:
        return picture
    return _sentence(
        f"{label}: there is no picture, because it {TOO_LARGE}; mbv2 draw --what {what} draws it."
    )


def _sentence(text: str) -> str:
    return f"<p>{shown_text(text)}</p>"


def _layers(report: SummaryReport) -> str:
    """Return the table that was asked for; one with fewer rows, and why, if it is too large."""
    first, *coarser = (replace(report, view=view) for view in _views(report))
    table = _table(first)
    text = sortable_table(table)
    for other in coarser:
        if size_of(text) <= _MOST_OF_TABLE:
            break
        reason = (
            f"A table with {len(table.rows):,} rows {TOO_LARGE}, so this table has a row for each "
            f"{other.view.by}. --format csv has every row."
        )
        text = f"{_sentence(reason)}\n{sortable_table(_table(other))}"
    return text


def _views(report: SummaryReport) -> Iterator[View]:
    """Yield the view that was asked for, and those to fall back to, the finest first."""
    view = report.view
    yield View(None, _COLUMNS) if view.by is None and not view.columns else view
    if isinstance(report.model, Plan):  # a module has no blocks that are known
        yield View(By.BLOCK)
    yield View(By.KIND)


def _table(report: SummaryReport) -> Table:
    view = report.view
    titles = (view.title(name, report.convention, report.run.dtype) for name in view.shown_columns)
    headings = [
        Heading(title, is_number(name), name in _CODE)
        for title, name in zip(titles, view.shown_columns, strict=True)
    ]
    return Table(_CAPTIONS[view.by], headings, list(_rows(report)))


def _rows(report: SummaryReport) -> Iterator[Row]:
    """Yield a row for each layer, below one for its stage and one for its block, or the groups."""
    rows, columns = rows_of(report), report.view.shown_columns
    plain = [""] * len(rows)
    styles = {name: highlights(rows, name, plain) or plain for name in columns}
    groups = _Groups(report, columns)
    for number, row in enumerate(rows):
        if isinstance(row, LayerRow):
            yield from groups.before(row)
            style = layer_style(report.model.layers[number])
        else:
            style = ""
        yield Row([_cell(row, name, styles[name][number]) for name in columns], LEAF, style)


class _Groups:
    """The rows of stages and blocks, each before the first layer of its group.

    A stage of one block has one row. A module has no groups that are known.
    """

    def __init__(self, report: SummaryReport, columns: Sequence[str]) -> None:
        self._columns = columns
        self._stages = {row.name: row for row in group_rows(report, By.STAGE)}
        self._blocks = {row.name: row for row in group_rows(report, By.BLOCK)}
        self._blocks_of: dict[str, set[str]] = {}
        for layer in report.model.layers:
            self._blocks_of.setdefault(layer.stage, set()).add(layer.block)
        self._stage = self._block = ""

    def before(self, layer: LayerRow) -> Iterator[Row]:
        """Yield the rows that come before a layer."""
        stage, block = layer.stage, layer.block
        if stage != self._stage:
            whole = self._stages[stage]
            yield self._row(whole.model_copy(update={"name": self._title(stage, block)}), 0)
        if block != self._block and len(self._blocks_of[stage]) > 1:
            yield self._row(self._blocks[block], 1)
        self._stage, self._block = stage, block

    def _title(self, stage: str, block: str) -> str:
        is_alone = len(self._blocks_of[stage]) == 1
        return f"{stage}: {block}" if is_alone and block != stage else stage

    def _row(self, group: GroupRow, depth: int) -> Row:
        _, *others = self._columns
        named = Cell(group.name)
        return Row([named, *(_group_cell(group, name) for name in others)], depth)


def _group_cell(group: GroupRow, column: str) -> Cell:
    return _cell(group, column, "") if column in GroupRow.model_fields else Cell("")


def _cell(row: LayerRow | GroupRow, column: str, style: str) -> Cell:
    value = getattr(row, column)
    amount = value if is_number(column) and isinstance(value, int | float) else None
    return Cell(cell(row, column), amount, style)
