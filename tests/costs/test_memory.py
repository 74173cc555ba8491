from __future__ import annotations

import pytest
from hypothesis import given

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, UserError, plan_of
from mbv2cli.costs.figures import Counting, figure_named
from mbv2cli.costs.memory import (
    EAGER,
    INPLACE_DEPTHWISE,
    LAYERWISE,
    MEMORY_RULES,
    TRAINING,
    MemoryRule,
    dtype_named,
    rule_named,
)
from mbv2cli.costs.torchsummary_sizes import pass_size
from mbv2cli.graph.rows import Role, roles_of
from tests.reference_tables import rows
from tests.strategies import input_specs, network_specs


@pytest.mark.parametrize(
    ("rule", "peak", "culprit", "role"),
    [
        (LAYERWISE, 6_021_120, "features.2.conv.1.0", Role.DEPTHWISE),
        (INPLACE_DEPTHWISE, 5_619_712, "features.2.conv.0.0", Role.EXPANSION),
        (EAGER, 11_038_720, "features.2.conv.0.1", Role.NORM),
        (TRAINING, 78_345_984, "features.2.conv.0.1", Role.NORM),
    ],
)
def test_peaks_of_the_reference_network(
    rule: MemoryRule, peak: int, culprit: str, role: Role
) -> None:
    plan = plan_of(NetworkSpec())
    use = plan.memory(rule)
    assert use.peak_bytes("float32") == peak
    layer = plan.layer_of(use.culprit)
    assert (layer.path, layer.role) == (culprit, role)


def test_training_saves_74_65_mib_a_sample() -> None:
    two, one = (
        plan_of(NetworkSpec(), InputSpec(batch=batch)).memory(TRAINING).peak_bytes("float32")
        for batch in (2, 1)
    )
    statistics = 2 * 17_056 * 4
    assert two - one == one - statistics
    assert round(2 * (one - statistics) / 2**20 / 2, 1) == 74.6


@given(network_specs(), input_specs)
def test_the_rules_are_ordered(spec: NetworkSpec, input_: InputSpec) -> None:
    plan = plan_of(spec, input_)
    inplace, layerwise, eager = (
        plan.memory(rule).peak for rule in (INPLACE_DEPTHWISE, LAYERWISE, EAGER)
    )
    assert inplace <= layerwise <= eager


@given(network_specs(), input_specs)
def test_the_peak_is_a_step_of_the_timeline(spec: NetworkSpec, input_: InputSpec) -> None:
    plan = plan_of(spec, input_)
    for rule in MEMORY_RULES:
        use = plan.memory(rule)
        live = [elements for _op, elements in use.steps]
        assert use.peak == max(live)
        assert use.culprit in [op for op, _elements in use.steps]
        if rule.grows:
            assert live == sorted(live)
        else:
            assert (use.culprit, use.peak) in use.steps


def test_a_shortcut_keeps_the_input_of_a_depthwise_convolution() -> None:
    spec = BlockSpec(in_channels=8, out_channels=8, expand=1, kernel=3)
    uses = [plan_of(spec).memory(rule) for rule in (LAYERWISE, INPLACE_DEPTHWISE)]
    assert uses[0].peak == uses[1].peak == 3 * 8 * 224 * 224
    roles = roles_of(plan_of(spec).graph)
    assert [elements for op, elements in uses[1].steps if roles[op] is Role.DEPTHWISE] == [
        2 * 8 * 224 * 224
    ]


def test_weights_by_dtype() -> None:
    plan = plan_of(NetworkSpec())
    weight = figure_named("weight")
    assert [
        plan.figure(weight, Counting(dtype=dtype)) for dtype in ("float32", "bfloat16", "int8")
    ] == [14_019_488, 7_009_744, 3_504_872]


def test_what_torchsummary_counts_for_nothing() -> None:
    size = pass_size(plan_of(NetworkSpec()).graph)
    row = next(row for row in rows("network_totals") if "pass size" in row["quantity"])
    assert f"{size.total_mb:.2f}" == row["value"]
    assert f"which {size.blocks_again_mb:.2f} is" in row["source"]
    assert f"and {size.in_place_mb:.2f} the" in row["source"]


def test_unknown_names() -> None:
    with pytest.raises(UserError, match="did you mean 'eager'"):
        rule_named("eagr")
    with pytest.raises(UserError, match="did you mean 'int8'"):
        dtype_named("int4")
