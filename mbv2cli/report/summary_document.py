"""The summary as a document: every JSON field, with its meaning, defined once."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from mbv2cli import __version__
from mbv2cli.nn.records import ForwardRun
from mbv2cli.plan import Role, Shape
from mbv2cli.report.document import SCHEMA_VERSION, Part
from mbv2cli.report.summary import SummaryReport
from mbv2cli.spec import BlockSpec, InputSpec, NetworkSpec, RunSpec

Megabytes = Annotated[float, AfterValidator(lambda exact: round(exact, 2))]


class LayerRow(Part):
    """One layer. JSON's ``layers`` and the lines of CSV have these fields, in this order."""

    name: str | None = Field(
        description="torchsummary's name, such as `Conv2d-1`; none for a functional operation."
    )
    path: str = Field(
        description="Module path, such as `features.2.conv.0.0`; for a functional operation that "
        "of the module that runs it (empty: the whole)."
    )
    type: str = Field(description="Class of the module, or function.")
    role: Role = Field(description="What it is there for: one of " + ", ".join(Role) + ".")
    functional: bool = Field(
        validation_alias="is_functional",
        description="Whether it is no module, so torchsummary has no row.",
    )
    input_shape: Shape = Field(description="Batch, channels, height, width; or batch, features.")
    output_shape: Shape = Field(description="The same, of what it puts out.")
    kernel: int | None = Field(description="Side of the kernel; none where there is none.")
    stride: int | None = Field(description="Stride; none where there is none.")
    dilation: int | None = Field(description="Dilation; none where there is none.")
    groups: int | None = Field(description="Groups of channels; none where there are none.")
    params: int = Field(description="Parameters.")
    trainable_params: int = Field(description="Those that training changes.")
    buffers: int = Field(description="Elements of BatchNorm's running statistics and counter.")
    macs: int = Field(description="Multiply–accumulates of the whole batch.")


class TotalsPart(Part):
    """Sums over the layers."""

    params: int = Field(description="Parameters.")
    trainable_params: int = Field(description="Those that training changes.")
    non_trainable_params: int = Field(description="Those that it does not.")
    buffers: int = Field(description="Elements of BatchNorm's running statistics and counters.")
    macs: int = Field(
        description="Multiply–accumulates of convolutions and linear layers, of the whole batch."
    )
    activations: int = Field(
        description="Elements that convolutions and linear layers put out, of the whole batch."
    )


class TorchsummaryPart(Part):
    """torchsummary's closing figures in MB of 2^20 bytes, to 0.01 as it prints them."""

    input_mb: Megabytes = Field(description="Input size.")
    forward_backward_mb: Megabytes = Field(
        description="Forward/backward pass size: every row's output, twice."
    )
    params_mb: Megabytes = Field(description="Params size.")
    total_mb: Megabytes = Field(description="Estimated Total Size.")


class ForwardPart(Part):
    """The forward pass that confirmed the numbers."""

    device: str = Field(description="Device that ran it.")
    dtype: str = Field(description="Element type of weights and input.")
    output_shape: Shape = Field(description="Shape of what came out.")
    agrees: bool = Field(
        default=True,
        description="Always true: where plan and forward pass differ, mbv2 exits 3 instead.",
    )


class SummaryDocument(Part):
    """What `mbv2 summary --format json` prints."""

    schema_version: int = Field(description=f"{SCHEMA_VERSION}: the version of these fields.")
    mbv2_version: str = Field(description="Version of mbv2.")
    target: str = Field(description="The target as it was given.")
    kind: str = Field(description="`block` or `network`.")
    spec: BlockSpec | NetworkSpec = Field(
        description="Every field of what was built, under the names of its flags."
    )
    input: InputSpec = Field(description="`size` (height, width) and `batch`.")
    run: RunSpec = Field(description="`device`, `dtype` and `seed` as they were asked for.")
    forward: ForwardPart | None = Field(
        description="The forward pass; null with `--no-forward`: all numbers are the plan's."
    )
    input_shape: Shape = Field(description="Batch, channels, height, width.")
    output_shape: Shape = Field(description="Shape of what comes out.")
    totals: TotalsPart = Field(description="Sums over the layers.")
    torchsummary: TorchsummaryPart = Field(
        description="torchsummary's closing figures in MB of 2^20 bytes, to 0.01 as it prints them."
    )
    layers: tuple[LayerRow, ...] = Field(description="Every layer in forward order.")

    @classmethod
    def of(cls, report: SummaryReport) -> SummaryDocument:
        """Return the document of ``report``."""
        return cls.model_construct(
            schema_version=SCHEMA_VERSION,
            mbv2_version=__version__,
            target=report.request.target,
            kind=report.request.kind,
            spec=report.request.spec,
            input=report.request.input,
            run=report.run,
            forward=_forward_part(report.forward),
            input_shape=report.plan.input_shape,
            output_shape=report.plan.output_shape,
            totals=TotalsPart.model_validate(report.plan.totals),
            torchsummary=TorchsummaryPart.model_validate(report.sizes),
            layers=tuple(map(LayerRow.model_validate, report.plan.layers)),
        )


def _forward_part(forward: ForwardRun | None) -> ForwardPart | None:
    return None if forward is None else ForwardPart.model_validate(forward)
