"""The int8 graph of small modules: what LiteRT made of them, operation by operation."""

from __future__ import annotations

from typing import Final

import pytest
import torch

from mbv2cli.costs.arena import arena_of
from mbv2cli.costs.int8_graph import Int8Graph, int8_graph
from mbv2cli.nn.observe import Observer
from tests.costs.int8_modules import EXAMPLES
from tests.reference_tables import rows

MEASURED: Final = {row["module"]: row for row in rows("int8_graph")}

UNKNOWN: Final = {
    "ELU after BatchNorm": "elu",
    "GELU after BatchNorm": "gelu",
    "Mish after BatchNorm": "mish",
    "PReLU after BatchNorm": "prelu",
    "Softplus after BatchNorm": "softplus",
    "transposed convolution": "conv_transpose2d",
    "add of a number": "add",
    "pool of the input": "adaptive_avg_pool2d",
    "pool to 2x2": "adaptive_avg_pool2d",
    "average with a padding": "avg_pool2d",
    "linear on a map": "flatten",
    "Upsample": "interpolate",
    "Hardsigmoid, linear": "hardsigmoid",
    "pad of what two need": "pad",
    "SAME pad of what two need": "pad",
    "pad for two": "pad",
    "cat of what two need": "cat",
    "cat of cat": "cat",
    "cat of a maximum": "cat",
    "cat of averages": "cat",
    "cat of a gate": "cat",
    "cat of the input": "cat",
    "cat of LeakyReLU": "cat",
    "cat of pads": "cat",
    "flatten, ReLU last": "flatten",
    "flatten of a column": "flatten",
    "pool, flatten, ReLU last": "flatten",
    "pool, flatten for a linear layer and the result": "flatten",
    "unflatten of one channel, mul": "flatten",
    "linear from one feature to one after linear": "linear",
}
"""The modules of which a function has no rule."""


def lowered(name: str) -> Int8Graph:
    module, dummy = EXAMPLES[name].module().eval(), torch.zeros(EXAMPLES[name].input_shape)
    observer = Observer(module, [dummy])
    with torch.no_grad(), observer.watching():
        module(dummy)
    return int8_graph(observer.graph())


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_operations_are_those_of_the_file_and_the_arena_is_that_of_tflm(name: str) -> None:
    graph, row = lowered(name), MEASURED[name]
    assert graph.unknown == ((UNKNOWN[name],) if name in UNKNOWN else ())
    if not graph.unknown:
        assert " ".join(f"{op.name}:{op.size}" for op in graph.ops) == row["ops"]
        assert arena_of(graph).size == int(row["tflm_head_bytes"])


def test_nothing_is_known_of_what_tflm_refuses() -> None:
    refused = {name for name, row in MEASURED.items() if not row["tflm_head_bytes"]}
    assert refused
    assert refused <= UNKNOWN.keys() <= MEASURED.keys() == EXAMPLES.keys()
