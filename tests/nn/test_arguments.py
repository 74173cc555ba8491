"""The arguments of operations: every edit that keeps the shapes is seen, equal calls are equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mbv2cli.gate.differences import layer_pairs, returned_text
from mbv2cli.graph.graph import Graph
from mbv2cli.graph.record import op_lines, ops_of
from mbv2cli.inspection import Recorded
from mbv2cli.nn.own import observe_module

Function = Callable[[Any, Tensor], Any]


class Runs(nn.Module):
    """Runs a function of the module, which has tensors of its own, and of its input."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(8, 1, 1))
        self.w = nn.Parameter(torch.ones(8, 8))
        self.register_buffer("shift", torch.ones(8, 1, 1))
        self.register_buffer("index", torch.tensor([0, 1]))
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def graph_of(edited: Function | nn.Module) -> Graph:
    module = edited if isinstance(edited, nn.Module) else Runs(edited)
    return observe_module(module.eval(), [torch.rand(1, 8, 8, 8)]).graph


def arguments_of(function: Function | nn.Module) -> list[str]:
    return [op.attributes.arguments for op in graph_of(function).ops]


def sees(before: Graph, after: Graph) -> bool:
    """Return whether a comparison and the digest of a lock tell two graphs apart."""
    are_told = any(pair.differs for pair in layer_pairs(Recorded(before), Recorded(after)))
    are_told = are_told or returned_text(before) != returned_text(after)
    texts = [(*op_lines(one), returned_text(one)) for one in (before, after)]
    assert are_told == (texts[0] != texts[1])
    return are_told


def split(x: Any) -> Any:
    return x.split(8, 1)[0]


def of(call: Callable[..., Any], **named: Any) -> Function:
    return lambda _m, x: call(x, **named)


F: Final = functional
EDITS: Final[dict[str, tuple[Function | nn.Module, Function | nn.Module]]] = {
    "softmax": (nn.Softmax(1), nn.Softmax(2)),
    "log_softmax": (of(F.log_softmax, dim=1), of(F.log_softmax, dim=2)),
    "softmin": (of(F.softmin, dim=1), of(F.softmin, dim=2)),
    "mode": (nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=2, mode="bilinear")),
    "corners": (
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
    ),
    "padding that counts": (nn.AvgPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1, count_include_pad=False)),
    "divisor": (nn.AvgPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1, divisor_override=7)),
    "ceiling": (nn.AvgPool2d(2), nn.AvgPool2d(2, ceil_mode=True)),
    "dilation of a pool": (
        of(F.max_pool2d, kernel_size=3, stride=8),
        of(F.max_pool2d, kernel_size=3, stride=8, dilation=2),
    ),
    "transposed convolution": (
        nn.ConvTranspose2d(8, 8, 3, padding=1),
        nn.ConvTranspose2d(8, 8, 3, padding=2, dilation=2),
    ),
    "quotient": (lambda m, x: x / m.shift, lambda m, x: m.shift / x),
    "difference": (lambda m, x: x - m.scale, lambda m, x: m.scale - x),
    "product": (lambda m, x: x @ m.w, lambda m, x: m.w @ x),
    "linear": (lambda m, x: F.linear(x[0, 0], m.w), lambda m, x: F.linear(m.w, x[0, 0])),
    "concatenation": (
        lambda m, x: torch.cat([x, m.w.view(1, 1, 8, 8)], 1),
        lambda m, x: torch.cat([m.w.view(1, 1, 8, 8), x], 1),
    ),
    "clamp": (lambda _m, x: x.clamp(0, 1), lambda _m, x: x.clamp(0, 2)),
    "bound": (lambda _m, x: torch.clamp(x, min=x), lambda _m, x: torch.clamp(x, max=x)),
    "rounding": (lambda _m, x: x / 2, lambda _m, x: torch.div(x, 2, rounding_mode="floor")),
    "eps of layers": (nn.LayerNorm(8), nn.LayerNorm(8, eps=1e-6)),
    "eps of groups": (nn.GroupNorm(2, 8), nn.GroupNorm(2, 8, eps=1e-3)),
    "groups": (nn.GroupNorm(2, 8), nn.GroupNorm(4, 8)),
    "eps of instances": (nn.InstanceNorm2d(8), nn.InstanceNorm2d(8, eps=1e-3)),
    "elu": (nn.ELU(), nn.ELU(0.5)),
    "celu": (nn.CELU(), nn.CELU(0.5)),
    "softplus": (nn.Softplus(), nn.Softplus(5)),
    "threshold": (nn.Threshold(0.1, 0), nn.Threshold(0.5, 0)),
    "mean": (lambda _m, x: x.mean(2), lambda _m, x: x.mean(3)),
    "roll": (lambda _m, x: x.roll(1, 2), lambda _m, x: x.roll(2, 2)),
    "flip": (lambda _m, x: x.flip(2), lambda _m, x: x.flip(3)),
    "power": (lambda _m, x: x**2, lambda _m, x: x**3),
    "fill": (lambda _m, x: x.masked_fill(x > 0, 1), lambda _m, x: x.masked_fill(x > 0, 2)),
    "mask": (lambda _m, x: torch.where(x > 0, x, 0), lambda _m, x: torch.where(x > 1, x, 0)),
    "branch": (lambda _m, x: torch.where(x > 0, x, 0), lambda _m, x: torch.where(x > 0, 0, x)),
    "causal": (
        lambda _m, x: F.scaled_dot_product_attention(x, x, x),
        lambda _m, x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    ),
    "equation": (
        lambda _m, x: torch.einsum("bchw,bchv->bcwv", x, x),
        lambda _m, x: torch.einsum("bchw,bcvw->bchv", x, x),
    ),
    "largest": (lambda _m, x: x.topk(4)[0], lambda _m, x: x.topk(4, largest=False)[0]),
    "sort": (lambda _m, x: x.sort()[0], lambda _m, x: x.sort(descending=True)[0]),
    "sampling": (
        lambda _m, x: F.grid_sample(x, torch.zeros(1, 8, 8, 2), align_corners=False),
        lambda _m, x: F.grid_sample(x, torch.zeros(1, 8, 8, 2), "nearest", align_corners=False),
    ),
    "channel shuffle": (nn.ChannelShuffle(2), nn.ChannelShuffle(4)),
    "list as index": (lambda _m, x: x[:, [0, 1]], lambda _m, x: x[:, [1, 0]]),
    "tensor as index": (
        lambda _m, x: x[:, torch.tensor([0, 1])],
        lambda _m, x: x[:, torch.tensor([1, 0])],
    ),
    "place of an index": (lambda m, x: x[:, m.index, :2], lambda m, x: x[:, :2, m.index]),
    "part": (lambda _m, x: x[:, 1:], lambda _m, x: x[:, :-1]),
    "constant": (lambda _m, x: x * torch.tensor(2.0), lambda _m, x: x * torch.tensor(3.0)),
    "factor": (lambda _m, x: torch.add(x, x), lambda _m, x: torch.add(x, x, alpha=2)),
    "factor of a number": (lambda _m, x: x + 2, lambda _m, x: torch.add(x, 2, alpha=3)),
    "dividend": (lambda _m, x: 1 / x, lambda _m, x: 2 / x),
    "type": (lambda _m, x: x.to(torch.float64), lambda _m, x: x.to(torch.float16)),
    "keys": (
        lambda _m, x: {"a": x + 1, "b": x.relu()},
        lambda _m, x: {"b": x + 1, "a": x.relu()},
    ),
    "nested keys": (
        lambda _m, x: ({"a": x + 1}, x.relu()),
        lambda _m, x: ({"b": x + 1}, x.relu()),
    ),
    "long list": (
        lambda _m, x: x[:, [*range(8)] * 20],
        lambda _m, x: x[:, [*range(8)] * 19 + [*range(7), 0]],
    ),
}
"""Edits of a module's code, most of which keep every shape and every parameter."""


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_seen(name: str) -> None:
    before, after = map(graph_of, EDITS[name])
    assert sees(before, after)
    for graph in (before, after):
        assert ops_of(op_lines(graph), graph.input_shapes) == graph.ops
        assert not sees(graph, replace(graph))


EQUAL: Final[dict[str, tuple[tuple[Function | nn.Module, ...], str]]] = {
    "softmax": (
        (
            nn.Softmax(1),
            of(F.softmax, dim=1),
            *(lambda _m, x: x.softmax(1), lambda _m, x: torch.softmax(input=x, dim=1)),
        ),
        "dim=1",
    ),
    "flatten": (
        (
            nn.Flatten(),
            lambda _m, x: x.flatten(1),
            lambda _m, x: torch.flatten(x, start_dim=1, end_dim=-1),
        ),
        "1",
    ),
    "permute": (
        (lambda _m, x: x.permute(0, 2, 3, 1), lambda _m, x: torch.permute(x, (0, 2, 3, 1))),
        "0, 2, 3, 1",
    ),
    "mean": (
        (lambda _m, x: x.mean((2, 3)), lambda _m, x: torch.mean(x, dim=[2, 3], keepdim=False)),
        "dim=(2, 3)",
    ),
    "flip": ((lambda _m, x: x.flip(2), lambda _m, x: torch.flip(x, [2])), "dims=2"),
    "power": ((lambda _m, x: x**2, lambda _m, x: x.pow(2.0)), "exponent=2"),
    "split": ((of(split), lambda _m, x: torch.split(x, 8, dim=1)[0]), "8, 1"),
    "sum": ((lambda _m, x: x + x, lambda _m, x: torch.add(x, x, alpha=1)), ""),
    "elu": ((nn.ELU(), nn.ELU(inplace=False), lambda _m, x: F.elu(x, 1)), ""),
    "maximum": ((nn.MaxPool2d(2), lambda _m, x: F.max_pool2d(x, 2)), ""),
    "transposed": (
        (
            lambda _m, x: F.conv_transpose2d(x, torch.ones(8, 8, 1, 1), stride=1, padding=1),
            lambda _m, x: F.conv_transpose2d(x, torch.ones(8, 8, 1, 1), None, (1, 1), (1, 1)),
        ),
        "padding=(1, 1)",
    ),
}
"""Calls that are equal, and the text of their arguments."""


@pytest.mark.parametrize("name", EQUAL)
def test_equal_calls_are_equal(name: str) -> None:
    calls, text = EQUAL[name]
    attributes = [graph_of(call).ops[-1].attributes for call in calls]
    assert [one.arguments for one in attributes] == [text] * len(calls)
    assert len(set(attributes)) == 1


def test_the_place_of_own_tensors_is_told_by_shape() -> None:
    assert arguments_of(lambda m, x: x / m.shift) == ["other=tensor 8x1x1"]
    assert arguments_of(lambda m, x: m.shift / x) == ["self=tensor 8x1x1"]
    assert arguments_of(lambda m, x: x[:, m.index]) == ["(slice(None, None, None), tensor 2 int64)"]
    mask = arguments_of(lambda _m, x: F.scaled_dot_product_attention(x, x, x, x))
    assert mask == ["attn_mask=input"]


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(
            nn.Conv2d(8, 8, 3, 2, 1, groups=8), nn.BatchNorm2d(8), nn.ReLU6(inplace=True)
        ),
        nn.Sequential(nn.Conv2d(8, 8, 1, padding="same"), nn.Hardswish(), nn.SiLU(), nn.GELU()),
        nn.Sequential(nn.LeakyReLU(0.2, inplace=True), nn.Sigmoid(), nn.Hardsigmoid(), nn.ReLU()),
        nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.2), nn.AdaptiveAvgPool2d(1), nn.Hardtanh()),
        nn.Sequential(nn.Linear(8, 8, bias=False), nn.AvgPool2d(2), nn.ZeroPad2d(1)),
    ],
)
def test_operations_whose_fields_say_all_have_no_further_arguments(module: nn.Module) -> None:
    assert set(arguments_of(module)) == {""}


def test_a_text_has_no_address_and_no_elements() -> None:
    def call(m: Any, x: Tensor) -> Any:
        generator = torch.Generator()
        return torch.rand(8, generator=generator) + torch.full((8,), 2.0) * x + m.scale

    assert arguments_of(call) == arguments_of(call)
    assert not any("0x" in text or "Generator object" in text for text in arguments_of(call))
