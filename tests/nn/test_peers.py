"""The conventions against the tools themselves: `make peers`, with the extra `bench`."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from typing import Final

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mbv2cli import BlockSpec, InputSpec, MobileNetV2, NetworkSpec, plan_of
from mbv2cli.costs import conventions
from mbv2cli.costs.conventions import Convention, count
from mbv2cli.nn.modules import block_module
from tests.strategies import block_specs, input_specs, network_specs

pytestmark = [
    pytest.mark.peers,
    # the tools' own, on any model
    pytest.mark.filterwarnings("ignore"),
]


def flop_counter(model: nn.Module, dummy: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(dummy)
    return int(counter.get_total_flops())


def torchinfo(model: nn.Module, dummy: Tensor) -> int:
    import torchinfo as tool

    shown = tool.summary(model, tuple(dummy.shape), device="cpu", verbose=0)
    return int(shown.total_mult_adds)


def fvcore(model: nn.Module, dummy: Tensor) -> int:
    from fvcore.nn import FlopCountAnalysis

    return int(FlopCountAnalysis(model, dummy).unsupported_ops_warnings(enabled=False).total())


def thop(model: nn.Module, dummy: Tensor) -> int:
    import thop as tool

    return int(tool.profile(model, (dummy,), verbose=False)[0])


def ptflops(backend: str) -> Callable[[nn.Module, Tensor], int]:
    def counted(model: nn.Module, dummy: Tensor) -> int:
        import ptflops as tool

        macs, _params = tool.get_model_complexity_info(
            model,
            tuple(dummy.shape[1:]),
            as_strings=False,
            print_per_layer_stat=False,
            backend=backend,
            input_constructor=lambda _shape: {"x": dummy},
        )
        return int(macs)

    return counted


TOOLS: Final[Mapping[str, tuple[Convention, Callable[[nn.Module, Tensor], int]]]] = {
    "torch.utils.flop_counter": (conventions.FLOP_COUNTER, flop_counter),
    "torchinfo": (conventions.TORCHINFO, torchinfo),
    "fvcore": (conventions.FVCORE, fvcore),
    "thop": (conventions.THOP, thop),
    "ptflops": (conventions.PTFLOPS, ptflops("pytorch")),
    "ptflops aten": (conventions.PTFLOPS_ATEN, ptflops("aten")),
}


@pytest.mark.parametrize("tool", TOOLS)
@settings(max_examples=30)
@given(spec=st.one_of(block_specs(), network_specs()), input_=input_specs)
def test_the_tool_reports_its_convention(
    tool: str, spec: BlockSpec | NetworkSpec, input_: InputSpec
) -> None:
    convention, measure = TOOLS[tool]
    plan = plan_of(spec, input_)
    model = block_module(spec) if isinstance(spec, BlockSpec) else MobileNetV2(spec)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        measured = measure(model.eval(), torch.rand(plan.input_shape))
    assert count(convention, plan.graph.ops).total == measured
