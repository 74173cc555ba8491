"""The arena against TFLM itself: `make arena`, in an environment of its own.

``ARENA_MODELS`` is the number of random models, and ``ARENA_SEED`` their seed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import pytest
import torch
from torch import nn

from mbv2cli import MobileNetV2, UserError
from mbv2cli.costs.arena import arena_of
from mbv2cli.costs.int8_graph import Int8Graph, int8_graph
from mbv2cli.inspection import plan_of
from mbv2cli.nn.modules import block_module
from mbv2cli.nn.observe import Observer
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from tests.costs.int8_modules import EXAMPLES
from tests.costs.live_arena import live_arena

pytestmark = [
    pytest.mark.arena,
    pytest.mark.filterwarnings("ignore"),  # those of the tools
]

MODELS: Final = int(os.environ.get("ARENA_MODELS", "4"))
SEED: Final = os.environ.get("ARENA_SEED", "0")
ACTS: Final = ("relu", "relu6", "relu6", "hardswish", "silu", "leaky_relu", "identity", "gelu")


def first_valid(make: Callable[[], BlockSpec | NetworkSpec]) -> BlockSpec | NetworkSpec:
    while True:
        with suppress(UserError):  # such as classifier_hidden without classes
            return make()


def random_block(draw: random.Random) -> BlockSpec:
    channels = draw.randint(1, 24)
    return BlockSpec.model_validate(
        {
            "in": channels,
            "out": channels if draw.random() < 1 / 2 else draw.randint(1, 24),
            "expand": draw.choice([1, 2, 3, 6, round(draw.uniform(0.7, 8), 2)]),
            **window(draw),
            **kind(draw),
            **shared(draw),
        }
    )


def window(draw: random.Random) -> dict[str, Any]:
    return {
        "kernel": draw.choice([1, 3, 3, 3, 5, 7]),
        "stride": draw.choice([1, 1, 2, 2, 3]),
        "dilation": draw.choice([1, 1, 1, 2]),
    }


def kind(draw: random.Random) -> dict[str, Any]:
    return {
        "type": draw.choice(["inverted", "inverted", "inverted", "fused"]),
        "se": draw.choice([0, 0, 0.25, 0.5]),
        "shortcut": draw.choice(["identity", "identity", "projection", "none"]),
        "act": draw.choice(ACTS),
    }


def shared(draw: random.Random) -> dict[str, Any]:
    return {
        "padding": draw.choice(["torch", "same"]),
        "se_gate": draw.choice(["sigmoid", "hardsigmoid"]),
        "se_of": draw.choice(["in", "hidden"]),
        "se_act": draw.choice(["relu", "silu", None]),
    }


def random_network(draw: random.Random) -> NetworkSpec:
    settings: dict[str, Any] = {}
    if draw.random() < 1 / 2:
        settings["stages"] = [random_stage(draw) for _ in range(draw.randint(1, 5))]
    else:
        settings["output_stride"] = draw.choice([8, 16, 32, 32])
        settings["expand"] = draw.choice([None, 2, 3, 4])
    return NetworkSpec.model_validate(
        {
            "in_channels": draw.choice([1, 2, 3]),
            "width_mult": draw.choice([0.1, 0.2, 0.35, 0.5]),
            "round_nearest": draw.choice([1, 4, 8]),
            "classes": draw.choice([0, 2, 10]),
            "classifier_hidden": draw.choice([0, 0, 24]),
            "head": draw.choice([0, 64, 320]),
            "act": draw.choice(ACTS),
            **shared(draw),
            **settings,
        }
    )


def random_stage(draw: random.Random) -> dict[str, Any]:
    shape = window(draw)
    return {
        "t": draw.choice([1, 2, 3, 6]),
        "c": draw.randint(4, 64),
        "n": draw.randint(1, 3),
        "s": shape["stride"],
        "kernel": shape["kernel"],
        "dilation": shape["dilation"],
        **kind(draw),
    }


@pytest.mark.parametrize("number", range(MODELS))
def test_the_arena_of_a_random_model_is_the_live_one(number: int) -> None:
    draw = random.Random(f"{SEED} {number}")  # noqa: S311  (no secret)
    spec = first_valid(lambda: random_network(draw) if number % 3 else random_block(draw))
    size = draw.randint(16, 112), draw.randint(16, 112)
    plan = plan_of(spec, InputSpec(size=size))
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
    """Assert that LiteRT makes the same operations, and TFLM the same arena."""
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
