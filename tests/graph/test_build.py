from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, Plan, plan_of
from mbv2cli.graph import ops
from mbv2cli.graph.rows import Role
from tests.reference_tables import rows
from tests.strategies import input_specs, network_specs


def network(width_mult: str, resolution: str) -> Plan:
    side = int(resolution)
    return plan_of(NetworkSpec(width_mult=float(width_mult)), InputSpec(size=(side, side)))


@pytest.mark.parametrize(
    "row", rows("tfslim"), ids=lambda row: f"{row['width_mult']}@{row['resolution']}"
)
def test_published_macs_and_params_of_tf_slim(row: dict[str, str]) -> None:
    plan = network(row["width_mult"], row["resolution"])
    without_norm = sum(layer.params for layer in plan.layers if layer.role is not Role.NORM)
    assert plan.totals.macs // 10**6 == int(row["macs_M_truncated"])
    assert round(without_norm / 10**6, 2) == float(row["params_M_without_batchnorm"])


def test_the_reference_block() -> None:
    plan = plan_of(BlockSpec())
    assert plan.output_shape == (1, 64, 224, 224)
    assert plan.totals.params == 1568
    assert [layer.role for layer in plan.layers if layer.macs] == [
        Role.EXPANSION,
        Role.DEPTHWISE,
        Role.PROJECTION,
    ]


@pytest.mark.parametrize(
    ("type_", "roles"),
    [
        ("inverted", [Role.EXPANSION, Role.DEPTHWISE, Role.PROJECTION]),
        ("fused", [Role.EXPANSION, Role.PROJECTION]),
        ("conv", [Role.CONVOLUTION]),
    ],
)
def test_a_convolution_on_the_shortcut_is_told_apart(type_: str, roles: list[Role]) -> None:
    spec = {"in": 16, "out": 24, "type": type_, "shortcut": "projection"}
    layers = plan_of(BlockSpec.model_validate(spec)).layers
    assert [layer.role for layer in layers if layer.macs] == [*roles, Role.SHORTCUT]


@given(
    side=st.integers(1, 5000),
    kernel=st.integers(0, 30).map(lambda half: 2 * half + 1),
    stride=st.integers(1, 64),
    dilation=st.integers(1, 100),
)
def test_same_geometry(side: int, kernel: int, stride: int, dilation: int) -> None:
    padding = ops.same_padding(kernel, dilation)
    assert ops.conv_side(side, kernel, stride, padding, dilation) == math.ceil(side / stride)


@given(network_specs(), input_specs)
def test_each_layer_takes_what_the_one_before_put_out(spec: NetworkSpec, input_: InputSpec) -> None:
    assume(not any(block.has_se or block.projects_shortcut for block in spec.blocks))  # branches
    shape = None
    for layer in plan_of(spec, input_).layers:
        if layer.is_container:
            assert layer.output_shape == shape
        elif shape is not None:
            assert layer.input_shape == shape
        shape = layer.output_shape


@given(network_specs(), input_specs)
def test_without_a_head_the_rest_of_the_network_stays(spec: NetworkSpec, input_: InputSpec) -> None:
    """The layers up to the last block are equal; the classifier takes the channels of the block."""
    assume(spec.until is None)
    values = spec.model_dump(by_alias=True)
    with_head, without = (
        plan_of(NetworkSpec.model_validate({**values, "head": head}), input_) for head in (64, 0)
    )
    last_block = spec.blocks[-1]
    kept = [one for one in with_head.layers if one.stage not in ("head", "classifier")]
    assert [one for one in without.layers if one.stage != "classifier"] == kept
    linear = [one for one in without.layers if one.role is Role.CLASSIFIER]
    assert [one.params for one in linear] == (
        [
            ops.linear_params(before, features, int(bias))
            for before, features, bias in _linear_layers(spec, last_block.out_channels)
        ]
    )


def _linear_layers(spec: NetworkSpec, channels: int) -> Iterator[tuple[int, int, bool]]:
    """Yield the inputs, the outputs and the bias of each linear layer."""
    hidden = spec.classifier_hidden
    if spec.classes and hidden:
        yield channels, hidden, spec.classifier_hidden_bias
    if spec.classes:
        yield hidden or channels, spec.classes, spec.classifier_bias


@given(network_specs(), input_specs, st.integers(2, 5))
def test_macs_grow_with_the_batch_and_params_do_not(
    spec: NetworkSpec, input_: InputSpec, factor: int
) -> None:
    one = plan_of(spec, input_).totals
    many = plan_of(spec, InputSpec(size=input_.size, batch=input_.batch * factor)).totals
    assert many.macs == factor * one.macs
    assert many.params == one.params


def test_functional_operations_are_rows_without_a_name() -> None:
    functional = [layer.type for layer in plan_of(NetworkSpec()).layers if layer.is_functional]
    assert functional == ["add"] * 10 + ["adaptive_avg_pool2d", "flatten"]


@given(network_specs(), input_specs)
def test_values_are_numbered_in_order(spec: NetworkSpec, input_: InputSpec) -> None:
    graph = plan_of(spec, input_).graph
    for index, op in enumerate(graph.ops):
        assert all(0 <= value < graph.value_of(index) for value in op.inputs)
        assert op.input_shapes == tuple(graph.shapes[value] for value in op.inputs)
    assert [(one.start, one.stop) for one in graph.segments] == list(
        itertools.pairwise([0, *(one.stop for one in graph.segments)])
    )
    assert graph.segments[-1].stop == len(graph.ops)
