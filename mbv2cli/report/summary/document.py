"""The summary as a document: every JSON field, with its meaning, defined once."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import AliasPath, Field, create_model

from mbv2cli.costs.figures import FIGURES, PEAK, Figure
from mbv2cli.costs.layers import By, grouped
from mbv2cli.costs.memory import MemoryUse
from mbv2cli.graph.ops import Shape
from mbv2cli.report.document import Megabytes, Part, RequestDocument, request_fields
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.summary.rows import GroupRow, LayerRow
from mbv2cli.report.text import sentence
from mbv2cli.specs import RunSpec


class PeakPart(Part):
    """The peak of activation memory under a rule."""

    rule: str = Field(description="Name of the rule.")
    counts: str = Field(description="What the rule counts as memory.")
    peak_bytes: int = Field(description="Largest number of bytes alive at one moment.")
    layer: str | None = Field(description="Name of the layer that causes the peak.")
    path: str = Field(description="Path of that layer.")


_IN_TOTALS: Final = tuple(
    figure for figure in FIGURES if figure.rule is None and figure is not PEAK
)
"""Figures of the whole model; the peak of each memory rule has a section of its own."""


def _total(figure: Figure) -> Any:
    text = sentence(figure.description)
    if not figure.needs_every_rule:
        return int, Field(description=text)
    return int | None, Field(description=f"{text} Null where an operation has no rule.")


_TOTALS: Final[dict[str, Any]] = {figure.field: _total(figure) for figure in _IN_TOTALS}
TotalsPart = create_model(
    "TotalsPart", __base__=Part, __doc__="Figures of the whole model.", **_TOTALS
)


class TorchsummaryPart(Part):
    """torchsummary's closing figures in MB of 2^20 bytes, rounded to 0.01."""

    input_mb: Megabytes = Field(description="Input size.")
    forward_backward_mb: Megabytes = Field(
        description="Forward/backward pass size: the output of every row, twice."
    )
    params_mb: Megabytes = Field(description="Params size.")
    total_mb: Megabytes = Field(description="Estimated Total Size.")


class ForwardPart(Part):
    """The forward pass: it confirmed the plan, or it is all that is known of a module."""

    device: str = Field(description="Device of the forward pass.")
    dtype: str = Field(description="Element type of the first input.")
    output_shape: Shape = Field(
        validation_alias=AliasPath("graph", "output_shape"), description="Shape of the output."
    )
    agrees: bool | None = Field(
        default=True,
        description="True if the plan says the same; else mbv2 exits 3. Null for a module of your "
        "own, which has no plan: see `identity`.",
    )


class IdentityPart(Part):
    """Which MobileNetV2 a module of your own is: see `mbv2 identify`."""

    names: tuple[str, ...] = Field(
        description="Targets that are this network, presets first; empty if there is none."
    )
    nearest: str | None = Field(
        description="The nearest preset; null if `names` has one, or if none is near."
    )
    agrees: bool = Field(
        validation_alias="is_proved",
        description="Whether the plan of a spec has the same operations on the same values.",
    )
    remarks: tuple[str, ...] = Field(description="What is not compared.")


class SummaryDocument(RequestDocument):
    """What `mbv2 summary --format json` prints."""

    command: Literal["summary"] = Field("summary", description="`summary`.")
    run: RunSpec = Field(description="`device`, `dtype` and `seed`, as given.")
    forward: ForwardPart | None = Field(description="The forward pass; null with `--no-forward`.")
    identity: IdentityPart | None = Field(
        description="Which MobileNetV2 a module of your own is; null for any other target, and for "
        "a module without a depthwise convolution."
    )
    input_shape: Shape = Field(description="Batch, channels, height, width.")
    output_shape: Shape = Field(description="Shape of the output.")
    input_shapes: tuple[Shape, ...] = Field(description="Shape of each input.")
    output_shapes: tuple[Shape, ...] = Field(description="Shape of each output.")
    convention: str = Field(
        description="Name of the convention that counts MACs: see `mbv2 counts`."
    )
    totals: TotalsPart = Field(description="Figures of the whole model.")
    unknown: tuple[str, ...] = Field(
        description="Functions that the convention has no rule for: the MACs are then at least "
        "`macs`."
    )
    packed: tuple[str, ...] = Field(
        description="Functions whose weights are packed, as those of a quantised layer: "
        "parameters, activations, flash and weights are then at least the `totals`."
    )
    unused: tuple[str, ...] = Field(
        description="Parameters and buffers of a module that no operation uses: the totals do not "
        "have them."
    )
    memory: tuple[PeakPart, ...] = Field(
        description="Peak of activation memory under each rule: see `mbv2 memory`."
    )
    torchsummary: TorchsummaryPart | None = Field(
        description="torchsummary's closing figures in MB of 2^20 bytes, rounded to 0.01; null "
        "where torchsummary cannot run, or is wrong."
    )
    torchsummary_doubt: str = Field(
        description="Why torchsummary cannot run, or what is wrong in its table; empty if nothing."
    )
    layers: tuple[LayerRow, ...] = Field(description="Every layer in forward order.")
    blocks: tuple[GroupRow, ...] = Field(
        description="Stem, inverted residual blocks, head and classifier."
    )
    stages: tuple[GroupRow, ...] = Field(description="Stages, with the fields of `blocks`.")
    kinds: tuple[GroupRow, ...] = Field(
        description="Kinds of operation, with the fields of `blocks`."
    )


def as_json(report: SummaryReport) -> str:
    """Return the document, indented."""
    return SummaryDocument(
        **request_fields(report.request),
        run=report.run,
        forward=_forward_part(report),
        identity=report.identity and IdentityPart.model_validate(report.identity),
        input_shape=report.model.input_shape,
        output_shape=report.model.output_shape,
        input_shapes=report.model.graph.input_shapes,
        output_shapes=report.model.output_shapes,
        convention=report.convention.name,
        totals=_totals_part(report),
        unknown=report.macs.unknown,
        packed=report.packed,
        unused=report.model.graph.unused,
        memory=tuple(_peak_part(report, use) for use in report.memory),
        torchsummary=report.sizes and TorchsummaryPart.model_validate(report.sizes),
        torchsummary_doubt=report.doubt,
        layers=layer_rows(report),
        blocks=group_rows(report, By.BLOCK),
        stages=group_rows(report, By.STAGE),
        kinds=group_rows(report, By.KIND),
    ).text


def rows_of(report: SummaryReport) -> tuple[LayerRow | GroupRow, ...]:
    """Return a row for each layer, or for each group that the view asks for."""
    by = report.view.by
    return layer_rows(report) if by is None else group_rows(report, by)


def layer_rows(report: SummaryReport) -> tuple[LayerRow, ...]:
    """Return a row for each layer."""
    return tuple(map(LayerRow.model_validate, report.layers))


def group_rows(report: SummaryReport, by: By) -> tuple[GroupRow, ...]:
    """Return a row for each group of layers."""
    return tuple(map(GroupRow.model_validate, grouped(report.layers, by)))


def _totals_part(report: SummaryReport) -> Part:
    return TotalsPart(**{figure.field: report.known_figure(figure) for figure in _IN_TOTALS})


def _peak_part(report: SummaryReport, use: MemoryUse) -> PeakPart:
    culprit = report.culprit(use)
    return PeakPart(
        rule=use.rule.name,
        counts=use.rule.counts,
        peak_bytes=use.peak_bytes(report.run.dtype),
        layer=culprit.name,
        path=culprit.path,
    )


def _forward_part(report: SummaryReport) -> ForwardPart | None:
    if report.forward is None:
        return None
    return ForwardPart.model_validate(report.forward).model_copy(update={"agrees": report.agrees})
