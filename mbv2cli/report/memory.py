"""`mbv2 memory`: activations under every rule, weights, and torchsummary's own figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field

from mbv2cli.costs.figures import FLASH
from mbv2cli.costs.memory import EAGER, ELEMENT_BYTES, MEMORY_RULES, TRAINING, MemoryUse
from mbv2cli.costs.torchsummary_sizes import PassSize, pass_size
from mbv2cli.graph.rows import Layer, Role
from mbv2cli.inspection import Plan, plan_of
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

    def weight_bytes(self, dtype: str) -> int:
        """Return the bytes of all parameters."""
        return self.plan.totals.params * ELEMENT_BYTES[dtype]

    @property
    def flash_bytes(self) -> int:
        """Bytes of int8 weights and int32 biases, BatchNorm folded into the convolutions."""
        return self.plan.figure(FLASH)


def memory_of(request: Request) -> MemoryReport:
    """Return the memory of ``request``. Loads no torch."""
    plan = plan_of(request.spec, request.input)
    return MemoryReport(request, plan, tuple(map(plan.memory, MEMORY_RULES)), pass_size(plan.graph))


def as_table(report: MemoryReport) -> str:
    """Return peaks, weights and torchsummary's figure, in at most 80 columns."""
    lines = (heading(report.request), "", *_peaks(report), "", *_weights(report), "")
    return "".join(f"{line.rstrip()}\n" for line in (*lines, *_torchsummary(report)))


def _peaks(report: MemoryReport) -> Iterator[str]:
    yield _line("Activation peak", _DTYPE_TITLES, "caused by")
    for use in report.uses:
        sizes = [bytes_text(use.peak_bytes(dtype)) for dtype in _DTYPES]
        yield _line(use.rule.name, sizes, _culprit(report.plan.layer_of(use.culprit)))
        yield f"  {use.rule.counts}"


def _culprit(layer: Layer) -> str:
    return f"{layer.name or layer.type} ({layer.role})"


def _weights(report: MemoryReport) -> Iterator[str]:
    yield _line("Weights", _DTYPE_TITLES)
    yield _line("parameters", [bytes_text(report.weight_bytes(dtype)) for dtype in _DTYPES])
    yield _line("flash", ["", "", bytes_text(report.flash_bytes)])
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
    return MemoryDocument(
        **request_fields(report.request),
        rules=tuple(_rule_part(report.plan, use) for use in report.uses),
        weights=WeightsPart(
            parameters=BytesPart(**{dtype: report.weight_bytes(dtype) for dtype in ELEMENT_BYTES}),
            flash_bytes=report.flash_bytes,
        ),
        torchsummary_pass_size=PassSizePart.model_validate(report.pass_size),
    ).text


def _rule_part(plan: Plan, use: MemoryUse) -> RulePart:
    layers = {layer.op: layer for layer in plan.layers}
    culprit = layers[use.culprit]
    return RulePart(
        rule=use.rule.name,
        counts=use.rule.counts,
        source=use.rule.source,
        peak_bytes=BytesPart(**{dtype: use.peak_bytes(dtype) for dtype in ELEMENT_BYTES}),
        layer=culprit.name,
        path=culprit.path,
        role=culprit.role,
        timeline=tuple(
            StepPart(
                layer=layers[op].name, path=layers[op].path, type=layers[op].type, elements=elements
            )
            for op, elements in use.steps
        ),
    )
