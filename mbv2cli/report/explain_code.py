"""`mbv2 explain --code`: a block as PyTorch that runs by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from mbv2cli.graph.ops import Shape, same_padding
from mbv2cli.specs import BlockSpec

_ACTIVATIONS: Final[Mapping[str, str]] = {
    "relu": "nn.ReLU(inplace=True)",
    "relu6": "nn.ReLU6(inplace=True)",
    "hardswish": "nn.Hardswish(inplace=True)",
    "silu": "nn.SiLU(inplace=True)",
    "gelu": "nn.GELU()",
    "leaky_relu": "nn.LeakyReLU(inplace=True)",
    "identity": "nn.Identity()",
}


def block_code(spec: BlockSpec, input_shape: Shape) -> str:
    """Return the code of a block, and of a forward pass on ``input_shape`` (B, in, H, W)."""
    layers = "\n".join(f"            {line}" for line in _layers(spec))
    result = "x + self.conv(x)" if spec.has_shortcut else "self.conv(x)"
    batch, channels, height, width = input_shape
    return f"""\
import torch
from torch import nn


class InvertedResidual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
{layers}
        )

    def forward(self, x):
        return {result}


if __name__ == "__main__":
    block = InvertedResidual().eval()
    print(block(torch.rand({batch}, {channels}, {height}, {width})).shape)
"""


def _layers(spec: BlockSpec) -> Iterator[str]:
    hidden, act = spec.hidden_channels, _ACTIVATIONS[spec.act]
    if spec.has_expansion:
        yield f"nn.Conv2d({spec.in_channels}, {hidden}, 1, bias=False),  # expansion"
        yield f"nn.BatchNorm2d({hidden}),"
        yield f"{act},"
    yield f"nn.Conv2d({_depthwise(spec)}, bias=False),  # depthwise"
    yield f"nn.BatchNorm2d({hidden}),"
    yield f"{act},"
    yield f"nn.Conv2d({hidden}, {spec.out_channels}, 1, bias=False),  # projection"
    yield f"nn.BatchNorm2d({spec.out_channels}),"


def _depthwise(spec: BlockSpec) -> str:
    hidden, padding = spec.hidden_channels, same_padding(spec.kernel, spec.dilation)
    words = [f"{hidden}, {hidden}, {spec.kernel}, stride={spec.stride}, padding={padding}"]
    if spec.dilation != 1:
        words.append(f"dilation={spec.dilation}")
    return ", ".join([*words, f"groups={hidden}"])
