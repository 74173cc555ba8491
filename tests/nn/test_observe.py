"""The observer on modules of every kind: what ran, what went in, what lived how long."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

import pytest
import torch
from hypothesis import given
from torch import Tensor, nn
from torch.nn import functional

from mbv2cli import InputSpec
from mbv2cli.costs.conventions import CONV_LINEAR, count
from mbv2cli.costs.memory import (
    EAGER,
    INPLACE_DEPTHWISE,
    LAYERWISE,
    MEMORY_RULES,
    TRAINING,
    memory_use,
)
from mbv2cli.graph.graph import Graph
from mbv2cli.graph.rows import layers_of
from mbv2cli.inspection import plan_of
from mbv2cli.nn.forward import observe
from mbv2cli.nn.observe import Observer
from tests.nn.live_memory import eager_peak, model_of
from tests.strategies import block_specs, input_specs, network_specs

Shape = tuple[int, ...]


class SqueezeExcite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(8, 2, 1)
        self.expand = nn.Conv2d(2, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        scale = functional.adaptive_avg_pool2d(x, 1)
        scale = functional.relu(self.reduce(scale), inplace=True)
        return x * functional.hardsigmoid(self.expand(scale))


class Concatenation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Conv2d(8, 4, 1, bias=False)
        self.right = nn.Sequential(nn.Conv2d(8, 6, 3, padding=1), nn.ReLU6())

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.left(x), self.right(x)], dim=1)


class TwoBranches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8))
        self.b = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Any:
        a, b = self.a(x), self.b(x)
        a += b
        return a


class CalledTwice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Any:
        x = self.act(self.conv(x))
        return self.act(self.conv(x))


class KeptVariable(nn.Module):
    """``wide`` outlives its last use, up to the end of ``forward``."""

    def __init__(self) -> None:
        super().__init__()
        self.widen = nn.Conv2d(8, 32, 1)
        self.narrow = nn.Conv2d(32, 4, 1)
        self.last = nn.Conv2d(4, 40, 1)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.widen(x)
        x = self.narrow(wide)
        y: Tensor = self.last(x)
        return y


class ChangedView(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        y = x[:, :2]
        y.add_(1)
        return functional.relu(x)


class Assignment(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x = x * 2
        x[:, 0] = 1
        return -x


class Split(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, dim=1)
        first, _second = torch.split(self.conv(right), 2, dim=1)
        return torch.cat((left, first), 1)


class Unpacked(nn.Module):
    def forward(self, x: Tensor) -> Any:
        first, second = x
        return first + second


class BasicBlock(nn.Module):
    """kuangliu's: the shortcut is an empty Sequential."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(8)
        self.shortcut = nn.Sequential()

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return functional.relu(out)


class BareParameters(nn.Module):
    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4, 8, 3, 3))
        self.scale = nn.Parameter(torch.rand(4), requires_grad=False)
        self.register_buffer("shift", torch.rand(4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.conv2d(x, self.weight, padding=1)
        return x * self.scale.view(-1, 1, 1).abs() + self.shift


class NormalisedWeight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4, 8, 1, 1))
        self.unused = nn.Parameter(torch.rand(3))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight / self.weight.norm())


class PositionTable(nn.Module):
    """A module that returns its own parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.rand(8, 1, 1))

    def forward(self) -> Tensor:
        return self.table


class Positions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.positions = PositionTable()

    def forward(self, x: Tensor) -> Tensor:
        position: Tensor = self.positions()
        return x + position


class WithoutRule(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(5, 8))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.einsum("nchw,oc->nohw", x, self.weight)
        return functional.interpolate(x, scale_factor=2)


class Constants(nn.Module):
    """``mask`` lives from the beginning; ``ramp`` is made of another constant, which dies."""

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.ones(1, 1, *x.shape[2:])
        x = functional.relu(x)
        ramp = torch.arange(x.shape[3], dtype=x.dtype) / x.shape[3]
        return x * mask + ramp


class ChangedConstant(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        mask = torch.zeros(x.shape[3])
        mask[::2] = 1
        return x * mask


class Recovers(nn.Module):
    """A module inside raises, and this one goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong = nn.Sequential(nn.ReLU(), nn.Conv2d(3, 3, 1, bias=False))
        self.right = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Any:
        with suppress(RuntimeError):
            return self.wrong(x)
        return self.right(x)


class Compiled(nn.Module):
    """No function of torch is called for what TorchScript runs."""

    def __init__(self) -> None:
        super().__init__()
        trace: Any = torch.jit.trace
        with warnings.catch_warnings(action="ignore"):  # it is deprecated
            self.script = trace(nn.Conv2d(8, 8, 1), torch.rand(2, 8, 6, 6))

    def forward(self, x: Tensor) -> Any:
        return functional.relu(self.script(x))


class InferenceMode(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)

    @torch.inference_mode()
    def forward(self, x: Tensor) -> Tensor:
        return functional.relu_(self.conv(x)) + x


class Batched(nn.Module):
    """Inside ``vmap`` a tensor has no storage."""

    def forward(self, x: Tensor) -> Any:
        return torch.vmap(lambda row: row * 2)(x)


class Columns(nn.Module):
    """A linear layer copies what does not lie in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Any:
        return self.linear(x.transpose(2, 3))


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(6, 8)

    def forward(self, image: Tensor, words: Tensor) -> Any:
        return image + self.project(words)[:, :, None, None]


class TwoOutputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(8, 4, 1)
        self.never = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        x = self.body(x)
        return x, {"mean": x.sigmoid(), "same": x}


class Case(NamedTuple):
    """A module, its inputs, and each operation: kind, function, path, and values that go in."""

    model: Callable[[], nn.Module]
    ops: list[str]
    scopes: list[str]
    inputs: tuple[Shape, ...] = ((2, 8, 6, 6),)
    outputs: tuple[int, ...] = (-1,)
    unused: tuple[str, ...] = ()
    without_derivative: tuple[str, ...] = ()


CASES: Final = {
    "squeeze and excite": Case(
        SqueezeExcite,
        [
            "pool adaptive_avg_pool2d @ 0",
            "conv conv2d @reduce 1",
            "act relu @ 2",
            "conv conv2d @expand 3",
            "act hardsigmoid @ 4",
            "mul mul @ 0 5",
        ],
        [": 0 -> 6"],
    ),
    "concatenation": Case(
        Concatenation,
        [
            "conv conv2d @left 0",
            "conv conv2d @right.0 0",
            "act relu6 @right.1 2",
            "cat cat @ 1 3",
        ],
        ["right: 0 -> 3", ": 0 -> 4"],
    ),
    "two branches": Case(
        TwoBranches,
        [
            "conv conv2d @a.0 0",
            "norm batch_norm @a.1 1",
            "conv conv2d @b 0",
            "add add @ 2 3",
        ],
        ["a: 0 -> 2", ": 0 -> 4"],
    ),
    "called twice": Case(
        CalledTwice,
        [
            "conv conv2d @conv 0",
            "act silu @act 1",
            "conv conv2d @conv 2",
            "act silu @act 3",
        ],
        [": 0 -> 4"],
    ),
    "a variable that is kept": Case(
        KeptVariable,
        ["conv conv2d @widen 0", "conv conv2d @narrow 1", "conv conv2d @last 2"],
        [": 0 -> 3"],
    ),
    "a view changed in place": Case(
        ChangedView,
        [
            "conv conv2d @conv 0",
            "reshape __getitem__ @ 1",
            "add add @ 2",
            "act relu @ 3",
        ],
        [": 0 -> 4"],
    ),
    "an assignment": Case(
        Assignment,
        ["mul mul @ 0", "unknown __setitem__ @ 1", "unknown neg @ 2"],
        [": 0 -> 3"],
        without_derivative=("__setitem__", "neg"),
    ),
    "split": Case(
        Split,
        [
            "reshape chunk @ 0",
            "reshape chunk @ 0",
            "conv conv2d @conv 2",
            "reshape split @ 3",
            "reshape split @ 3",
            "cat cat @ 1 4",
        ],
        [": 0 -> 6"],
    ),
    "unpacked": Case(
        Unpacked,
        ["reshape unbind @ 0", "reshape unbind @ 0", "add add @ 1 2"],
        [": 0 -> 3"],
    ),
    "an empty Sequential": Case(
        BasicBlock,
        [
            "conv conv2d @conv1 0",
            "norm batch_norm @bn1 1",
            "act relu @ 2",
            "conv conv2d @conv2 3",
            "norm batch_norm @bn2 4",
            "add add @ 5 0",
            "act relu @ 6",
        ],
        ["shortcut: 0 -> 0", ": 0 -> 7"],
    ),
    "bare parameters": Case(
        BareParameters,
        [
            "conv conv2d @ 0",
            "reshape view @",
            "unknown abs @ 2",
            "mul mul @ 1 3",
            "add add @ 4",
        ],
        [": 0 -> 5"],
        without_derivative=("abs",),
    ),
    "a weight made of parameters": Case(
        NormalisedWeight,
        ["unknown norm @", "mul div @ 1", "conv conv2d @ 0 2"],
        [": 0 -> 3"],
        unused=("unused",),
        without_derivative=("norm",),
    ),
    "nothing in place": Case(
        lambda: nn.Sequential(nn.Conv2d(8, 16, 1), nn.BatchNorm2d(16), nn.ReLU6()),
        ["conv conv2d @0 0", "norm batch_norm @1 1", "act relu6 @2 2"],
        [": 0 -> 3"],
    ),
    "a module that returns its parameter": Case(
        Positions, ["add add @ 0"], ["positions: -> ", ": 0 -> 1"]
    ),
    "operations without a rule": Case(
        WithoutRule,
        ["unknown einsum @ 0", "unknown interpolate @ 1"],
        [": 0 -> 2"],
        without_derivative=("einsum", "interpolate"),
    ),
    "constants": Case(
        Constants,
        [
            "act relu @ 0",
            "constant ones @",
            "mul mul @ 1 2",
            "constant arange @",
            "mul div @ 4",
            "add add @ 3 5",
        ],
        [": 0 -> 6"],
    ),
    "a constant changed in place": Case(
        ChangedConstant,
        ["constant zeros @", "unknown __setitem__ @ 1", "mul mul @ 0 2"],
        [": 0 -> 3"],
        without_derivative=("__setitem__",),
    ),
    "a module inside raises": Case(
        Recovers,
        ["act relu @wrong.0 0", "conv conv2d @right 0"],
        [": 0 -> 2"],
        unused=("wrong.1.weight",),
    ),
    "TorchScript": Case(
        Compiled,
        ["unknown TopLevelTracedModule @script 0", "act relu @ 1"],
        [": 0 -> 2"],
        without_derivative=("TopLevelTracedModule",),
    ),
    "inference mode": Case(
        InferenceMode,
        ["conv conv2d @conv 0", "act relu @ 1", "add add @ 2 0"],
        [": 0 -> 3"],
    ),
    "vmap": Case(Batched, ["unknown Batched @ 0"], [": 0 -> 1"], without_derivative=("Batched",)),
    "max pooling": Case(
        lambda: nn.Sequential(nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)),
        ["act relu @0 0", "pool max_pool2d @1 1"],
        [": 0 -> 2"],
    ),
    "a linear layer of columns": Case(
        Columns, ["reshape transpose @ 0", "linear linear @linear 1"], [": 0 -> 2"]
    ),
    "two inputs": Case(
        TwoInputs,
        ["linear linear @project 1", "reshape __getitem__ @ 2", "add add @ 0 3"],
        [": 0 1 -> 4"],
        inputs=((2, 8, 6, 6), (2, 6)),
    ),
    "two outputs": Case(
        TwoOutputs,
        ["conv conv2d @body 0", "act sigmoid @ 1"],
        [": 0 -> 1 2 1"],
        outputs=(1, 2, 1),
        unused=("never.weight", "never.bias"),
    ),
    "an operation alone": Case(nn.ReLU, ["act relu @ 0"], [": 0 -> 1"]),
    "nothing": Case(nn.Sequential, [], [": 0 -> 0"], outputs=(0,)),
    "identities": Case(
        lambda: nn.Sequential(nn.Identity(), nn.Dropout(), nn.Hardtanh(-2, 2)),
        ["act identity @0 0", "dropout dropout @1 1", "act hardtanh @2 2"],
        [": 0 -> 3"],
        without_derivative=("hardtanh",),
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def observed(case: Case) -> tuple[Graph, nn.Module, list[Tensor]]:
    torch.manual_seed(0)
    model, inputs = case.model().eval(), [torch.rand(shape) for shape in case.inputs]
    observer = Observer(model, inputs)
    with torch.no_grad(), observer.watching():
        model(*inputs)
    return observer.graph(), model, inputs


def numbers(values: tuple[int, ...]) -> str:
    return " ".join(map(str, values))


@every_case
def test_operations_and_what_goes_in(case: Case) -> None:
    graph, _model, _inputs = observed(case)
    told = [f"{op.kind} {op.function} @{op.path} {numbers(op.inputs)}".strip() for op in graph.ops]
    assert told == case.ops
    assert graph.input_shapes == case.inputs
    assert graph.outputs == tuple(one % len(graph.shapes) for one in case.outputs)


@every_case
def test_scopes(case: Case) -> None:
    graph, _model, _inputs = observed(case)
    told = [
        f"{scope.path}: {numbers(scope.inputs)} -> {numbers(scope.outputs)}".replace(":  ", ": ")
        for scope in graph.scopes
    ]
    assert told == case.scopes


@every_case
def test_every_parameter_and_buffer_counts_once(case: Case) -> None:
    graph, model, _inputs = observed(case)
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    unused = {name: named.pop(name) for name in case.unused}
    params = [one for one in named.values() if isinstance(one, nn.Parameter)]
    assert graph.unused == tuple(unused)
    assert sum(op.params for op in graph.ops) == sum(one.numel() for one in params)
    assert sum(op.trainable_params for op in graph.ops) == sum(
        one.numel() for one in params if one.requires_grad
    )
    assert sum(op.params + op.buffers for op in graph.ops) == sum(
        one.numel() for one in named.values()
    )


@every_case
def test_eager_is_what_lives(case: Case) -> None:
    graph, model, inputs = observed(case)
    assert memory_use(EAGER, graph).peak_bytes("float32") == eager_peak(model, *inputs)


@every_case
def test_the_other_rules_have_a_figure(case: Case) -> None:
    graph, _model, inputs = observed(case)
    given = sum(one.numel() for one in inputs)
    for rule in (LAYERWISE, INPLACE_DEPTHWISE):
        use = memory_use(rule, graph)
        assert use.peak >= given * bool(use.steps)
    training = memory_use(TRAINING, graph)
    assert training.unknown == case.without_derivative
    assert len(training.steps) == len(graph.ops)


@every_case
def test_observing_changes_no_result(case: Case) -> None:
    _graph, model, inputs = observed(case)
    observer = Observer(model, inputs)
    with torch.no_grad():
        expected = model(*(one.clone() for one in inputs))
        with observer.watching():
            found = model(*inputs)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_shapes_of_the_tensors_that_go_in() -> None:
    """An operation takes the whole tensor, though only a part of it was changed last."""
    graph, _model, _inputs = observed(CASES["a view changed in place"])
    assert [op.input_shapes for op in graph.ops[2:]] == [((2, 2, 6, 6),), ((2, 8, 6, 6),)]


def test_a_local_variable_is_in_memory_where_no_graph_shows_it() -> None:
    graph, _model, _inputs = observed(CASES["a variable that is kept"])
    wide = next(one for one in graph.measured or () if one.first == 0)
    assert (wide.last, wide.elements) == (2, 2 * 32 * 36)
    assert memory_use(LAYERWISE, graph).steps[2].elements == 2 * (4 + 40) * 36


def test_rows_of_nested_modules() -> None:
    graph, _model, _inputs = observed(CASES["two branches"])
    assert [(layer.name, layer.path) for layer in layers_of(graph)] == [
        ("Conv2d-1", "a.0"),
        ("BatchNorm2d-2", "a.1"),
        ("Conv2d-3", "b"),
        (None, ""),
    ]
    assert [scope.type for scope in graph.scopes] == ["Sequential", "TwoBranches"]


def test_shapes_without_a_rule() -> None:
    graph, _model, _inputs = observed(CASES["operations without a rule"])
    assert [(op.input_shapes, op.output_shape) for op in graph.ops] == [
        (((2, 8, 6, 6),), (2, 5, 6, 6)),
        (((2, 5, 6, 6),), (2, 5, 12, 12)),
    ]
    assert count(CONV_LINEAR, graph.ops).unknown == ("einsum",)


def test_elements_are_those_of_the_model() -> None:
    """An input of another size of element counts as the elements that its bytes would hold."""
    model, words = nn.Embedding(10, 3), torch.arange(4)
    observer = Observer(model, [words])
    with torch.no_grad(), observer.watching():
        model(words)
    peak = memory_use(EAGER, observer.graph()).peak_bytes("float32")
    assert peak == eager_peak(model, words) == 4 * 8 + 12 * 4


@given(block_specs() | network_specs(), input_specs)
def test_planned_and_observed_eager_peaks_are_equal(spec: Any, input_: InputSpec) -> None:
    plan = plan_of(spec, input_)
    graph = observe(model_of(spec), torch.rand(plan.input_shape)).graph
    assert memory_use(EAGER, graph).peak == plan.memory(EAGER).peak
    unmeasured = [rule for rule in MEMORY_RULES if rule is not EAGER]
    for rule in unmeasured:
        assert memory_use(rule, graph) == plan.memory(rule)
