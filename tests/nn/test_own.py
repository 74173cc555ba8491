"""Modules of one's own: loaded from a file, observed once, left as they were."""

from __future__ import annotations

import json
import random
import re
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from mbv2cli.costs.conventions import CONV_LINEAR, PARAMS, count
from mbv2cli.costs.figures import FIGURES, FLASH
from mbv2cli.errors import UserError
from mbv2cli.graph.record import graph_of, record_of
from mbv2cli.inspection import Observed
from mbv2cli.nn import memory_limit
from mbv2cli.nn.free_memory import Free
from mbv2cli.nn.own import ModuleRun, observe_module, run_module
from mbv2cli.specs.module import ModuleRequest, module_source, read_input
from mbv2cli.specs.run import RunSpec

MODELS = """
import os, random, threading, time
import torch
from torch import nn

print("imported")


class Net(nn.Module):
    def __init__(self, width=1.0, classes=10):
        super().__init__()
        channels = int(32 * width)
        self.features = nn.Sequential(nn.Conv2d(3, channels, 3, 2, 1), nn.ReLU6())
        self.head = nn.Linear(channels, classes)

    def forward(self, x):
        print("forward")
        os.system("echo from a process")
        return self.head(self.features(x).mean((2, 3)))


class Outer:
    Inner = Net


instance = Net(classes=3)
number = 3


def make(classes):
    return Net(classes=classes)


def raises():
    raise ValueError("first line\\nsecond line")


def quits():
    raise SystemExit(4)


def returns_a_number():
    return 3


def moves():
    os.chdir("/")
    random.random()
    torch.rand(1)
    return nn.Linear(2, 2)


def leaves_a_thread():
    threading.Thread(target=time.sleep, args=(0.3,), name="worker").start()
    return nn.Linear(2, 2)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "broken.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "syntax.py").write_text("def f(:\n")
    (tmp_path / "relative.py").write_text("from helper import Net\n")
    (tmp_path / "helper.py").write_text("from torch import nn\nclass Net(nn.Identity): pass\n")
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def run(target: str, *inputs: str) -> ModuleRun:
    source = module_source(target)
    assert source is not None
    specs = tuple(map(read_input, inputs or ("1x3x32x32",)))
    return run_module(ModuleRequest(source, specs), RunSpec())


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("target", "classes"),
    [
        ("models.py:Net", 10),
        ("models.py:Net:width=0.5,classes=7", 7),
        ("models.py:make:classes=5", 5),
        ("models.py:instance", 3),
        ("models.py:Outer.Inner", 10),
        ("./models.py:Net", 10),
        ("models:Net:classes=4", 4),
    ],
)
def test_a_class_a_function_and_an_instance(target: str, classes: int) -> None:
    assert run(target).graph.output_shape == (1, classes)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("models.py:Nett", r"has no 'Nett' \(it has Net, instance, make, .*\); did you mean 'Net'"),
        ("models.py:Net:depth=2", r"'depth' \(Net takes width, classes\)"),
        ("models.py:make", r"'classes' \(make takes classes\); write models.py:make:classes=…"),
        ("models.py:instance:classes=2", "is a module already, so it takes no arguments"),
        ("models.py:number", "number is a int; a TARGET names a class or an instance"),
        ("models.py:returns_a_number", "returns a int, not a torch.nn.Module"),
        ("models.py:raises", "cannot be built: ValueError: first line$"),
        ("models.py:quits", r"ends the process: SystemExit\(4\)$"),
        ("models.py:leaves_a_thread", "leaves a thread that runs: worker"),
        ("broken.py:Net", "cannot be imported: ModuleNotFoundError: No module named 'nothing_of"),
        ("syntax.py:Net", "cannot be imported: SyntaxError"),
        ("missing.py:Net", "there is no file missing.py$"),
        ("missing_package.models:Net", "there is no Python package 'missing_package' here"),
    ],
)
def test_a_mistake_is_one_sentence(target: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        run(target, "1x2")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("folder")
def test_a_wrong_input_names_the_place() -> None:
    with pytest.raises(UserError, match=r"fails in Conv2d features\.0: .*; --input gives another"):
        run("models.py:Net", "1x4x32x32")


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
def test_parameters_of_another_type_than_the_input_are_named(folder: Path, dtype: str) -> None:
    (folder / "typed.py").write_text(
        f"import models, torch\ndef net(): return models.Net().to(torch.{dtype})\n"
    )
    with pytest.raises(UserError, match=r"in Conv2d features\.0: RuntimeError: ") as caught:
        run("typed.py:net", "1x3x32x32")
    advice = f"the parameters are {dtype}, so write --input 1x3x32x32:{dtype}"
    assert str(caught.value).endswith(f"; {advice}")
    assert run("typed.py:net", advice.rpartition(" ")[2]).dtype == dtype


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the data of a process")
@pytest.mark.parametrize(("steps", "fits"), [(4, True), (64, False)])
def test_memory_ends_in_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, steps: int, fits: bool
) -> None:
    """Each step takes 4 MiB; nothing is written there, so that the test itself needs none."""
    (folder / "large.py").write_text(
        "import torch\nclass Net(torch.nn.Module):\n"
        "    def __init__(self, steps):\n        super().__init__()\n        self.steps = steps\n"
        "    def forward(self, x):\n"
        "        return sum(y[0] for y in [torch.empty(2**20) for _ in range(self.steps)]) + x\n"
    )
    # what earlier tests have left free on the heap is there too
    monkeypatch.setattr(memory_limit, "free_memory", lambda: Free(64 * 2**20, "the machine"))
    before = resource.getrlimit(resource.RLIMIT_DATA)
    if fits:
        assert run(f"large.py:Net:steps={steps}", "1x2").graph.output_shape == (1, 2)
    else:
        with pytest.raises(UserError, match="PyTorch ran out of memory on device cpu; try a"):
            run(f"large.py:Net:steps={steps}", "1x2")
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_a_file_imports_its_neighbours(folder: Path) -> None:
    (folder / "sub").mkdir()
    assert run("relative.py:Net", "1x2").graph.output_shape == (1, 2)


@pytest.mark.usefixtures("folder")
def test_what_the_code_prints_goes_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    run("models.py:Net")
    out, err = capfd.readouterr()
    assert out == ""
    assert {"imported", "forward", "from a process"} <= set(err.split("\n"))


def test_a_run_leaves_the_process_as_it_was(folder: Path) -> None:
    path, states = list(sys.path), (random.getstate(), torch.get_rng_state())
    assert run("models.py:moves", "1x2").graph.output_shape == (1, 2)
    assert Path.cwd() == folder
    assert sys.path == path
    assert random.getstate() == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])


def test_a_seed_gives_the_same_weights_and_inputs(folder: Path) -> None:
    (folder / "noisy.py").write_text(
        "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n"
        "        return x[: int(torch.rand(1) * 1000)]\n"
    )
    shapes = {run("noisy.py:Net", "1000x1").graph.output_shape for _ in range(3)}
    assert len(shapes) == 1


class Counts(nn.Module):
    """Has a buffer that each call changes, a shared layer and a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Tensor
        self.last: Tensor
        self.register_buffer("calls", torch.zeros(1))
        self.register_buffer("last", torch.zeros(1))
        self.conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.scale = nn.Parameter(torch.ones(4, 1, 1))

    def forward(self, x: Tensor) -> Any:
        self.calls.add_(1)
        self.last = x.mean()
        self.register_buffer("noise", torch.rand(1))
        return self.conv(self.conv(x)) * self.scale


def test_a_run_leaves_the_module_as_it_was() -> None:
    model = Counts().train()
    hook = model.conv.register_forward_hook(lambda *_: None)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inputs = [torch.rand(1, 4, 8, 8)]
    numbers = torch.get_rng_state()
    observe_module(model, inputs)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert list(model.conv._forward_hooks) == [hook.id]
    assert not model._forward_pre_hooks
    assert all(one.grad is None and one.requires_grad for one in model.parameters())


def _traced(model: nn.Module) -> Any:
    return torch.jit.trace(model, torch.rand(1, 2))  # type: ignore[no-untyped-call]


@pytest.mark.filterwarnings("ignore")  # PyTorch's, that scripts and traces are of the past
@pytest.mark.parametrize(
    ("make", "what"),
    [
        (torch.jit.script, "a script"),
        (_traced, "a trace"),
    ],
)
def test_what_torchscript_has_made_is_refused(make: Any, what: str) -> None:
    made = make(nn.Sequential(nn.Linear(2, 2)))
    for model, place in ((made, "the model"), (nn.Sequential(nn.ReLU(), made), "the module 1")):
        with pytest.raises(UserError, match=f"^{place} is {what} of TorchScript, which nobody"):
            observe_module(model, [torch.rand(1, 2)])


class Resizes(nn.Linear):
    """Gives a buffer another size and a parameter other memory."""

    def __init__(self, *, in_place: bool) -> None:
        super().__init__(2, 2)
        self.in_place = in_place
        self.seen: Tensor
        self.register_buffer("seen", torch.full((3,), 7.0))

    def forward(self, x: Tensor) -> Any:
        self.weight.data = self.weight.data * 2
        self.bias = nn.Parameter(self.bias + 1)
        if self.in_place:
            self.seen.resize_(5).fill_(1)
        else:
            self.seen.data = torch.ones(0)
        return super().forward(x)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_buffer_gets_its_size_and_values_back(*, in_place: bool) -> None:
    model = Resizes(in_place=in_place)
    seen, weight, bias, values = model.seen, model.weight, model.bias, model.weight.clone()
    memory = weight.data_ptr()
    observe_module(model, [torch.rand(1, 2)])
    assert model.seen is seen
    assert seen.tolist() == [7.0] * 3
    assert (model.weight is weight, model.bias is bias) == (True, True)
    assert weight.data_ptr() == memory
    assert torch.equal(weight, values)


def test_torchsummary_is_doubted_where_it_counts_otherwise() -> None:
    doubt = observe_module(Counts(), [torch.rand(1, 4, 8, 8)]).doubt
    assert (
        doubt
        == "torchsummary counts 288 parameters, not 148: it counts a module again at each call"
    )


class Bare(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(5, 4))
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Any:
        return functional.linear(self.conv(x).mean((2, 3)), self.weight)


class Dictionary(nn.Module):
    def forward(self, x: Tensor) -> Any:
        return {"a": x * 2, "b": [x + 1, x]}


@pytest.mark.parametrize(
    ("model", "inputs", "doubt"),
    [
        (Bare(), [(1, 3, 4, 4)], "it does not see parameters outside"),
        (Dictionary(), [(1, 3)], "torchsummary fails: "),
        (nn.Bilinear(2, 3, 4), [(1, 2), (1, 3)], "multiplies the sizes of several inputs"),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()), [(1, 3, 4, 4)], "^$"),
    ],
)
def test_where_torchsummary_cannot_run(
    model: nn.Module, inputs: list[tuple[int, ...]], doubt: str
) -> None:
    run = observe_module(model, [torch.rand(shape) for shape in inputs])
    assert re.search(doubt, run.doubt)
    assert sum(op.params for op in run.graph.ops) == sum(p.numel() for p in model.parameters())


def test_a_lazy_module_gets_its_shapes_first() -> None:
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2))
    ran = observe_module(model, [torch.rand(1, 3, 8, 8)])
    assert sum(op.params for op in ran.graph.ops) == sum(one.numel() for one in model.parameters())
    with pytest.raises(UserError, match=r"fails in Sequential: .*; --input gives another"):
        observe_module(nn.Sequential(nn.LazyLinear(2), nn.Flatten(7)), [torch.rand(1, 3)])
    unused = nn.Linear(3, 2)
    unused.more = nn.LazyLinear(4)
    with pytest.raises(UserError, match=r"^Linear has no shape for more\.weight, because the forw"):
        observe_module(unused, [torch.rand(1, 3)])


class Packs(nn.Module):
    """Has a quantised layer, whose weights are no parameters."""

    def __init__(self) -> None:
        super().__init__()
        weight = torch.quantize_per_tensor(torch.rand(4, 3, 1, 1), 0.1, 0, torch.qint8)
        self.packed = torch.ops.quantized.conv2d_prepack(weight, None, [1, 1], [0, 0], [1, 1], 1)

    def forward(self, x: Tensor) -> Any:
        quantised = torch.quantize_per_tensor(x, 0.1, 0, torch.quint8)
        return torch.ops.quantized.conv2d(quantised, self.packed, 0.1, 0).dequantize()


@pytest.mark.filterwarnings("ignore")  # PyTorch's, that this is of the past
def test_a_quantised_layer_has_no_rule() -> None:
    ran = observe_module(Packs(), [torch.rand(1, 3, 8, 8)])
    assert {"conv2d", "dequantize"} <= set(count(CONV_LINEAR, ran.graph.ops).unknown)
    assert graph_of(json.loads(json.dumps(record_of(ran.graph)))) == ran.graph
    known = {one.name: Observed(ran.graph).uncounted(one) for one in FIGURES}
    assert count(PARAMS, ran.graph.ops).unknown == ("conv2d",)
    of_weights = ("params", "non_trainable_params", "flash", "weight", "activations")
    assert {name: known[name] for name in of_weights} == dict.fromkeys(of_weights, ("conv2d",))


@pytest.mark.filterwarnings("ignore")  # PyTorch's, that this is of the past
def test_packed_weights_in_a_list_are_not_counted() -> None:
    quantised: Any = torch.ao.quantization.quantize_dynamic
    model = quantised(nn.Sequential(nn.LSTM(4, 4)), {nn.LSTM})
    graph = observe_module(model, [torch.rand(3, 1, 4)]).graph
    assert Observed(graph).uncounted(FLASH) == ("quantized_lstm",)


def test_several_outputs() -> None:
    graph = observe_module(Dictionary(), [torch.rand(1, 3)]).graph
    assert len(graph.outputs) == 3


@dataclass
class Output:
    logits: Any
    features: Any = None


class Returns(nn.Linear):
    def forward(self, x: Tensor) -> Any:
        y = super().forward(x)
        return Output([y], {"y": y + 1})


def test_outputs_in_a_dataclass() -> None:
    graph = observe_module(Returns(3, 2), [torch.rand(1, 3)]).graph
    assert [graph.shapes[value] for value in graph.outputs] == [(1, 2), (1, 2)]


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), (1, 7, 16)),
        (nn.MultiheadAttention(16, 4, bias=False), None),
        (nn.Sequential(nn.ConvTranspose2d(4, 6, 3, 2), nn.Conv2d(6, 2, 1)), (1, 4, 9, 9)),
        (nn.Conv1d(4, 6, 3, groups=2), (2, 4, 20)),
        (nn.Sequential(nn.Conv3d(2, 4, 3), nn.Flatten()), (1, 2, 5, 6, 7)),
        (Bare(), (2, 3, 6, 6)),
    ],
)
def test_macs_are_half_the_flops_of_torch(
    model: nn.Module, shape: tuple[int, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = [torch.rand(shape)] if shape else [torch.rand(5, 1, 16)] * 3
    graph = observe_module(model, inputs).graph
    monkeypatch.setattr(torch.backends.mha, "_is_fastpath_enabled", False)  # one operation alone
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(*inputs)
    flops = counter.get_flop_counts()["Global"]
    products = ("scaled_dot_product", "bmm", "_efficient_attention", "_flash_attention")
    of_layers = sum(n for op, n in flops.items() if not any(p in str(op) for p in products))
    result = count(CONV_LINEAR, graph.ops)
    assert 2 * result.total == of_layers
    assert sum(op.params for op in graph.ops) == sum(p.numel() for p in model.parameters())


def test_an_input_of_indices() -> None:
    model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 2))
    run = observe_module(model, [torch.zeros(1, 6, dtype=torch.int64)])
    assert run.dtype == "float32"
    assert run.graph.output_shape == (1, 6, 2)
