from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, UserError, plan_of
from mbv2cli.costs.figures import PEAK, Counting
from mbv2cli.explanation import block_in, explain_block, explain_network
from mbv2cli.graph.ops import Shape
from tests.strategies import block_specs

shapes = st.tuples(st.integers(1, 3), st.integers(5, 40), st.integers(5, 40))


def pixels(shape: Shape) -> int:
    return shape[0] * shape[2] * shape[3]


@given(block_specs(), shapes)
def test_parts_and_costs_are_those_of_the_plan(
    spec: BlockSpec, shape: tuple[int, int, int]
) -> None:
    batch, *size = shape
    plan = plan_of(spec, InputSpec(size=tuple(size), batch=batch))
    found = explain_block(spec, plan.input_shape)
    assert sum(part.params for part in found.parts) == found.costs.params == plan.totals.params
    assert sum(part.macs for part in found.parts) == found.costs.macs == plan.totals.macs
    assert found.costs.output_shape == plan.output_shape
    peak = plan.figure(PEAK, Counting(rule="layerwise", dtype="float32"))
    assert max(part.layerwise_bytes for part in found.parts) == found.costs.layerwise_bytes == peak
    roles = [str(part.role) for part in found.parts]
    assert ("expansion" in roles) == (spec.has_expansion or spec.type == "fused")
    assert ("shortcut" in roles) == (spec.has_shortcut or spec.projects_shortcut)
    assert ("squeeze-excite" in roles) == spec.has_se
    assert ("depthwise" in roles) == (spec.type == "inverted")


@given(block_specs(), shapes)
def test_alternatives_cost_what_their_weights_say(
    spec: BlockSpec, shape: tuple[int, int, int]
) -> None:
    batch, *size = shape
    input_shape = (batch, spec.in_channels, *size)
    found = explain_block(spec, input_shape)
    before, after = pixels(input_shape), pixels(found.costs.output_shape)
    n, out, hidden, area = spec.in_channels, spec.out_channels, spec.hidden_channels, spec.kernel**2

    if found.dense is None or found.dense_middle is None:
        assert (found.dense is None) == (spec.type == "conv")
        assert (found.unfused is None) == (spec.type != "fused")
        return
    assert found.dense.costs.params == n * out * area + 2 * out
    assert found.dense.costs.macs == after * n * out * area

    expansion = n * hidden * spec.has_expansion
    middle, projection = hidden * hidden * area, hidden * out
    norms = 2 * hidden * (1 + spec.has_expansion) + 2 * out
    squeeze = 2 * hidden * spec.squeezed_channels
    biases = (hidden + spec.squeezed_channels) * spec.has_se
    side = n * out * spec.projects_shortcut
    norms += 2 * out * spec.projects_shortcut
    weights = expansion + middle + projection + squeeze + side
    assert found.dense_middle.costs.params == weights + norms + biases
    assert found.dense_middle.costs.macs == (
        before * expansion + after * (middle + projection + side) + batch * squeeze
    )

    narrow = max(1, out // 4)
    is_identity = spec.stride == 1 and n == out
    projected = 0 if is_identity else n * out
    weights = n * narrow + narrow * narrow * area + narrow * out + projected
    norms = 2 * (narrow + narrow + out) + 2 * out * (not is_identity)
    assert found.bottleneck.costs.params == weights + norms
    inner = narrow * narrow * area + narrow * out + projected
    assert found.bottleneck.costs.macs == before * n * narrow + after * inner

    for one in (found.dense, found.dense_middle, found.bottleneck):
        assert one.costs.output_shape == found.costs.output_shape


@given(block_specs())
def test_a_change_has_another_value_of_one_field(spec: BlockSpec) -> None:
    for change in explain_block(spec, (1, spec.in_channels, 20, 20)).changes:
        own, changed = spec.model_dump(), change.spec.model_dump()
        assert {key for key in own if own[key] != changed[key]} == {change.key}
        assert changed[change.key] == change.value
        assert change.costs.macs == plan_of(change.spec, InputSpec(size=(20, 20))).totals.macs


@pytest.mark.parametrize("spec", [NetworkSpec(), NetworkSpec(width_mult=0.35, classes=0)])
def test_a_network_s_blocks_and_stages_are_those_of_the_plan(spec: NetworkSpec) -> None:
    plan = plan_of(spec, InputSpec(size=(96, 96)))
    found = explain_network(spec, plan.input_shape)
    assert sum(stage.macs for stage in found.stages) == plan.totals.macs == found.costs.macs
    macs = 0
    for number, block in enumerate(spec.blocks, start=1):
        one, shape = block_in(spec, plan.input_shape, f"features.{number}")
        assert one == block
        macs += explain_block(one, shape).costs.macs
    assert macs == sum(one.macs for one in found.stages if re.fullmatch(r"s\d+", one.name))


@pytest.mark.parametrize("path", ["features.0", "features.18", "features.99"])
def test_a_path_without_a_block_is_refused(path: str) -> None:
    with pytest.raises(UserError, match=r"its blocks are features\.1 to features\.17"):
        block_in(NetworkSpec(), (1, 3, 224, 224), path)
