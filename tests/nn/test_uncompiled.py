"""Compiled modules: observed as what they were compiled from, and left as they were."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mbv2cli.nn.own import observe_module
from tests.process import mbv2_here


def never(_graph: Any, _inputs: Any) -> Any:
    """Stand for a compiler: no test needs the seconds that a real one takes."""
    raise AssertionError("the module is compiled")


def plain() -> nn.Sequential:
    torch.manual_seed(1)
    inner = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.ReLU())
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True), inner)


def compiled() -> nn.Module:
    made: Any = torch.compile(plain(), backend=never)
    return made  # type: ignore[no-any-return]


def compiled_inside() -> nn.Module:
    model = plain()
    compiles: Any = torch.compile
    model[3] = compiles(model[3], backend=never)
    model[0].compile(backend=never)
    return model


def compiled_twice() -> nn.Module:
    made: Any = torch.compile(compiled_inside(), backend=never)
    return made  # type: ignore[no-any-return]


@pytest.mark.parametrize("make", [compiled, compiled_inside, compiled_twice])
def test_a_compiled_module_has_the_graph_of_the_module_itself(
    make: Callable[[], nn.Module],
) -> None:
    inputs = [torch.rand(1, 3, 8, 8)]
    before = observe_module(plain(), inputs)
    model = make()
    state, paths = list(model.state_dict()), dict(model.named_modules())
    calls = [one._compiled_call_impl for one in model.modules()]
    ran = observe_module(model, inputs)
    assert ran.graph == before.graph
    assert (before.was_compiled, ran.was_compiled) == (False, True)
    assert list(model.state_dict()) == state
    assert dict(model.named_modules()) == paths
    assert [one._compiled_call_impl for one in model.modules()] == calls


def test_the_summary_says_that_the_compiler_was_off(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("import torch\nnet = torch.compile(torch.nn.Linear(8, 8))\n")
    result = mbv2_here("summary", "net.py:net", "--input", "1x8", cwd=tmp_path)
    assert "one forward pass, cpu, float32, without torch.compile." in result.stdout


@pytest.mark.skipif(not hasattr(torch.compiler, "set_stance"), reason="PyTorch < 2.6")
def test_a_compiled_function_runs_uncompiled() -> None:
    class Calls(nn.Linear):
        def forward(self, x: Tensor) -> Any:
            return torch.compile(super().forward, backend=never)(x)

    graph = observe_module(Calls(2, 2), [torch.rand(1, 2)]).graph
    assert [op.function for op in graph.ops] == ["linear"]


def test_the_compiler_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch._dynamo.eval_frame", raising=False)
    monkeypatch.setitem(sys.modules, "torch._dynamo", None)  # an import raises
    assert observe_module(plain(), [torch.rand(1, 3, 8, 8)]).graph.ops
