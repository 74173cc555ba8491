"""Single faults in one block with squeeze-excite, and what a block may write in another way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mbv2cli import BlockSpec, InvertedResidual, MobileNetV2, NetworkSpec
from mbv2cli.graph.graph import Graph
from mbv2cli.identify.identity import differs_from, identify
from mbv2cli.nn.own import observe_module

SHAPE: Final = (1, 16, 8, 8)
BLOCK: Final = BlockSpec.model_validate(
    {"in": 16, "out": 16, "act": "hardswish", "se": 0.25, "se_act": "relu", "se_gate": "sigmoid"}
)


def observed(model: nn.Module, shape: tuple[int, ...] = SHAPE) -> Graph:
    return observe_module(model, [torch.rand(shape)]).graph


def with_submodule(model: nn.Module, path: str, module: nn.Module) -> None:
    """Put a module in the place of another. PyTorch can from 2.5 on."""
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)


class Calls(nn.Module):
    """A function of a value and a module."""

    def __init__(self, function: Callable[..., Any], module: nn.Module | None = None) -> None:
        super().__init__()
        self.function, self.module = function, module

    def forward(self, x: Tensor) -> Any:
        return self.function(x) if self.module is None else self.function(x, self.module)


def around(path: str, function: Callable[[Tensor, Any], Any]) -> Callable[[Any], None]:
    """Return what puts a function around the call of a module."""
    return lambda model: with_submodule(model, path, Calls(function, model.get_submodule(path)))


def replaced(path: str, module: nn.Module) -> Callable[[Any], None]:
    return lambda model: with_submodule(model, path, module)


def pooled(x: Tensor) -> Tensor:
    return functional.adaptive_avg_pool2d(x, 1)


def excitation(squeezed: Tensor, se: Any) -> Any:
    return se.gate(se.fc2(se.act(se.fc1(squeezed))))


def activation_last(model: Any) -> None:
    unit, se = model.conv[1], model.conv[2]
    model.conv[1], model.conv[2] = nn.Sequential(unit[0], unit[1], se), unit[2]


def squeeze_after_projection(model: Any) -> None:
    se = model.conv[2]
    se.fc1, se.fc2 = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)
    model.conv[2] = nn.Identity()
    model.conv.append(se)


FAULTS: Final[dict[str, tuple[Callable[[Any], None], str, str]]] = {
    "another ratio": (
        lambda model: model.conv.__setitem__(2, type(model.conv[2])(_with_ratio(0.5))),
        "conv.2.fc1",
        "outputs 8, not 4",
    ),
    "another gate": (replaced("conv.2.gate", nn.Hardsigmoid()), "conv.2.gate", "hardsigmoid"),
    "another activation": (replaced("conv.2.act", nn.SiLU()), "conv.2.act", "activation silu"),
    "no gate": (replaced("conv.2.gate", nn.Identity()), "", "the activation is missing"),
    "no bias": (
        replaced("conv.2.fc1", nn.Conv2d(96, 4, 1, bias=False)),
        "conv.2.fc1",
        "bias no, not yes",
    ),
    "no squeeze-excite": (replaced("conv.2", nn.Identity()), "", "the global pooling is missing"),
    "squeeze-excite before the activation": (
        activation_last,
        "conv.2",
        "activation hardswish is one too many",
    ),
    "squeeze-excite after the projection": (squeeze_after_projection, "conv.5", ""),
    "maximum of the pixels": (
        around("conv.2", lambda x, se: x * excitation(x.amax((2, 3), keepdim=True), se)),
        "conv.2",
        "amax is one too many",
    ),
    "the sum instead of the product": (
        around("conv.2", lambda x, se: x + excitation(pooled(x), se)),
        "conv.2",
        "the addition is one too many",
    ),
    "the product takes the pooled pixel": (
        around("conv.2", lambda x, se: pooled(x) * excitation(pooled(x), se).expand_as(x)),
        "conv.2",
        "",
    ),
    "a gate from 1 to 2": (
        around("conv.2", lambda x, se: x * (1 + excitation(pooled(x), se))),
        "conv.2",
        "add is one too many",
    ),
    "squeeze-excite twice": (around("conv.2", lambda x, se: se(se(x))), "conv.2", "one too many"),
    "sides of another length": (
        around("conv.1.0", lambda x, conv: conv(x.view(1, 96, 16, 4)).view(x.shape)),
        "conv.1",
        "view is one too many",
    ),
    "a dropout that always drops": (
        around("conv", lambda x, conv: functional.dropout(conv(x), 0.1)),
        "conv",
        "dropout is one too many",
    ),
    "a dropout of training alone": (
        lambda model: model.conv.append(nn.Dropout(0.1)),
        "conv.5",
        "dropout is one too many",
    ),
    "zeros are added": (
        around("conv", lambda x, conv: torch.zeros(x.shape) + conv(x)),
        "conv",
        "",
    ),
    "a value without a gradient": (
        around("conv", lambda x, conv: conv(x.detach())),
        "conv",
        "detach is one too many",
    ),
    "fewer bits": (
        around("conv", lambda x, conv: conv(x.to(torch.float16).to(torch.float32))),
        "conv",
        "to is one too many",
    ),
}


def _with_ratio(ratio: float) -> BlockSpec:
    return BLOCK.model_copy(update={"se": ratio})


@pytest.mark.parametrize("name", FAULTS)
def test_a_single_fault_is_placed(name: str) -> None:
    change, place, what = FAULTS[name]
    model = InvertedResidual(BLOCK)
    change(model)
    graph = observed(model)
    found = differs_from(graph, BLOCK)
    assert any(one.place.startswith(place) and what in one.what for one in found), found
    assert "block:in=16,out=16,act=hardswish,se=0.25,se_act=relu" not in identify(graph).names


def shortcut_of_zeros(x: Tensor, conv: Any) -> Tensor:
    y: Tensor = torch.zeros(x.shape) + conv(x)
    return y


def test_a_constant_is_not_the_input() -> None:
    block = InvertedResidual(BLOCK)
    assert not identify(observed(Calls(shortcut_of_zeros, block.conv))).is_proved


def _hardsigmoid(x: Tensor) -> Tensor:
    return functional.relu6(x + 3) / 6


def _shift_used_twice(x: Tensor) -> Tensor:
    shifted = functional.relu6(x + 3)
    return x * shifted / 6 + shifted


WRITTEN_OUT: Final[dict[str, tuple[str, nn.Module]]] = {
    name: (path, Calls(function))
    for name, (path, function) in {
        "hardswish": ("conv.0.2", lambda x: x * _hardsigmoid(x)),
        "hardswish, its module first": ("conv.0.2", lambda x: nn.Hardsigmoid()(x) * x),
        "hardswish, a product first": ("conv.1.2", lambda x: x * functional.relu6(x + 3) / 6),
        "hardswish in place": ("conv.1.2", lambda x: x.clone().mul_(_hardsigmoid(x))),
        "hardswish, a clamp": ("conv.1.2", lambda x: x * (x + 3).clamp(0, 6) * (1 / 6)),
        "relu as a clamp": ("conv.2.act", lambda x: x.clamp(min=0)),
        "a type that it has": ("conv.2.act", lambda x: x.to(torch.float32).relu()),
    }.items()
}


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_an_activation_written_out_is_that_activation(name: str) -> None:
    path, module = WRITTEN_OUT[name]
    model = InvertedResidual(BLOCK)
    with_submodule(model, path, module)
    assert identify(observed(model)).is_proved


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * functional.relu6(x + 2) / 6,
        lambda x: x * functional.relu6(x + 3) / 5,
        lambda x: x * functional.relu(x + 3) / 6,
        lambda x: (x + 1) * _hardsigmoid(x),
        lambda x: x * _hardsigmoid(_hardsigmoid(x)),
        _shift_used_twice,
        lambda x: x.clamp(0, 5),
    ],
)
def test_what_is_nearly_written_out_is_not(function: Callable[[Tensor], Tensor]) -> None:
    model = InvertedResidual(BLOCK)
    with_submodule(model, "conv.0.2", Calls(function))
    assert differs_from(observed(model), BLOCK)


SMALL: Final = NetworkSpec.model_validate({"stages": [[6, 8, 1, 2]], "stem": 8, "head": 16})


def whole(model: Any, pool: Callable[[Tensor], Tensor]) -> nn.Module:
    return Calls(lambda x, m: m.classifier(pool(m.features(x)).flatten(1)), model)


def test_pooling_beyond_the_feature_map_is_not_global() -> None:
    def corner(x: Tensor) -> Tensor:
        return functional.avg_pool2d(x, 8, 16, 1)

    graph = observed(whole(MobileNetV2(SMALL), corner), (1, 3, 32, 32))
    assert any("avg_pool2d" in fault.what for fault in differs_from(graph, SMALL))
    graph = observed(whole(MobileNetV2(SMALL), lambda x: x.mean((2, 3))), (1, 3, 32, 32))
    assert differs_from(graph, SMALL) == ()


def test_unused_weights_are_a_remark() -> None:
    block = InvertedResidual(BLOCK)
    block.aux = nn.Linear(3, 3)
    graph = observed(block)
    assert identify(graph).remarks == (
        "parameters and buffers that no operation uses (aux.weight, aux.bias)",
    )
