"""MobileNetV2 in PyTorch, one to one with torchvision's: same state dict, outputs and init."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from torch import Tensor, nn

from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import STEM_KERNEL, STEM_STRIDE, NetworkSpec

ACTIVATIONS: Final[Mapping[str, Callable[[], nn.Module]]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(inplace=True),
    "hardswish": lambda: nn.Hardswish(inplace=True),
    "silu": lambda: nn.SiLU(inplace=True),
    "gelu": nn.GELU,
    "leaky_relu": lambda: nn.LeakyReLU(inplace=True),
    "identity": nn.Identity,
}


class ConvBNAct(nn.Sequential):
    """Convolution without bias, BatchNorm, activation: (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        act: str = "relu6",
    ) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels,
                out_channels,
                kernel,
                stride,
                padding=dilation * (kernel - 1) // 2,
                dilation=dilation,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(out_channels),
            ACTIVATIONS[act](),
        )


class InvertedResidual(nn.Module):
    """Widen, filter depthwise, narrow, and add the input (arXiv 1801.04381, figure 4d).

    (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉). The narrow ends carry no activation: they are the
    linear bottlenecks, and the shortcut joins them iff stride is 1 and in = out.
    """

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        hidden = round(spec.in_channels * spec.expand)
        layers: list[nn.Module] = []
        if spec.expand != 1:
            layers.append(ConvBNAct(spec.in_channels, hidden, act=spec.act))
        layers += [
            ConvBNAct(  # depthwise: as many groups as channels
                hidden,
                hidden,
                kernel=spec.kernel,
                stride=spec.stride,
                dilation=spec.dilation,
                groups=hidden,
                act=spec.act,
            ),
            nn.Conv2d(hidden, spec.out_channels, 1, bias=False),
            nn.BatchNorm2d(spec.out_channels),
        ]
        self.conv = nn.Sequential(*layers)
        self.has_shortcut = spec.stride == 1 and spec.in_channels == spec.out_channels

    def forward(self, x: Tensor) -> Tensor:  # (B, in, H, W)
        y: Tensor = self.conv(x)  # (B, in·t, H, W) → (B, in·t, H/s, W/s) → (B, out, H/s, W/s)
        return x + y if self.has_shortcut else y


class MobileNetV2(nn.Module):
    """The network: (B, in, H, W) → (B, classes), or the last feature map if classes is 0."""

    def __init__(self, spec: NetworkSpec | None = None) -> None:
        super().__init__()
        spec = spec or NetworkSpec()
        stem = ConvBNAct(
            spec.in_channels,
            spec.stem_channels,
            kernel=STEM_KERNEL,
            stride=STEM_STRIDE,
            act=spec.act,
        )
        features = [stem, *map(InvertedResidual, spec.blocks)]
        out_channels = spec.blocks[-1].out_channels
        if spec.head:
            features.append(ConvBNAct(out_channels, spec.head_channels, act=spec.act))
            out_channels = spec.head_channels
        self.features = nn.Sequential(*features)
        self.classifier = (
            nn.Sequential(nn.Dropout(spec.dropout), nn.Linear(out_channels, spec.classes))
            if spec.classes
            else None
        )
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:  # (B, in, H, W)
        x = self.features(x)  # (B, c, H/32, W/32): c of the head, else of the last block
        if self.classifier is None:
            return x
        # looked up as torchvision does, where counters that replace functions see the call
        x = nn.functional.adaptive_avg_pool2d(x, (1, 1)).flatten(1)  # (B, c)
        logits: Tensor = self.classifier(x)  # (B, classes)
        return logits


def _initialise(module: nn.Module) -> None:
    """Draw the weights as torchvision does, in the same order: a seed gives the same ones."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
        nn.init.zeros_(module.bias)
