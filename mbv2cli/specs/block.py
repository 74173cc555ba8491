"""One inverted residual block, as data."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from mbv2cli.specs.base import Spec, bad_combination
from mbv2cli.specs.fields import ActivationWord, Channels, Dilation, Expand, Kernel, Stride


def expands(expand: float) -> bool:
    """Return whether a block has an expansion. A block with t = 1 has none (paper, Table 2)."""
    return expand != 1


def hidden_channels(in_channels: int, expand: float) -> int:
    """Return the channels of the depthwise convolution: round(in × t), as in torchvision."""
    return round(in_channels * expand)


def adds_its_input(stride: int, in_channels: int, out_channels: int) -> bool:
    """Return whether a block has a shortcut: stride is 1 and in = out (paper, section 3.3).

    ``&`` instead of ``and`` works on arrays too.
    """
    return (stride == 1) & (in_channels == out_channels)


class BlockSpec(Spec):
    """An inverted residual block with a linear bottleneck (arXiv 1801.04381, section 3.3).

    Raises `UserError` for values that are out of bounds or leave no hidden channel.
    """

    noun = "block"

    in_channels: Channels = Field(
        3, validation_alias="in", serialization_alias="in", description="Input channels."
    )
    out_channels: Channels = Field(
        64, validation_alias="out", serialization_alias="out", description="Output channels."
    )
    stride: Stride = Field(1, description="Stride of the depthwise convolution.")
    expand: Expand = Field(
        6,
        description="Expand ratio t: hidden channels = round(in × t); at 1 there is no expansion.",
    )
    kernel: Kernel = Field(3, description="Side of the depthwise kernel, an odd number.")
    dilation: Dilation = Field(1, description="Dilation of the depthwise convolution.")
    act: ActivationWord = Field("relu", description="Activation function.")

    @field_validator("expand")
    @classmethod
    def _leaves_hidden_channels(cls, expand: float, info: ValidationInfo) -> float:
        in_channels = info.data.get("in_channels", 1)
        if hidden_channels(in_channels, expand) < 1:
            raise bad_combination(
                f"{expand} leaves no hidden channel; round(in × expand) must be at least 1, "
                f"so for in = {in_channels} try {1 / in_channels:.2g}"
            )
        return expand

    @property
    def hidden_channels(self) -> int:
        """Channels of the depthwise convolution: round(in × t), as in torchvision."""
        return hidden_channels(self.in_channels, self.expand)

    @property
    def has_expansion(self) -> bool:
        """Whether the block starts with an expansion, a 1×1 convolution."""
        return expands(self.expand)

    @property
    def has_shortcut(self) -> bool:
        """Whether the block adds its input to its output."""
        return adds_its_input(self.stride, self.in_channels, self.out_channels)
