"""A comparison as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mbv2cli.gate.comparison import Comparison
from mbv2cli.graph.ops import Shape
from mbv2cli.inspection import Plan
from mbv2cli.report.document import Document, Part
from mbv2cli.report.layer_pair import LayerPairPart
from mbv2cli.specs import BlockSpec, NetworkSpec


class SidePart(Part):
    """One side."""

    name: str = Field(description="As it was given.")
    spec: BlockSpec | NetworkSpec = Field(description="Every field of it.")
    input_shape: Shape = Field(description="Batch, channels, height, width.")
    output_shape: Shape = Field(description="Shape of what comes out.")


class DifferencePart(Part):
    """A figure of both sides."""

    what: str = Field(description="Which figure; peaks are those of float32.")
    unit: str = Field(description="`count` or `bytes`.")
    before: int = Field(description="That of A.")
    after: int = Field(description="That of B.")
    change: int = Field(description="What B has more.")


class CompareDocument(Document):
    """What `mbv2 compare --format json` prints."""

    command: Literal["compare"] = Field("compare", description="`compare`.")
    differs: bool = Field(description="Whether any layer does.")
    a: SidePart = Field(description="The first side.")
    b: SidePart = Field(description="The second side.")
    totals: tuple[DifferencePart, ...] = Field(description="Figures of both.")
    layers: tuple[LayerPairPart, ...] = Field(description="The layers that differ, aligned.")


def render(comparison: Comparison) -> str:
    """Return the document, indented."""
    return CompareDocument(
        differs=comparison.differs,
        a=_side(comparison.before_name, comparison.before),
        b=_side(comparison.after_name, comparison.after),
        totals=tuple(map(DifferencePart.model_validate, comparison.totals)),
        layers=tuple(
            LayerPairPart.model_validate(pair) for pair in comparison.layers if pair.differs
        ),
    ).text


def _side(name: str, plan: Plan) -> SidePart:
    return SidePart(
        name=name,
        spec=plan.spec,
        input_shape=plan.input_shape,
        output_shape=plan.output_shape,
    )
