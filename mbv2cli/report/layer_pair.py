"""A layer beside itself, as JSON has it."""

from __future__ import annotations

from pydantic import Field

from mbv2cli.plan import Shape
from mbv2cli.report.document import Part


class ComparedLayerPart(Part):
    """A layer as one side has it."""

    name: str | None = Field(description="torchsummary's name; none for a functional operation.")
    path: str = Field(description="Module path.")
    type: str = Field(description="Class of the module, or function.")
    output_shape: Shape = Field(description="What it puts out.")
    params: int = Field(description="Parameters.")
    macs: int = Field(description="MACs of convolutions and linear layers.")


class LayerPairPart(Part):
    """A layer that differs."""

    before: ComparedLayerPart | None = Field(description="As it was, or A has it; null: it is new.")
    after: ComparedLayerPart | None = Field(description="As it is, or B has it; null: it is gone.")
