"""`mbv2 compare`: totals of two models, and the layers that differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from mbv2cli.gate.comparison import Comparison, Difference, LayerPair
from mbv2cli.graph.ops import Shape
from mbv2cli.inspection import Plan
from mbv2cli.report.document import Document, LayerPairPart, Part
from mbv2cli.report.text import code, compact
from mbv2cli.specs import BlockSpec, NetworkSpec
from mbv2cli.specs.units import amount_text


def as_table(comparison: Comparison) -> str:
    """Return the totals, then the layers that differ."""
    return "".join(f"{line.rstrip()}\n" for line in _table_lines(comparison))


def _table_lines(comparison: Comparison) -> Iterator[str]:
    yield f"A: {comparison.before_name}"
    yield f"B: {comparison.after_name}"
    yield ""
    yield f"{'':<25} {'A':>15} {'B':>15} {'B - A':>13} {'':>8}"
    for cells in _totals(comparison):
        what, before, after, change, percent = cells
        yield f"{what:<25} {before:>15} {after:>15} {change:>13} {percent:>8}"
    yield ""
    pairs = _differing(comparison)
    if not pairs:
        yield "Every layer is the same."
        return
    yield f"{len(pairs)} of {len(comparison.layers)} layers differ (- only A, + only B):"
    yield f"  {'path':<20} {'output shape':<28} params"
    for mark, path, shapes, params in map(_pair_cells, pairs):
        yield f"{mark} {path:<20} {shapes:<28} {params}"


def as_markdown(comparison: Comparison) -> str:
    """Return a table of the totals and, folded away, the layers that differ."""
    return "".join(f"{line}\n" for line in _markdown_lines(comparison))


def _markdown_lines(comparison: Comparison) -> Iterator[str]:
    names = map(code, (comparison.before_name, comparison.after_name))
    yield f"| | {' | '.join(names)} | difference | |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    (_output, before, after, *_), *totals = _totals(comparison)
    yield f"| output | `{before}` | `{after}` | | |"
    for cells in totals:
        yield f"| {' | '.join(cells)} |"
    pairs = _differing(comparison)
    if not pairs:
        return
    yield ""
    yield f"<details><summary>{len(pairs)} layers differ</summary>"
    yield ""
    yield "| | path | output shape | params |"
    yield "| --- | --- | --- | --- |"
    for mark, path, shapes, params in map(_pair_cells, pairs):
        yield f"| {mark.strip()} | `{path}` | {shapes} | {params} |"
    yield ""
    yield "</details>"


def _totals(comparison: Comparison) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield what, A, B, difference and percent: of the output shape, then of each figure."""
    before, after = (compact(plan.output_shape) for plan in (comparison.before, comparison.after))
    yield "output", before, after, "", ""
    for one in comparison.totals:
        before, after = (amount_text(amount, one.unit) for amount in (one.before, one.after))
        percent = f"{one.change / one.before:+.1%}" if one.change and one.before else ""
        yield one.what, before, after, _change_text(one), percent


def _change_text(one: Difference) -> str:
    """Return B - A with its sign, or nothing if A and B are equal."""
    if not one.change:
        return ""
    sign = "+" if one.change > 0 else "-"
    return f"{sign}{amount_text(abs(one.change), one.unit)}"


def _differing(comparison: Comparison) -> list[LayerPair]:
    return [pair for pair in comparison.layers if pair.differs]


def _pair_cells(pair: LayerPair) -> tuple[str, str, str, str]:
    """Return mark, path, output shape and parameters of a pair that differs."""
    layers = [layer for layer in (pair.before, pair.after) if layer]
    mark = " " if pair.before and pair.after else "+" if pair.after else "-"
    shapes = [compact(layer.output_shape) for layer in layers]
    params = [f"{layer.params:,}" for layer in layers]
    return mark, layers[-1].path or layers[-1].type, _arrow(shapes), _arrow(params)


def _arrow(words: list[str]) -> str:
    return " -> ".join(dict.fromkeys(words))


class SidePart(Part):
    """One model."""

    name: str = Field(description="The model as it was given.")
    spec: BlockSpec | NetworkSpec = Field(description="Every field of the model.")
    input_shape: Shape = Field(description="Batch, channels, height, width.")
    output_shape: Shape = Field(description="Shape of the output.")


class DifferencePart(Part):
    """A figure of both models."""

    what: str = Field(description="Name of the figure; peaks are those of float32.")
    unit: str = Field(description="`count` or `bytes`.")
    before: int = Field(description="Figure of A.")
    after: int = Field(description="Figure of B.")
    change: int = Field(description="B - A.")


class CompareDocument(Document):
    """What `mbv2 compare --format json` prints."""

    command: Literal["compare"] = Field("compare", description="`compare`.")
    differs: bool = Field(description="Whether any layer differs.")
    a: SidePart = Field(description="The first model.")
    b: SidePart = Field(description="The second model.")
    totals: tuple[DifferencePart, ...] = Field(description="Figures of both.")
    layers: tuple[LayerPairPart, ...] = Field(description="The layers that differ, aligned.")


def as_json(comparison: Comparison) -> str:
    """Return the document, indented."""
    return CompareDocument(
        differs=comparison.differs,
        a=_side(comparison.before_name, comparison.before),
        b=_side(comparison.after_name, comparison.after),
        totals=tuple(map(DifferencePart.model_validate, comparison.totals)),
        layers=tuple(map(LayerPairPart.model_validate, _differing(comparison))),
    ).text


def _side(name: str, plan: Plan) -> SidePart:
    return SidePart(
        name=name,
        spec=plan.spec,
        input_shape=plan.input_shape,
        output_shape=plan.output_shape,
    )
