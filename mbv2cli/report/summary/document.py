"""The summary as a document: every JSON field, with its meaning, defined once."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AliasPath, BeforeValidator, Field, create_model

from mbv2cli.costs.figures import FIGURES, PEAK
from mbv2cli.costs.layers import By, grouped
from mbv2cli.costs.memory import MemoryUse
from mbv2cli.graph.ops import Shape
from mbv2cli.graph.rows import Kind, Role
from mbv2cli.report.document import Megabytes, Part, RequestDocument, request_fields
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.text import sentence
from mbv2cli.specs import RunSpec

Rounded = Annotated[float, AfterValidator(lambda exact: round(exact, 3))]
Sides = Annotated[
    int | tuple[int, ...],
    BeforeValidator(lambda sides: sides[0] if len(set(sides)) == 1 else sides),
]
"""One number where height and width are equal, else both."""

Share = Annotated[float, AfterValidator(lambda exact: round(exact, 6))]


def _of_layer(name: str, description: str) -> Any:
    return Field(validation_alias=AliasPath("layer", name), description=description)


class LayerRow(Part):
    """One layer. ``layers`` of JSON, the lines of CSV and `--columns` have these fields."""

    name: str | None = _of_layer(
        "name", "torchsummary's name, such as `Conv2d-1`; null for a functional operation."
    )
    path: str = _of_layer(
        "path",
        "Module path, such as `features.2.conv.0.0`. For a functional operation: the path of the "
        "module that runs the operation; empty if the whole model runs it.",
    )
    type: str = _of_layer("type", "Class of the module, or name of the function.")
    role: Role = _of_layer("role", "Role in the model: one of " + ", ".join(Role) + ".")
    kind: Kind | None = Field(
        validation_alias=AliasPath("layer", "kind"),
        description="Kind of operation: one of " + ", ".join(Kind) + "; null for a whole block.",
    )
    stage: str = _of_layer(
        "stage", "`stem`, `s1` … (rows of the paper's Table 2), `head`, `classifier`, or `block`."
    )
    block: str = _of_layer(
        "block", "Path of the stem, block, head or classifier of the layer, such as `features.2`."
    )
    functional: bool = _of_layer(
        "is_functional",
        "Whether the layer is a functional operation, which has no row in torchsummary.",
    )
    input_shape: Shape = _of_layer(
        "input_shape", "Shape of the input: batch, channels, height, width; or batch, features."
    )
    output_shape: Shape = _of_layer("output_shape", "Shape of the output.")
    kernel: Sides | None = _of_layer("kernel", "Side of the kernel; null without a kernel.")
    stride: Sides | None = _of_layer("stride", "Stride; null without a stride.")
    dilation: Sides | None = _of_layer("dilation", "Dilation; null without a dilation.")
    groups: int | None = _of_layer("groups", "Groups of channels; null without groups.")
    params: int = _of_layer("params", "Parameters.")
    trainable_params: int = _of_layer("trainable_params", "Parameters that training updates.")
    buffers: int = _of_layer("buffers", "Elements of BatchNorm's running statistics and counter.")
    macs: int = Field(description="MACs of the whole batch, by the `convention`.")
    moved_bytes: int = Field(
        description="Bytes of input, output and weights, once each; 0 if the layer does no work or "
        "is fused into the convolution before it (BatchNorm, activation)."
    )
    intensity: Rounded | None = Field(
        description="MACs (convolutions + linear) per byte moved; null if nothing is moved."
    )
    layerwise_bytes: int | None = Field(
        description="Bytes alive while the layer runs, under the rule `layerwise`; null if the "
        "rule skips the layer."
    )
    inplace_depthwise_bytes: int | None = Field(
        description="Bytes alive under the rule `inplace-depthwise`; null if the rule skips the "
        "layer."
    )
    eager_bytes: int | None = Field(description="Bytes alive under the rule `eager`.")
    training_bytes: int | None = Field(
        description="Bytes saved until the layer has run, under the rule `training`."
    )
    receptive_field: Sides | None = Field(
        description="Side of the area that one output element sees, in input pixels, with the "
        "padding; null from global pooling on: an element then sees the whole input."
    )
    jump: Sides | None = Field(
        description="Input pixels between neighbouring output elements: the product of the strides."
    )
    output_stride: Rounded | None = Field(description="Input height ÷ output height.")


class GroupRow(Part):
    """A group of layers. ``blocks``, ``stages`` and ``kinds`` of JSON have these fields."""

    name: str = Field(description="Path of the block, or name of the stage or kind.")
    layers: int = Field(description="Number of layers and operations in the group.")
    output_shape: Shape | None = Field(
        description="Output shape of the last layer; null for kinds."
    )
    params: int = Field(description="Parameters.")
    params_share: Share = Field(description="Share of all parameters, from 0 to 1.")
    macs: int = Field(description="MACs of the whole batch, by the `convention`.")
    macs_share: Share = Field(description="Share of all MACs, from 0 to 1.")
    moved_bytes: int = Field(description="Bytes that all operations of the group move.")
    intensity: Rounded | None = Field(
        description="MACs (convolutions + linear) per byte moved; null if nothing is moved."
    )
    layerwise_bytes: int | None = Field(
        description="Peak inside the group, under the rule `layerwise`; null if the rule skips all "
        "layers of the group."
    )
    inplace_depthwise_bytes: int | None = Field(
        description="Peak inside the group, under the rule `inplace-depthwise`."
    )
    eager_bytes: int | None = Field(description="Peak inside the group, under the rule `eager`.")
    training_bytes: int | None = Field(
        description="Bytes saved until the end of the group, under the rule `training`."
    )
    receptive_field: Sides | None = Field(
        description="Receptive field of the last layer; null for kinds and from global pooling on."
    )
    jump: Sides | None = Field(description="Jump of the last layer; null if the layer has none.")
    output_stride: Rounded | None = Field(
        description="Output stride of the last layer; null if the layer has none."
    )


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

_TOTALS: Final[dict[str, Any]] = {
    figure.field: (int, Field(description=sentence(figure.description))) for figure in _IN_TOTALS
}
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
        "own, which has no plan.",
    )


class SummaryDocument(RequestDocument):
    """What `mbv2 summary --format json` prints."""

    command: Literal["summary"] = Field("summary", description="`summary`.")
    run: RunSpec = Field(description="`device`, `dtype` and `seed`, as given.")
    forward: ForwardPart | None = Field(description="The forward pass; null with `--no-forward`.")
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
        input_shape=report.model.input_shape,
        output_shape=report.model.output_shape,
        input_shapes=report.model.graph.input_shapes,
        output_shapes=report.model.output_shapes,
        convention=report.convention.name,
        totals=_totals_part(report),
        unknown=report.macs.unknown,
        memory=tuple(_peak_part(report, use) for use in report.memory),
        torchsummary=report.sizes and TorchsummaryPart.model_validate(report.sizes),
        torchsummary_doubt=report.doubt,
        layers=_layer_rows(report),
        blocks=_group_rows(report, By.BLOCK),
        stages=_group_rows(report, By.STAGE),
        kinds=_group_rows(report, By.KIND),
    ).text


def rows_of(report: SummaryReport) -> tuple[LayerRow | GroupRow, ...]:
    """Return a row for each layer, or for each group that the view asks for."""
    by = report.view.by
    return _layer_rows(report) if by is None else _group_rows(report, by)


def _layer_rows(report: SummaryReport) -> tuple[LayerRow, ...]:
    return tuple(map(LayerRow.model_validate, report.layers))


def _group_rows(report: SummaryReport, by: By) -> tuple[GroupRow, ...]:
    return tuple(map(GroupRow.model_validate, grouped(report.layers, by)))


def _totals_part(report: SummaryReport) -> Part:
    return TotalsPart(**{figure.field: report.figure(figure) for figure in _IN_TOTALS})


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
