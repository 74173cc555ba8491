"""`mbv2 explain --code`: a block as PyTorch that runs by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from mbv2cli.graph.ops import Shape, same_padding
from mbv2cli.report.text import class_name
from mbv2cli.specs import BlockSpec
from mbv2cli.specs.relatives import DEFAULT_EPS

_ACTIVATIONS: Final[Mapping[str, str]] = {
    "relu": "nn.ReLU(inplace=True)",
    "relu6": "nn.ReLU6(inplace=True)",
    "hardswish": "nn.Hardswish(inplace=True)",
    "silu": "nn.SiLU(inplace=True)",
    "gelu": "nn.GELU()",
    "leaky_relu": "nn.LeakyReLU(inplace=True)",
    "identity": "nn.Identity()",
    "sigmoid": "nn.Sigmoid()",
    "hardsigmoid": "nn.Hardsigmoid()",
}


def block_code(spec: BlockSpec, input_shape: Shape) -> str:
    """Return the code of a block, and of a forward pass on ``input_shape`` (B, in, H, W)."""
    name = class_name(spec)
    layers = "\n".join(f"            {line}" for line in _layers(spec))
    batch, channels, height, width = input_shape
    helpers = "".join(f"{helper}\n\n" for helper in _helpers(spec))
    return f"""\
import torch
from torch import nn


{helpers}class {name}(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
{layers}
        )
{_shortcut(spec)}
    def forward(self, x):
{_forward(spec)}


if __name__ == "__main__":
    block = {name}().eval()
    print(block(torch.rand({batch}, {channels}, {height}, {width})).shape)
"""


def _forward(spec: BlockSpec) -> str:
    if spec.projects_shortcut:
        return "        y = self.conv(x)\n        return self.shortcut(x) + y"
    return f"        return {'x + ' * spec.has_shortcut}self.conv(x)"


def _shortcut(spec: BlockSpec) -> str:
    if not spec.projects_shortcut:
        return ""
    return f"""\
        self.shortcut = nn.Sequential(
            nn.Conv2d({spec.in_channels}, {spec.out_channels}, 1, bias=False),
            {_norm(spec, spec.out_channels)},
        )
"""


def _layers(spec: BlockSpec) -> Iterator[str]:
    hidden, act = spec.hidden_channels, f"{_ACTIVATIONS[spec.act]},"
    if spec.has_expansion:
        yield f"nn.Conv2d({spec.in_channels}, {hidden}, 1, bias=False),  # expansion"
        yield f"{_norm(spec, hidden)},"
        yield act
    if spec.pads_apart:
        yield "TensorFlowPadding(),"
    if spec.type == "conv":
        yield f"nn.Conv2d({_filter(spec)}, bias=False),"
        yield f"{_norm(spec, spec.out_channels)},"
        yield act
        return
    role = "expansion" if spec.type == "fused" else "depthwise"
    yield f"nn.Conv2d({_filter(spec)}, bias=False),  # {role}"
    yield f"{_norm(spec, hidden)},"
    yield act
    if spec.has_se:
        yield "SqueezeExcite(),"
    yield f"nn.Conv2d({hidden}, {spec.out_channels}, 1, bias=False),  # projection"
    yield f"{_norm(spec, spec.out_channels)},"


def _filter(spec: BlockSpec) -> str:
    """Return the arguments of the k×k convolution."""
    hidden = spec.out_channels if spec.type == "conv" else spec.hidden_channels
    channels = hidden if spec.type == "inverted" else spec.in_channels
    padding = 0 if spec.pads_apart else same_padding(spec.kernel, spec.dilation)
    words = [f"{channels}, {hidden}, {spec.kernel}, stride={spec.stride}, padding={padding}"]
    if spec.dilation != 1:
        words.append(f"dilation={spec.dilation}")
    if spec.type == "inverted":
        words.append(f"groups={hidden}")
    return ", ".join(words)


def _norm(spec: BlockSpec, channels: int) -> str:
    eps = f", eps={spec.norm_eps}" if spec.norm_eps != DEFAULT_EPS else ""
    return f"nn.BatchNorm2d({channels}{eps})"


def _helpers(spec: BlockSpec) -> Iterator[str]:
    """Yield the classes that the layers of the block use."""
    if spec.pads_apart:
        reach = spec.dilation * (spec.kernel - 1) + 1
        yield f"""\
class TensorFlowPadding(nn.Module):
    def forward(self, x):
        h, w = (
            max((-(-side // stride) - 1) * stride + {reach} - side, 0)
            for side, stride in zip(x.shape[2:], {spec.strides})
        )
        return nn.functional.pad(x, (w // 2, w - w // 2, h // 2, h - h // 2))
"""
    if spec.has_se:
        hidden, squeezed = spec.hidden_channels, spec.squeezed_channels
        yield f"""\
class SqueezeExcite(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d({hidden}, {squeezed}, 1),
            {_ACTIVATIONS[spec.squeeze_act]},
            nn.Conv2d({squeezed}, {hidden}, 1),
            {_ACTIVATIONS[spec.se_gate]},
        )

    def forward(self, x):
        return x * self.layers(nn.functional.adaptive_avg_pool2d(x, (1, 1)))
"""
