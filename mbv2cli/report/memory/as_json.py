"""The memory as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from mbv2cli.plan import Role
from mbv2cli.plan.memory import ELEMENT_BYTES, MemoryUse
from mbv2cli.plan.weights import flash_bytes, weight_bytes
from mbv2cli.report.document import Part, RequestDocument, request_fields
from mbv2cli.report.memory.report import MemoryReport
from mbv2cli.report.summary.document import Megabytes


class BytesPart(Part):
    """The same elements in each dtype."""

    float64: int = Field(description="8 bytes an element.")
    float32: int = Field(description="4 bytes an element.")
    float16: int = Field(description="2 bytes an element.")
    bfloat16: int = Field(description="2 bytes an element.")
    int8: int = Field(description="1 byte an element.")


class StepPart(Part):
    """A moment of the timeline."""

    layer: str | None = Field(description="Name of the layer that runs.")
    path: str = Field(description="Its path.")
    type: str = Field(description="Its class or function.")
    elements: int = Field(description="Elements alive meanwhile; for `training` saved by then.")


class RulePart(Part):
    """The peak under a rule."""

    rule: str = Field(description="Name of the rule.")
    counts: str = Field(description="What it takes to be alive.")
    source: str = Field(description="Whose rule it is, or what it was compared with.")
    peak_bytes: BytesPart = Field(description="Most that is alive at a moment.")
    layer: str | None = Field(description="Name of the layer that causes the peak.")
    path: str = Field(description="Path of that layer.")
    role: Role = Field(description="What that layer is there for.")
    timeline: tuple[StepPart, ...] = Field(description="Every step of the rule, in forward order.")


class WeightsPart(Part):
    """What the weights take."""

    parameters: BytesPart = Field(description="All parameters, as they are trained.")
    flash_bytes: int = Field(description="int8 weights, int32 biases, BatchNorm folded.")


class PassSizePart(Part):
    """torchsummary's figure, and what is in it that takes no memory."""

    total_mb: Megabytes = Field(description="Forward/backward pass size, as it prints it.")
    blocks_again_mb: Megabytes = Field(description="Of that, block rows: counted again.")
    in_place_mb: Megabytes = Field(description="Of that, in-place activations: no new memory.")


class MemoryDocument(RequestDocument):
    """What `mbv2 memory --format json` prints."""

    command: Literal["memory"] = Field("memory", description="`memory`.")
    rules: tuple[RulePart, ...] = Field(description="The peak of activations under each rule.")
    weights: WeightsPart = Field(description="What the weights take.")
    torchsummary_pass_size: PassSizePart = Field(
        description="torchsummary's Forward/backward pass size, explained."
    )


def render(report: MemoryReport) -> str:
    """Return the document, indented."""
    plan = report.plan
    document = MemoryDocument(
        **request_fields(report.request),
        rules=tuple(map(_rule, report.uses)),
        weights=WeightsPart(
            parameters=BytesPart(**{dtype: weight_bytes(plan, dtype) for dtype in ELEMENT_BYTES}),
            flash_bytes=flash_bytes(plan),
        ),
        torchsummary_pass_size=PassSizePart.model_validate(report.pass_size),
    )
    return document.text


def _rule(use: MemoryUse) -> RulePart:
    return RulePart(
        rule=use.rule.name,
        counts=use.rule.counts,
        source=use.rule.source,
        peak_bytes=BytesPart(**{dtype: use.peak_bytes(dtype) for dtype in ELEMENT_BYTES}),
        layer=use.culprit.name,
        path=use.culprit.path,
        role=use.culprit.role,
        timeline=tuple(_steps(use)),
    )


def _steps(use: MemoryUse) -> Iterator[StepPart]:
    for layer, elements in use.steps:
        yield StepPart(layer=layer.name, path=layer.path, type=layer.type, elements=elements)
