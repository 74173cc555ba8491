"""MobileNetV2 in PyTorch, one to one with torchvision's: same state dict, outputs and init."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from torch import Tensor, nn

from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import EXPANSION_PATH, STEM_KERNEL, NetworkSpec
from mbv2cli.specs.relatives import DEFAULT_EPS

ACTIVATIONS: Final[Mapping[str, Callable[[], nn.Module]]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(inplace=True),
    "hardswish": lambda: nn.Hardswish(inplace=True),
    "silu": lambda: nn.SiLU(inplace=True),
    "gelu": nn.GELU,
    "leaky_relu": lambda: nn.LeakyReLU(inplace=True),
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "hardsigmoid": nn.Hardsigmoid,
}


class TensorFlowPadding(nn.Module):
    """Zeros around an input as TensorFlow's "SAME" has them: the odd one at the end.

    (B, in, H, W) → what a convolution without padding makes ⌈H/s⌉ × ⌈W/s⌉ of.
    """

    def __init__(self, kernel: int, strides: tuple[int, int], dilation: int) -> None:
        super().__init__()
        self.reach = dilation * (kernel - 1) + 1
        self.strides = strides

    def forward(self, x: Tensor) -> Tensor:  # (B, in, H, W)
        h, w = (
            max((math.ceil(side / stride) - 1) * stride + self.reach - side, 0)
            for side, stride in zip(x.shape[2:], self.strides, strict=True)
        )
        return nn.functional.pad(x, (w // 2, w - w // 2, h // 2, h - h // 2))


class ConvBNAct(nn.Sequential):
    """Convolution without bias, BatchNorm, activation: (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int = 1,
        stride: int | tuple[int, int] = 1,
        dilation: int = 1,
        groups: int = 1,
        act: str = "relu6",
        eps: float = DEFAULT_EPS,
        padding: str = "torch",
    ) -> None:
        super().__init__()
        strides = stride if isinstance(stride, tuple) else (stride, stride)
        pads_apart = padding == "same" and strides != (1, 1)
        if pads_apart:
            self.add_module("pad", TensorFlowPadding(kernel, strides, dilation))
        conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            strides,
            padding=0 if pads_apart else dilation * (kernel - 1) // 2,
            dilation=dilation,
            groups=groups,
            bias=False,
        )
        layers = (conv, nn.BatchNorm2d(out_channels, eps), ACTIVATIONS[act]())
        for place, layer in enumerate(layers):
            self.add_module(str(place), layer)


def _divisible(channels: float, divisor: int) -> int:
    """Return torchvision's ``_make_divisible``; with divisor 1, the nearest whole number."""
    if divisor == 1:
        return max(1, round(channels))
    divisible = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return divisible + divisor if divisible < 0.9 * channels else divisible


def _hidden_channels(spec: BlockSpec) -> int:
    if spec.hidden is not None:
        return spec.hidden
    if spec.type == "inverted" and not _expands(spec):
        return spec.in_channels
    return _divisible(spec.in_channels * spec.expand, spec.hidden_nearest)


def _expands(spec: BlockSpec) -> bool:
    return spec.expand != 1 or spec.expansion == "always"


class SqueezeExcite(nn.Module):
    """Scale each channel by what all pixels say (arXiv 1709.01507): (B, C, H, W) → the same."""

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        hidden = _hidden_channels(spec)
        squeezed = _divisible(
            (spec.in_channels if spec.se_of == "in" else hidden) * spec.se, spec.se_nearest
        )
        self.fc1 = nn.Conv2d(hidden, squeezed, 1)
        self.act = ACTIVATIONS[spec.se_act or spec.act]()
        self.fc2 = nn.Conv2d(squeezed, hidden, 1)
        self.gate = ACTIVATIONS[spec.se_gate]()

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W)
        y: Tensor = nn.functional.adaptive_avg_pool2d(x, (1, 1))  # (B, C, 1, 1)
        y = self.gate(self.fc2(self.act(self.fc1(y))))  # (B, squeezed, 1, 1) → (B, C, 1, 1)
        return x * y


def _has_shortcut(spec: BlockSpec) -> bool:
    keeps_channels = spec.in_channels == spec.out_channels
    return spec.stride == 1 and (
        spec.shortcut == "projection" or (spec.shortcut == "identity" and keeps_channels)
    )


class Residual(nn.Module):
    """Convolutions, and their input added to their result where the spec has a shortcut."""

    def __init__(self, conv: nn.Module, spec: BlockSpec) -> None:
        super().__init__()
        self.conv = conv
        self.has_shortcut = _has_shortcut(spec)
        self.shortcut: nn.Module | None = None
        if self.has_shortcut and spec.in_channels != spec.out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(spec.in_channels, spec.out_channels, 1, bias=False),
                nn.BatchNorm2d(spec.out_channels, spec.norm_eps),
            )

    def forward(self, x: Tensor) -> Tensor:  # (B, in, H, W)
        y: Tensor = self.conv(x)  # (B, in·t, H, W) → (B, in·t, H/s, W/s) → (B, out, H/s, W/s)
        if not self.has_shortcut:
            return y
        added: Tensor = x if self.shortcut is None else self.shortcut(x)
        return added + y


class InvertedResidual(Residual):
    """Widen, filter depthwise, narrow, and add the input (arXiv 1801.04381, figure 4d).

    (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉). The narrow ends carry no activation: they are the
    linear bottlenecks, and the shortcut joins them iff stride is 1 and in = out. A fused block
    widens and filters in one convolution.
    """

    conv: nn.Sequential

    def __init__(self, spec: BlockSpec) -> None:
        hidden = _hidden_channels(spec)
        layers: list[nn.Module] = []
        if spec.type == "inverted" and _expands(spec):
            layers.append(ConvBNAct(spec.in_channels, hidden, act=spec.act, eps=spec.norm_eps))
        layers.append(
            ConvBNAct(
                spec.in_channels if spec.type == "fused" else hidden,
                hidden,
                kernel=spec.kernel,
                stride=spec.stride,
                dilation=spec.dilation,
                groups=1 if spec.type == "fused" else hidden,  # depthwise: as many as channels
                act=spec.act,
                eps=spec.norm_eps,
                padding=spec.padding,
            )
        )
        if spec.se and spec.type == "inverted":
            layers.append(SqueezeExcite(spec))
        layers += [
            nn.Conv2d(hidden, spec.out_channels, 1, bias=False),
            nn.BatchNorm2d(spec.out_channels, spec.norm_eps),
        ]
        super().__init__(nn.Sequential(*layers), spec)


class FusedInvertedResidual(InvertedResidual):
    """A block whose one k×k convolution widens and filters (EfficientNet-EdgeTPU, 2019)."""


class ResidualConv(Residual):
    """A plain convolution with a shortcut (the first blocks of EfficientNetV2, 2021)."""

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__(_plain_conv(spec), spec)


def _plain_conv(spec: BlockSpec) -> ConvBNAct:
    return ConvBNAct(
        spec.in_channels,
        spec.out_channels,
        kernel=spec.kernel,
        stride=spec.stride,
        dilation=spec.dilation,
        act=spec.act,
        eps=spec.norm_eps,
        padding=spec.padding,
    )


def block_module(spec: BlockSpec) -> nn.Module:
    """Return the module of a block: an inverted residual, fused or not, or one convolution."""
    if spec.type == "conv":
        return ResidualConv(spec) if _has_shortcut(spec) else _plain_conv(spec)
    return FusedInvertedResidual(spec) if spec.type == "fused" else InvertedResidual(spec)


class MobileNetV2(nn.Module):
    """The network: (B, in, H, W) → (B, classes), or the last feature map if classes is 0."""

    def __init__(self, spec: NetworkSpec | None = None) -> None:
        super().__init__()
        spec = spec or NetworkSpec()
        stem = ConvBNAct(
            spec.in_channels,
            spec.stem_channels,
            kernel=STEM_KERNEL,
            stride=spec.stem_stride,
            act=spec.act,
            eps=spec.norm_eps,
            padding=spec.padding,
        )
        features: list[nn.Module] = [stem, *map(block_module, spec.blocks)]
        out_channels = spec.blocks[-1].out_channels
        if spec.head:
            head = ConvBNAct(out_channels, spec.head_channels, act=spec.act, eps=spec.norm_eps)
            features.append(head)
            out_channels = spec.head_channels
        self.features = nn.Sequential(*_kept(features, spec.until))
        self.classifier = _classifier(spec, out_channels) if spec.classes else None
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:  # (B, in, H, W)
        x = self.features(x)  # (B, c, H/32, W/32): c of the head, else of the last block
        if self.classifier is None:
            return x
        # looked up as torchvision does, where counters that replace functions see the call
        x = nn.functional.adaptive_avg_pool2d(x, (1, 1)).flatten(1)  # (B, c)
        logits: Tensor = self.classifier(x)  # (B, classes)
        return logits


class Expansion(nn.Module):
    """The expansion of a block after which a network stops: (B, in, H, W) → (B, in·t, H, W)."""

    def __init__(self, block: InvertedResidual) -> None:
        super().__init__()
        self.conv = nn.Sequential(block.conv[0])

    def forward(self, x: Tensor) -> Tensor:  # (B, in, H, W)
        y: Tensor = self.conv(x)
        return y


def _kept(features: list[nn.Module], until: str | None) -> list[nn.Module]:
    """Return the modules up to ``until``; all of them without it."""
    if until is None:
        return features
    number = int(until.split(".")[1])
    *kept, last = features[: number + 1]
    if until.endswith(EXPANSION_PATH) and isinstance(last, InvertedResidual):
        last = Expansion(last)
    return [*kept, last]


def _classifier(spec: NetworkSpec, in_features: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    if spec.classifier_hidden:
        hidden = nn.Linear(in_features, spec.classifier_hidden, spec.classifier_hidden_bias)
        layers, in_features = [hidden, ACTIVATIONS[spec.act]()], spec.classifier_hidden
    last = nn.Linear(in_features, spec.classes, spec.classifier_bias)
    return nn.Sequential(*layers, nn.Dropout(spec.dropout), last)


def _initialise(module: nn.Module) -> None:
    """Draw the weights as torchvision does, in the same order: a seed gives the same ones."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
