"""`mbv2 memory`: activations under every rule, weights, and torchsummary's own figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field

from mbv2cli.plan import Plan, Role, plan_of
from mbv2cli.plan.memory import (
    EAGER,
    ELEMENT_BYTES,
    MEMORY_RULES,
    TRAINING,
    MemoryUse,
    memory_use,
)
from mbv2cli.plan.torchsummary_sizes import PassSize, pass_size
from mbv2cli.plan.weights import flash_bytes, weight_bytes
from mbv2cli.report.document import Megabytes, Part, RequestDocument, request_fields
from mbv2cli.report.text import heading
from mbv2cli.specs.reader import Request
from mbv2cli.specs.units import bytes_text

_DTYPES: Final = ("float32", "float16", "int8")
_DTYPE_TITLES: Final = ("float32", "16 bits", "int8")
_MB: Final = 2**20


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """The memory of a request under every rule, its weights, and torchsummary's own figure."""

    request: Request
    plan: Plan
    uses: tuple[MemoryUse, ...]
    pass_size: PassSize


def memory_of(request: Request) -> MemoryReport:
    """Return the memory of ``request``. Loads no torch."""
    plan = plan_of(request.spec, request.input)
    uses = tuple(memory_use(rule, plan) for rule in MEMORY_RULES)
    return MemoryReport(request, plan, uses, pass_size(plan.layers))


def as_table(report: MemoryReport) -> str:
    """Return peaks, weights and torchsummary's figure, in at most 80 columns."""
    lines = (heading(report.request), "", *_peaks(report), "", *_weights(report), "")
    return "".join(f"{line.rstrip()}\n" for line in (*lines, *_torchsummary(report)))


def _peaks(report: MemoryReport) -> Iterator[str]:
    yield _line("Activation peak", _DTYPE_TITLES, "caused by")
    for use in report.uses:
        sizes = [bytes_text(use.peak_bytes(dtype)) for dtype in _DTYPES]
        yield _line(use.rule.name, sizes, _culprit(use))
        yield f"  {use.rule.counts}"


def _culprit(use: MemoryUse) -> str:
    return f"{use.culprit.name or use.culprit.type} ({use.culprit.role})"


def _weights(report: MemoryReport) -> Iterator[str]:
    yield _line("Weights", _DTYPE_TITLES)
    yield _line("parameters", [bytes_text(weight_bytes(report.plan, dtype)) for dtype in _DTYPES])
    yield _line("flash", ["", "", bytes_text(flash_bytes(report.plan))])
    yield "  int8 weights, int32 biases, BatchNorm folded into the convolutions"


def _torchsummary(report: MemoryReport) -> Iterator[str]:
    size = report.pass_size
    yield f"torchsummary's Forward/backward pass size: {size.total_mb:,.2f} MB"
    yield "  is every row's output in float32, twice; in it are"
    for megabytes, what in (
        (size.blocks_again_mb, "block rows, counted again on top of their last layer"),
        (size.in_place_mb, "in-place activations, which take no new memory"),
    ):
        if megabytes:
            yield f"  {megabytes:,.2f} MB {what}"
    times = ", ".join(
        f"{size.total_mb * _MB / use.peak_bytes('float32'):.2f} x {use.rule.name}"
        for use in report.uses
        if use.rule in (EAGER, TRAINING)
    )
    yield f"  in all {times}"


def _line(what: str, sizes: Iterable[str], rest: str = "") -> str:
    return f"{what:<17} {' '.join(f'{size:>12}' for size in sizes)}  {rest}"


class BytesPart(Part):
    """The bytes of the same elements in each dtype."""

    float64: int = Field(description="8 bytes an element.")
    float32: int = Field(description="4 bytes an element.")
    float16: int = Field(description="2 bytes an element.")
    bfloat16: int = Field(description="2 bytes an element.")
    int8: int = Field(description="1 byte an element.")


class StepPart(Part):
    """A moment of the timeline."""

    layer: str | None = Field(description="Name of the layer that runs.")
    path: str = Field(description="Path of the layer.")
    type: str = Field(description="Class of the layer, or function.")
    elements: int = Field(
        description="Elements alive while the layer runs; under `training`, saved until then."
    )


class RulePart(Part):
    """The peak under a rule."""

    rule: str = Field(description="Name of the rule.")
    counts: str = Field(description="What the rule counts as alive.")
    source: str = Field(description="Where the rule comes from, or what it was compared with.")
    peak_bytes: BytesPart = Field(description="Largest number of bytes alive at one moment.")
    layer: str | None = Field(description="Name of the layer that causes the peak.")
    path: str = Field(description="Path of that layer.")
    role: Role = Field(description="Role of that layer.")
    timeline: tuple[StepPart, ...] = Field(description="Every step of the rule, in forward order.")


class WeightsPart(Part):
    """The bytes of the weights."""

    parameters: BytesPart = Field(description="All parameters, as they are trained.")
    flash_bytes: int = Field(description="int8 weights, int32 biases, BatchNorm folded.")


class PassSizePart(Part):
    """torchsummary's figure, and what it counts although it takes no memory."""

    total_mb: Megabytes = Field(description="Forward/backward pass size, as it prints it.")
    blocks_again_mb: Megabytes = Field(description="Of that, block rows: counted again.")
    in_place_mb: Megabytes = Field(description="Of that, in-place activations: no new memory.")


class MemoryDocument(RequestDocument):
    """What `mbv2 memory --format json` prints."""

    command: Literal["memory"] = Field("memory", description="`memory`.")
    rules: tuple[RulePart, ...] = Field(description="The peak of activations under each rule.")
    weights: WeightsPart = Field(description="The bytes of the weights.")
    torchsummary_pass_size: PassSizePart = Field(
        description="torchsummary's Forward/backward pass size, explained."
    )


def as_json(report: MemoryReport) -> str:
    """Return the document, indented."""
    plan = report.plan
    return MemoryDocument(
        **request_fields(report.request),
        rules=tuple(map(_rule_part, report.uses)),
        weights=WeightsPart(
            parameters=BytesPart(**{dtype: weight_bytes(plan, dtype) for dtype in ELEMENT_BYTES}),
            flash_bytes=flash_bytes(plan),
        ),
        torchsummary_pass_size=PassSizePart.model_validate(report.pass_size),
    ).text


def _rule_part(use: MemoryUse) -> RulePart:
    return RulePart(
        rule=use.rule.name,
        counts=use.rule.counts,
        source=use.rule.source,
        peak_bytes=BytesPart(**{dtype: use.peak_bytes(dtype) for dtype in ELEMENT_BYTES}),
        layer=use.culprit.name,
        path=use.culprit.path,
        role=use.culprit.role,
        timeline=tuple(
            StepPart(layer=layer.name, path=layer.path, type=layer.type, elements=elements)
            for layer, elements in use.steps
        ),
    )
