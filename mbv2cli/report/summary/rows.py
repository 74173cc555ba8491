"""The rows of the summary: a layer, and a group of layers. Takes long to import."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, AliasPath, BeforeValidator, Field

from mbv2cli.graph.ops import Shape
from mbv2cli.graph.rows import Kind, Role
from mbv2cli.report.document import Part

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
