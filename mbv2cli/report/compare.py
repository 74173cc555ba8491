"""`mbv2 compare`: what differs of two models. The totals come last, where a terminal shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from pydantic import Field

from mbv2cli.costs.figures import PEAK
from mbv2cli.costs.layers import By, GroupFigures
from mbv2cli.gate.comparison import Comparison, GroupPair, Side, group_pairs
from mbv2cli.gate.differences import FieldChange, FigureChange, LayerPair
from mbv2cli.graph.ops import Shape
from mbv2cli.graph.rows import Layer
from mbv2cli.inspection import Plan
from mbv2cli.report.differences import change_text, figure_change_text, told_changes, value_text
from mbv2cli.report.document import Document, FieldChangePart, LayerPairPart, Part
from mbv2cli.report.page import BOLD, DIM, GOOD, Block, Column, Line, Page, Table, page
from mbv2cli.report.text import code, compact, prose
from mbv2cli.specs import BlockSpec, NetworkSpec
from mbv2cli.specs.units import amount_texts
from mbv2cli.specs.words import one_of

LAYER: Final = "layer"
ROWS: Final = (LAYER, By.BLOCK.value, By.STAGE.value)
"""The values of `--by`."""

_SHOWN_ROWS: Final = 20
_INDENT: Final = "  "
_IN_COLUMNS: Final = frozenset({"type", "output_shape", "params"})
_CONSEQUENCES: Final = frozenset({"input_shape", "trainable_params", "buffers", "macs", "groups"})
"""Fields of a layer that change with the layers before it or with the columns beside them."""
_ROW_TITLES: Final = ("Type", "Output shape", "Params", "Other fields")
_GROUP_TITLES: Final = ("Layers", "Output shape", "Params", "MACs")


@dataclass(frozen=True, slots=True)
class CompareReport:
    """A comparison; its stages or blocks, if they are asked for; and whether rows are left out."""

    comparison: Comparison
    by: str
    groups: tuple[GroupPair, ...]
    shows_every_row: bool


def compare_report(comparison: Comparison, by: str, *, shows_every_row: bool) -> CompareReport:
    """Return what is shown. Raises `UserError` if ``by`` is not among `ROWS`."""
    by = one_of(by, ROWS, "--by")
    groups = () if by == LAYER else group_pairs(comparison, By(by))
    return CompareReport(comparison, by, groups, shows_every_row)


class _Row(NamedTuple):
    """A layer, a block or a stage that differs. ``mark`` is - for only A and + for only B."""

    mark: str
    place: str
    cells: tuple[str, ...]
    differs: tuple[bool, ...]


def as_table(report: CompareReport) -> Page:
    """Return the names, the rows that differ, the fields that differ, and the totals."""
    return page(_blocks(report))


def _blocks(report: CompareReport) -> Iterator[Block]:
    comparison = report.comparison
    yield Line(f"A: {comparison.before.name}", BOLD, "   ")
    yield Line(f"B: {comparison.after.name}", BOLD, "   ")
    yield Line()
    rows = _rows(report)
    shown = rows if report.shows_every_row else rows[:_SHOWN_ROWS]
    if rows:
        marks = " (- only A, + only B)" if any(row.mark.strip() for row in rows) else ""
        yield Line(f"{rows_heading(report, len(rows))}{marks}:", BOLD, _INDENT)
        yield _rows_table(report, shown)
        if len(shown) < len(rows):
            more = len(rows) - len(shown)
            text = f"{more} more of them differ. --all shows every row, and so does --format json."
            yield Line(text, DIM, _INDENT)
        yield Line()
    if comparison.found.fields:
        yield Line("Fields that differ:", BOLD)
        for change in comparison.found.fields:
            yield Line(f"{_INDENT}{change_text(change)}", "", _INDENT * 2)
        yield Line()
    yield _totals_table(comparison)
    yield Line()
    yield Line(closing(comparison), "" if comparison.differs else GOOD, _INDENT)


def closing(comparison: Comparison) -> str:
    """Return in a sentence what differs."""
    found = comparison.found
    if not comparison.differs:
        return "Nothing differs: every field, every figure and every layer is the same."
    layers = len(found.differing_layers)
    if layers:
        return f"Layers that differ: {layers} of {len(found.layers)}."
    names = ", ".join(change.field for change in found.fields)
    fields = f"Fields differ: {names}; " if len(found.fields) > 1 else f"Field {names} differs; "
    return f"{fields}every operation is the same."


def rows_heading(report: CompareReport, count: int) -> str:
    """Return how many layers, blocks or stages differ."""
    if report.by == LAYER:
        return f"Layers that differ: {count} of {len(report.comparison.found.layers)}"
    return f"{report.by.capitalize()}s that differ: {count}"


def _titles(report: CompareReport) -> tuple[str, ...]:
    return _ROW_TITLES if report.by == LAYER else _GROUP_TITLES


def _rows_table(report: CompareReport, rows: Sequence[_Row]) -> Table:
    """Return the rows. A column in which no row differs is left out."""
    columns = [
        Column("", [row.mark for row in rows]),
        Column(
            "Path" if report.by == LAYER else report.by.capitalize(), [row.place for row in rows]
        ),
    ]
    for number, title in enumerate(_titles(report)):
        if any(row.differs[number] for row in rows):
            rank = 1 + sum(not row.differs[number] for row in rows)
            columns.append(Column(title, [row.cells[number] for row in rows], rank=rank))
    return Table(columns)


def _rows(report: CompareReport) -> list[_Row]:
    if report.by != LAYER:
        return [_group_row(pair) for pair in report.groups]
    return [_layer_row(pair) for pair in report.comparison.found.differing_layers]


def _layer_row(pair: LayerPair) -> _Row:
    layers = pair.layers
    told = list(told_changes(pair))
    others = other_changes(told)
    cells = (
        _arrow([layer.type for layer in layers]),
        _arrow([compact(layer.output_shape) for layer in layers]),
        _arrow([f"{layer.params:,}" for layer in layers]),
        ", ".join(map(change_text, others)),
    )
    alone = len(layers) == 1
    changed = {change.field for change in told}
    differs = (
        alone or "type" in changed,
        alone or "output_shape" in changed,
        alone or "params" in changed,
        bool(others),
    )
    return _Row(mark(pair.before, pair.after), layers[-1].path or layers[-1].type, cells, differs)


def other_changes(told: Sequence[FieldChange]) -> Sequence[FieldChange]:
    """Return the changes that no column shows and that follow from no other one."""
    others = [change for change in told if change.field not in _IN_COLUMNS | _CONSEQUENCES]
    if not others and not any(change.field in _IN_COLUMNS for change in told):
        return told
    return others


def _group_row(pair: GroupPair) -> _Row:
    groups = [group for group in (pair.before, pair.after) if group]
    shapes = [value_text(group.output_shape) for group in groups]
    params = [f"{group.params:,}" for group in groups]
    macs = [f"{group.macs:,}" for group in groups]
    differs = (True, *(len(groups) == 1 or len(set(one)) > 1 for one in (shapes, params, macs)))
    cells = (f"{pair.differing} differ", _arrow(shapes), _arrow(params), _arrow(macs))
    return _Row(mark(pair.before, pair.after), pair.name, cells, differs)


def mark(before: Layer | GroupFigures | None, after: Layer | GroupFigures | None) -> str:
    """Return - for what only A has, + for what only B has."""
    return " " if before and after else "+" if after else "-"


def _arrow(words: Sequence[str]) -> str:
    return " -> ".join(dict.fromkeys(words))


class Total(NamedTuple):
    """The output shape or a figure of both. ``narrow`` is a short name for a narrow terminal."""

    what: str
    narrow: str
    before: str
    after: str
    difference: str
    change: str


def _totals_table(comparison: Comparison) -> Table:
    rows = list(totals(comparison))
    return Table(
        [
            Column("Total", [one.what for one in rows], narrow=[one.narrow for one in rows]),
            Column("A", [one.before for one in rows], is_number=True),
            Column("B", [one.after for one in rows], is_number=True),
            Column("B - A", [one.difference for one in rows], is_number=True, rank=2),
            Column("Change", [one.change for one in rows], is_number=True, rank=1),
        ],
        narrow=[Line("Total, A -> B:", BOLD), *map(_narrow_line, rows)],
    )


def _narrow_line(one: Total) -> Line:
    text = f"{one.narrow}: {_arrow((one.before, one.after))}, {one.change}"
    return Line(_INDENT + text, "", _INDENT * 2)


def totals(comparison: Comparison) -> Iterator[Total]:
    """Yield the output shape and every figure of both."""
    found = comparison.found
    before, after = (compact(shape) for shape in (found.output.before, found.output.after))
    changed = "changed" if found.output_differs else "unchanged"
    yield Total("output", "output", before, after, "", changed)
    for one in found.figures:
        change = one.change or 0
        before, after, difference = amount_texts((one.before, one.after, abs(change)), one.unit)
        sign = "+" if change > 0 else "-"
        yield Total(
            one.what,
            _narrow(one),
            before,
            after,
            f"{sign}{difference}" if change else "",
            figure_change_text(one),
        )


def _narrow(one: FigureChange) -> str:
    """Return the name of a figure; of a peak only its memory rule and its dtype."""
    return one.what.removeprefix(f"{PEAK.name} (").removesuffix(")")


def as_markdown(report: CompareReport) -> str:
    """Return the fields that differ, the totals and, folded away, the rows that differ."""
    return "".join(f"{line}\n" for line in _markdown_lines(report))


def _markdown_lines(report: CompareReport) -> Iterator[str]:
    comparison = report.comparison
    yield f"**{prose(closing(comparison))}**"
    yield ""
    if comparison.found.fields:
        yield from ("| field | A | B |", "| --- | --- | --- |")
        for change in comparison.found.fields:
            values = (code(value_text(value)) for value in (change.before, change.after))
            yield f"| {code(change.field)} | {' | '.join(values)} |"
        yield ""
    names = map(code, (comparison.before.name, comparison.after.name))
    yield f"| | {' | '.join(names)} | B - A | change |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for total in totals(comparison):
        cells = (prose(total.what), total.before, total.after, total.difference, total.change)
        yield f"| {' | '.join(cells)} |"
    rows = _rows(report)
    if not rows:
        return
    yield ""
    yield f"<details><summary>{rows_heading(report, len(rows))}</summary>"
    yield ""
    titles = ("", report.by, *(title.lower() for title in _titles(report)))
    yield f"| {' | '.join(titles)} |"
    yield f"|{' --- |' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join((row.mark.strip(), code(row.place), *map(prose, row.cells)))} |"
    yield ""
    yield "</details>"


class SidePart(Part):
    """One model."""

    name: str = Field(description="The model as it was given.")
    kind: str = Field(description="`block`, `network` or `module`.")
    spec: BlockSpec | NetworkSpec | None = Field(
        description="Every field of the model; null for a module."
    )
    input_shape: Shape = Field(
        description="Batch, channels, height, width; of a module, the shape of its first input."
    )
    output_shape: Shape = Field(description="Shape of the output.")
    peak_rule: str = Field(description="Memory rule of the lock; `layerwise` without a lock.")
    dtype: str = Field(description="Element type that bytes are counted in.")


class DifferencePart(Part):
    """A figure of both models."""

    what: str = Field(description="Name of the figure; a peak with memory rule and dtype.")
    unit: str = Field(description="`count` or `bytes`.")
    before: int = Field(description="Figure of A.")
    after: int = Field(description="Figure of B.")
    change: int | None = Field(
        description="B - A; null if it is not known, because a function of A or B has no rule."
    )


class ComparedGroupPart(Part):
    """A block or a stage of one model."""

    layers: int = Field(description="Layers and operations in the group.")
    output_shape: Shape | None = Field(description="Output shape of the last layer.")
    params: int = Field(description="Parameters.")
    macs: int = Field(description="MACs of convolutions and linear layers.")


class GroupPairPart(Part):
    """A block or a stage in which a layer differs."""

    name: str = Field(description="Path of the block or name of the stage.")
    differing: int = Field(description="Layers of the group that differ.")
    before: ComparedGroupPart | None = Field(description="The group in A; null if A has none.")
    after: ComparedGroupPart | None = Field(description="The group in B; null if B has none.")


class CompareDocument(Document):
    """What `mbv2 compare --format json` prints."""

    command: Literal["compare"] = Field("compare", description="`compare`.")
    differs: bool = Field(description="Whether a field, a figure or a layer differs.")
    a: SidePart = Field(description="The first model.")
    b: SidePart = Field(description="The second model.")
    fields: tuple[FieldChangePart, ...] = Field(
        description="Fields of the model, its input and its counting that differ."
    )
    totals: tuple[DifferencePart, ...] = Field(description="Figures of both.")
    groups: tuple[GroupPairPart, ...] = Field(
        description="With `--by block` or `stage`, the groups that differ."
    )
    layers: tuple[LayerPairPart, ...] = Field(description="The layers that differ, aligned.")


def as_json(report: CompareReport) -> str:
    """Return the document, indented. It has every layer that differs."""
    comparison = report.comparison
    found = comparison.found
    return CompareDocument(
        differs=comparison.differs,
        a=_side(comparison.before, found.output.before),
        b=_side(comparison.after, found.output.after),
        fields=tuple(map(FieldChangePart.model_validate, found.fields)),
        totals=tuple(map(DifferencePart.model_validate, found.figures)),
        groups=tuple(map(GroupPairPart.model_validate, report.groups)),
        layers=tuple(map(LayerPairPart.model_validate, found.differing_layers)),
    ).text


def _side(side: Side, output_shape: Shape) -> SidePart:
    spec = side.model.spec if isinstance(side.model, Plan) else None
    return SidePart(
        name=side.name,
        kind=spec.noun if spec else "module",
        spec=spec,
        input_shape=side.model.input_shape,
        output_shape=output_shape,
        peak_rule=side.counting.rule,
        dtype=side.counting.dtype,
    )
