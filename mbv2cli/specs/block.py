"""One inverted residual block, or a relative of it, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from mbv2cli.errors import UserError
from mbv2cli.specs import relatives
from mbv2cli.specs.base import Spec, bad_combination
from mbv2cli.specs.fields import (
    MAX_EXPAND,
    Activation,
    ActivationWord,
    BlockTypeWord,
    Channels,
    Dilation,
    Expand,
    ExpansionWord,
    GateWord,
    Kernel,
    NormEps,
    OptionalActivation,
    OptionalChannels,
    PaddingWord,
    Ratio,
    RatioOfWord,
    ShortcutWord,
    Stride,
    added,
)
from mbv2cli.specs.idle import choices_of, refuse_idle
from mbv2cli.specs.rounding import nearest_multiple, shortest_ratio


def expands(expand: float) -> bool:
    """Return whether a block has an expansion. A block with t = 1 has none (paper, Table 2)."""
    return expand != 1


def hidden_channels(in_channels: int, expand: float, divisor: int = 1) -> int:
    """Return the channels of the depthwise convolution: round(in × t), as in torchvision.

    With a ``divisor``, timm's rule: in × t to the nearest multiple of it, at least 90 %.
    """
    if divisor == 1:
        return round(in_channels * expand)
    return nearest_multiple(in_channels * expand, divisor)


def squeezed_channels(channels: int, ratio: float, divisor: int) -> int:
    """Return the channels inside squeeze-excite: channels × ratio, at least 1.

    ``divisor`` 1 rounds to a whole number, as EfficientNet does; 8 is MobileNetV3's rule.
    """
    if divisor == 1:
        return max(1, round(channels * ratio))
    return nearest_multiple(channels * ratio, divisor)


def sides_of(stride: int | tuple[int, int]) -> tuple[int, int]:
    """Return a stride as (height, width)."""
    return stride if isinstance(stride, tuple) else (stride, stride)


def adds_its_input(stride: int, in_channels: int, out_channels: int) -> bool:
    """Return whether a block has a shortcut: stride is 1 and in = out (paper, section 3.3).

    ``&`` instead of ``and`` works on arrays too.
    """
    return (stride == 1) & (in_channels == out_channels)


class BlockSpec(Spec):
    """An inverted residual block with a linear bottleneck (arXiv 1801.04381, section 3.3).

    Its relatives are a fused block (EfficientNet-EdgeTPU) and a plain convolution. Raises
    `UserError` for values that are out of bounds, leave no hidden channel or contradict others.
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
    type: BlockTypeWord = added(
        "inverted",
        "inverted: expansion, depthwise, projection. fused: one k×k convolution expands "
        "(EfficientNet-EdgeTPU). conv: one k×k convolution with BatchNorm and activation "
        "(EfficientNetV2); its expand is 1.",
    )
    hidden: OptionalChannels = added(
        None, "Hidden channels, instead of in × expand (MobileNetV3 lists them)."
    )
    hidden_nearest: Channels = relatives.HIDDEN_NEAREST
    expansion: ExpansionWord = relatives.EXPANSION
    shortcut: ShortcutWord = relatives.SHORTCUT
    se: Ratio = relatives.SE
    se_of: RatioOfWord = relatives.SE_OF
    se_nearest: Channels = relatives.SE_NEAREST
    se_act: OptionalActivation = relatives.SE_ACT
    se_gate: GateWord = relatives.SE_GATE
    padding: PaddingWord = relatives.PADDING
    norm_eps: NormEps = relatives.NORM_EPS

    @model_validator(mode="before")
    @classmethod
    def _fill_expand(cls, values: Any) -> Any:
        """Set the ratio of a plain convolution, which is 1, and that of given hidden channels."""
        if isinstance(values, Mapping) and str(values.get("type")).lower() == "conv":
            return {"expand": 1, **values}
        if not isinstance(values, Mapping) or "expand" in values or values.get("hidden") is None:
            return values
        try:
            in_channels = int(values.get("in", values.get("in_channels", 3)))
            hidden = int(values["hidden"])
        except (TypeError, ValueError):
            return values  # the fields say what is wrong
        is_possible = in_channels > 0 and 0 < hidden <= in_channels * MAX_EXPAND
        return {**values, "expand": shortest_ratio(in_channels, hidden)} if is_possible else values

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

    @model_validator(mode="after")
    def _is_consistent(self, info: ValidationInfo) -> Self:
        if self.type != "inverted" or self.hidden is not None:
            refuse_contradictions(self)
        if info.context:
            refuse_idle(info.context, choices_of(self))
        return self

    @property
    def strides(self) -> tuple[int, int]:
        """Stride of the depthwise convolution (height, width)."""
        return sides_of(self.stride)

    @property
    def hidden_channels(self) -> int:
        """Channels of the depthwise convolution: ``hidden``, or in × t rounded."""
        if self.hidden is not None:
            return self.hidden
        if not self.has_expansion and self.type != "fused":
            return self.in_channels
        return hidden_channels(self.in_channels, self.expand, self.hidden_nearest)

    @property
    def has_expansion(self) -> bool:
        """Whether the block starts with an expansion, a 1×1 convolution."""
        return self.type == "inverted" and (expands(self.expand) or self.expansion == "always")

    @property
    def has_shortcut(self) -> bool:
        """Whether the block adds its input to its output."""
        keeps_shape = adds_its_input(self.stride, self.in_channels, self.out_channels)  # type: ignore[arg-type]  # 2x1 is not 1
        return keeps_shape and self.shortcut != "none"

    @property
    def projects_shortcut(self) -> bool:
        """Whether the block adds a 1×1 convolution of its input to its output."""
        keeps_channels = self.in_channels == self.out_channels
        return self.shortcut == "projection" and self.stride == 1 and not keeps_channels

    @property
    def has_se(self) -> bool:
        """Whether squeeze-excite follows the depthwise convolution."""
        return self.type == "inverted" and self.se > 0

    @property
    def squeezed_channels(self) -> int:
        """Channels inside squeeze-excite; 0 without it."""
        if not self.has_se:
            return 0
        channels = self.in_channels if self.se_of == "in" else self.hidden_channels
        return squeezed_channels(channels, self.se, self.se_nearest)

    @property
    def squeeze_act(self) -> Activation:
        """The activation inside squeeze-excite."""
        return self.se_act or self.act

    @property
    def pads_apart(self) -> bool:
        """Whether a padding operation comes before the k×k convolution."""
        return self.padding == "same" and self.strides != (1, 1)


def _refuse_hidden_channels(spec: BlockSpec) -> None:
    """Raise `UserError` for what a plain convolution has not."""
    usual = {"expand": 1, "hidden": None, "hidden_nearest": 1, "expansion": "auto"}
    for key, value in usual.items():
        if getattr(spec, key) != value:
            raise UserError(f"a block of type conv has no hidden channels; leave {key} out")


def refuse_contradictions(spec: BlockSpec) -> None:
    """Raise `UserError` for fields that no block has together."""
    if spec.type != "inverted" and spec.se:
        raise UserError(
            "se is for blocks of type inverted: no published network has squeeze-excite in a block "
            f"of type {spec.type}; leave se out, or use type inverted"
        )
    if spec.type == "conv":
        _refuse_hidden_channels(spec)
    if spec.hidden is None:
        return
    expected = hidden_channels(spec.in_channels, spec.expand)
    if spec.hidden > spec.in_channels * MAX_EXPAND:
        raise UserError(
            f"hidden {spec.hidden} is more than {MAX_EXPAND} times in = {spec.in_channels}; use "
            "fewer hidden channels"
        )
    if spec.hidden != expected:
        raise UserError(
            f"hidden {spec.hidden} contradicts expand {spec.expand}, which makes {expected} hidden "
            f"channels of in = {spec.in_channels}; give hidden or expand"
        )
