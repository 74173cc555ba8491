"""The arena against TFLM itself: `make arena`, in an environment of its own.

``ARENA_MODELS`` is the number of random models, and ``ARENA_SEED`` their seed.
"""

from __future__ import annotations

import os
from typing import Final

import pytest
import torch
from hypothesis import Phase, assume, given, seed, settings
from hypothesis import strategies as st
from torch import nn

from mbv2cli import MobileNetV2
from mbv2cli.costs.arena import arena_of, persistent_data
from mbv2cli.costs.int8_graph import Int8Graph, int8_graph
from mbv2cli.inspection import Plan, plan_of
from mbv2cli.nn.modules import block_module
from mbv2cli.nn.observe import Observer
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from tests.costs.int8_modules import EXAMPLES
from tests.costs.live_arena import live_arena
from tests.strategies import block_specs, network_specs

pytestmark = [
    pytest.mark.arena,
    pytest.mark.filterwarnings("ignore"),  # those of the tools
]

MODELS: Final = int(os.environ.get("ARENA_MODELS", "4"))
SEED: Final = os.environ.get("ARENA_SEED", "0")
DRAWS: Final = 10
"""Hypothesis starts with simple models: of so many, the last is taken."""

_sides = st.one_of(st.integers(1, 112), st.integers(48, 112))
_inputs = st.builds(InputSpec, size=st.tuples(_sides, _sides), batch=st.sampled_from([1, 1, 1, 2]))
_models = st.tuples(st.one_of(network_specs(), network_specs(), block_specs()), _inputs)


def random_plan(number: int) -> Plan:
    """Return a random model that TFLM can run: every field is drawn (`tests.test_strategies`)."""
    drawn: list[Plan] = []

    @seed(f"{SEED} {number}")
    @settings(max_examples=DRAWS, database=None, phases=[Phase.generate])
    @given(_models)
    def draw(model: tuple[BlockSpec | NetworkSpec, InputSpec]) -> None:
        plan = plan_of(*model)
        assume(not int8_graph(plan.graph).unknown)
        drawn.append(plan)

    draw()
    return drawn[-1]


@pytest.mark.parametrize("number", range(MODELS))
def test_the_arena_of_a_random_model_is_the_live_one(number: int) -> None:
    plan = random_plan(number)
    spec = plan.spec
    module = MobileNetV2(spec) if isinstance(spec, NetworkSpec) else block_module(spec)
    agrees(int8_graph(plan.graph), module, plan.input_shape)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_operations_of_a_small_module_are_the_live_ones(name: str) -> None:
    module, shape = EXAMPLES[name].module().eval(), EXAMPLES[name].input_shape
    dummy = torch.zeros(shape)
    observer = Observer(module, [dummy])
    with torch.no_grad(), observer.watching():
        module(dummy)
    agrees(int8_graph(observer.graph()), module, shape)


def agrees(graph: Int8Graph, module: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Assert that LiteRT makes the same operations, and TFLM the same arena and no more data."""
    torch.manual_seed(0)
    if "gelu" in graph.unknown:
        with pytest.raises(RuntimeError, match="TFLM failed to allocate"):
            live_arena(module, input_shape)
        return
    if graph.unknown:
        pytest.skip(f"no rule for {', '.join(graph.unknown)}")
    live = live_arena(module, input_shape)
    assert [op.name for op in graph.ops] == [op.name for op in live.ops]
    assert [op.size for op in graph.ops] == [op.outputs[0].size for op in live.ops]
    arena = arena_of(graph)
    written = [one.buffer.op for one in arena.placements if not one.buffer.is_scratch]
    numbers = [live.ops[op].outputs[0].number for op in written if op is not None]
    assert numbers == sorted(numbers)  # the planner is told of buffers in the order of the file
    assert arena.size == live.head_bytes
    least, most = persistent_data(graph)
    assert least < live.tail_bytes <= most
