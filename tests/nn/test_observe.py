"""The observed graph of modules that are no MobileNetV2: operations, values, scopes, memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn
from torch.nn import functional

from mbv2cli import BlockSpec, NetworkSpec, plan_of
from mbv2cli.costs.conventions import CONV_LINEAR, count
from mbv2cli.costs.memory import EAGER, INPLACE_DEPTHWISE, LAYERWISE, TRAINING, memory_use
from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import Kind
from mbv2cli.graph.rows import layers_of
from mbv2cli.nn.observe import Observer
from tests.nn.live_memory import eager_peak, model_of
from tests.nn.test_live_memory import inputs, specs


def observed(model: nn.Module, *dummies: Tensor) -> Graph:
    observer = Observer(model.eval(), dummies)
    with torch.no_grad(), observer.watching():
        model(*dummies)
    return observer.graph()


def conv(in_channels: int, out_channels: int, kernel: int = 1, **more: Any) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, **more)


class SqueezeExcite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce, self.expand = conv(8, 2), conv(2, 8)

    def forward(self, x: Tensor) -> Tensor:
        gate = functional.hardsigmoid(self.expand(functional.relu(self.reduce(self.pool(x)))))
        return x * gate


class Concatenation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.wide = conv(8, 4), conv(8, 12, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.narrow(x), self.wide(x)], dim=1)


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Sequential(conv(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.other = nn.Sequential(conv(8, 8), nn.BatchNorm2d(8))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.one(x) + self.other(x))


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = conv(8, 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(self.conv(x))
        return y


class NothingInPlace(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(conv(8, 16), nn.BatchNorm2d(16), nn.ReLU6(), conv(16, 8), nn.SiLU())


class LocalVariable(nn.Module):
    """``wide`` is in memory until the module returns, though no operation needs it any more."""

    def __init__(self) -> None:
        super().__init__()
        self.widen, self.narrow, self.last = conv(8, 64), conv(64, 8), conv(8, 32)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.widen(x)
        narrow = self.narrow(wide)
        y: Tensor = self.last(narrow)
        return y


class ChangedThroughAView(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x = x * 2
        half = x[:, :4]
        half.add_(1)
        return x + 1


class Chunks(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, dim=1)
        return first + second


class CifarBlock(nn.Module):
    """Its shortcut is a Sequential without a module (pytorch-cifar)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.shortcut = conv(8, 8, 3, groups=8), nn.Sequential()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x) + self.shortcut(x)
        return y


class BareParameters(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4, 8, 1, 1))
        self.scale = nn.Parameter(torch.rand(1, 4, 1, 1))
        self.unused = nn.Parameter(torch.rand(3))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight / self.weight.norm()) * self.scale


class Unknown(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bchw,bdhw->bcd", x, x)


class Constant(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.ones(8, 6, 5)


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = conv(8, 8)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.conv(x), self.conv(x) + y


MODULES: Final[dict[Callable[[], nn.Module], list[tuple[str, tuple[int, ...]]]]] = {
    SqueezeExcite: [
        ("adaptive_avg_pool2d", (0,)),
        ("conv2d", (1,)),
        ("relu", (2,)),
        ("conv2d", (3,)),
        ("hardsigmoid", (4,)),
        ("mul", (0, 5)),
    ],
    Concatenation: [("conv2d", (0,)), ("conv2d", (0,)), ("cat", (1, 2))],
    Branches: [
        *(("conv2d", (0,)), ("batch_norm", (1,)), ("relu", (2,))),
        *(("conv2d", (0,)), ("batch_norm", (4,)), ("add", (3, 5)), ("relu", (6,))),
    ],
    Twice: [("conv2d", (0,)), ("conv2d", (1,))],
    NothingInPlace: [
        *(("conv2d", (0,)), ("batch_norm", (1,)), ("relu6", (2,))),
        *(("conv2d", (3,)), ("silu", (4,))),
    ],
    LocalVariable: [("conv2d", (0,)), ("conv2d", (1,)), ("conv2d", (2,))],
    ChangedThroughAView: [
        *(("mul", (0,)), ("__getitem__", (1,)), ("add", (2,)), ("add", (3,))),
    ],
    Chunks: [("chunk", (0,)), ("chunk", (0,)), ("add", (1, 2))],
    CifarBlock: [("conv2d", (0,)), ("add", (1, 0))],
    BareParameters: [
        *(("norm", ()), ("div", (1,)), ("conv2d", (0, 2)), ("mul", (3,))),
    ],
    Unknown: [("einsum", (0, 0))],
    Constant: [("ones", ()), ("add", (0, 1))],
}


@pytest.mark.parametrize("module", MODULES)
def test_operations_and_the_values_that_go_in(module: Callable[[], nn.Module]) -> None:
    graph = observed(module(), torch.rand(1, 8, 6, 5))
    assert [(op.function, op.inputs) for op in graph.ops] == MODULES[module]
    assert graph.outputs == (len(graph.ops),)


@pytest.mark.parametrize("module", MODULES)
def test_eager_memory_is_measured_to_the_byte(module: Callable[[], nn.Module]) -> None:
    dummy = torch.rand(2, 8, 6, 5)
    graph = observed(module(), dummy)
    assert graph.measured is not None
    assert memory_use(EAGER, graph).peak_bytes("float32") == eager_peak(module(), dummy)
    for rule in (LAYERWISE, INPLACE_DEPTHWISE):
        assert memory_use(rule, graph).peak > 0


@pytest.mark.parametrize("module", MODULES)
def test_every_parameter_counts_once(module: Callable[[], nn.Module]) -> None:
    model = module()
    graph = observed(model, torch.rand(1, 8, 6, 5))
    used = {name: one.numel() for name, one in model.named_parameters() if name != "unused"}
    assert sum(op.params for op in graph.ops) == sum(used.values())
    assert sum(op.buffers for op in graph.ops) == sum(one.numel() for one in model.buffers())
    assert graph.unused == (("unused",) if module is BareParameters else ())


def test_a_local_variable_is_in_memory_where_no_graph_shows_it() -> None:
    graph = observed(LocalVariable(), torch.rand(1, 8, 6, 5))
    wide = next(one for one in graph.measured or () if one.first == 0)
    assert (wide.last, wide.elements) == (2, 64 * 30)
    assert memory_use(LAYERWISE, graph).steps[2].elements == (8 + 32) * 30


def test_what_has_no_rule_is_unknown_with_its_shapes() -> None:
    graph = observed(Unknown(), torch.rand(1, 8, 6, 5))
    (op,) = graph.ops
    assert (op.kind, op.output_shape) == (Kind.UNKNOWN, (1, 8, 8))
    assert op.input_shapes == ((1, 8, 6, 5), (1, 8, 6, 5))
    assert count(CONV_LINEAR, graph.ops).unknown == ("einsum",)
    assert memory_use(TRAINING, graph).unknown == ("einsum",)


def test_several_inputs_and_outputs() -> None:
    graph = observed(Two(), torch.rand(1, 8, 6, 5), torch.rand(1, 8, 1, 1))
    assert [(op.function, op.inputs) for op in graph.ops] == [
        ("conv2d", (0,)),
        ("conv2d", (0,)),
        ("add", (3, 1)),
    ]
    assert graph.outputs == (2, 4)


def test_rows_and_scopes_of_nested_modules() -> None:
    graph = observed(Branches(), torch.rand(1, 8, 6, 5))
    scopes = [(one.path, one.type, one.inputs, one.outputs) for one in graph.scopes]
    assert scopes == [
        ("one", "Sequential", (0,), (3,)),
        ("other", "Sequential", (0,), (5,)),
        ("", "Branches", (0,), (7,)),
    ]
    rows = [(layer.name, layer.path) for layer in layers_of(graph)]
    assert rows == [
        ("Conv2d-1", "one.0"),
        ("BatchNorm2d-2", "one.1"),
        ("ReLU-3", "one.2"),
        ("Conv2d-4", "other.0"),
        ("BatchNorm2d-5", "other.1"),
        (None, ""),
        (None, ""),
    ]


@settings(max_examples=40)
@given(spec=specs, input_=inputs)
def test_lifetimes_of_a_planned_graph_are_those_that_are_measured(
    spec: BlockSpec | NetworkSpec, input_: Any
) -> None:
    plan = plan_of(spec, input_)
    graph = observed(model_of(spec), torch.rand(plan.input_shape))
    assert memory_use(EAGER, graph).peak == plan.memory(EAGER).peak
