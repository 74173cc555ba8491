"""Operations as text and back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from torch import Tensor, nn

from mbv2cli import InputSpec
from mbv2cli.graph.graph import Graph
from mbv2cli.graph.record import graph_of, op_lines, ops_of, record_of
from mbv2cli.inspection import ModelSpec, plan_of
from mbv2cli.nn.own import observe_module
from tests.strategies import block_specs, input_specs, network_specs


class Odd(nn.Module):
    """Uses every kind of operation, and a name that holds a space and a quote."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 4, 2)
        self.add_module('a "b"', nn.Conv2d(4, 4, 3, padding="same", padding_mode="zeros"))
        self.tail = nn.Sequential(
            nn.GELU("tanh"), nn.LeakyReLU(0.2), nn.MaxPool2d(2), nn.Identity()
        )
        self.scale = nn.Parameter(torch.ones(4, 1, 1), requires_grad=False)
        self.pool = nn.AdaptiveAvgPool2d((1, None))

    def forward(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        x = self.get_submodule('a "b"')(self.up(x)) * self.scale
        x = self.pool(nn.functional.pad(self.tail(x), (1, 0)))
        x = torch.cat([x, x * 2.5 + 1, x - float("inf")], 1)
        return {"x": x.flatten(1) @ torch.ones(x[0].numel(), 2), "y": nn.Dropout(0.25)(y)}


def observed() -> Graph:
    return observe_module(Odd(), [torch.rand(1, 3, 8, 8), torch.rand(1, 2)]).graph


def test_an_observed_graph_is_the_same_after_the_text() -> None:
    graph = observed()
    assert {op.kind.value for op in graph.ops} >= {"conv", "act", "pool", "mul", "cat", "pad"}
    assert graph_of(json.loads(json.dumps(record_of(graph)))) == graph
    lines = list(op_lines(graph))
    assert ops_of(lines, graph.input_shapes) == graph.ops
    assert all("\n" not in line for line in lines)


@given(block_specs() | network_specs(), input_specs)
def test_a_planned_graph_is_the_same_after_the_text(spec: ModelSpec, input_: InputSpec) -> None:
    graph = plan_of(spec, input_).graph
    assert graph_of(record_of(graph)) == replace(graph, segments=())


@pytest.mark.parametrize(
    ("part", "value"),
    [
        *(("ops", value) for value in (3, ["a"], ["- - conv x"], ["- - conv x out=3"], [4])),
        ("ops", ["- - act relu out=[1] from=[4]"]),
        ("ops", ["- - act relu out=[1] params=-1"]),
        ("ops", ["- - act relu out=[1] attributes=3"]),
        ("ops", ["- - act relu out=[1] inplace=" + "[" * 100_000]),
        ("input_shapes", [["x"]]),
        ("outputs", [-1]),
        ("outputs", [1_000]),
        ("scopes", [["a", "b"]]),
        ("scopes", [["a", "b", [99], [0], 0, 0, True]]),
        ("measured", [[0, 0]]),
        ("measured", 3),
        ("unused", 3),
    ],
)
def test_other_text_is_a_value_error(part: str, value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (any message: no user sees it)
        graph_of({**record_of(observed()), part: value})
