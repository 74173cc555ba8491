from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, plan_of
from mbv2cli.costs.conventions import MAC_CONVENTIONS, Convention, count, mac_convention
from mbv2cli.costs.layers import By, grouped, layer_figures, whole
from mbv2cli.costs.memory import EAGER, LAYERWISE, TRAINING
from tests.strategies import block_specs, input_specs, network_specs


@given(
    st.one_of(block_specs(), network_specs()),
    input_specs,
    st.sampled_from(By),
    st.sampled_from(MAC_CONVENTIONS),
)
def test_groups_add_up_to_the_totals(
    spec: BlockSpec | NetworkSpec, input_: InputSpec, by: By, convention: Convention
) -> None:
    plan = plan_of(spec, input_)
    figures = layer_figures(plan.graph, plan.layers, "float16", convention)
    groups, all_of_it = grouped(figures, by), whole(figures)
    assert sum(group.params for group in groups) == all_of_it.params == plan.totals.params
    assert sum(group.macs for group in groups) == count(convention, plan.graph.ops).total
    assert sum(group.layers for group in groups) == all_of_it.layers
    assert sum(group.moved_bytes for group in groups) == all_of_it.moved_bytes
    assert sum(group.macs_share for group in groups) == pytest.approx(1)
    assert sum(group.params_share for group in groups) == pytest.approx(1)
    for rule, peaks in (
        (LAYERWISE, [group.layerwise_bytes for group in groups]),
        (EAGER, [group.eager_bytes for group in groups]),
        (TRAINING, [group.training_bytes for group in groups]),
    ):
        assert max(peak or 0 for peak in peaks) == plan.memory(rule).peak_bytes("float16")


def test_pointwise_convolutions_are_nine_tenths_of_the_macs() -> None:
    plan = plan_of(NetworkSpec())
    kinds = grouped(layer_figures(plan.graph, plan.layers, "float32"), By.KIND)
    shares = {kind.name: round(kind.macs_share, 3) for kind in kinds if kind.macs}
    assert shares == {"stem": 0.036, "pointwise": 0.891, "depthwise": 0.069, "linear": 0.004}


def test_intensity_is_macs_a_byte() -> None:
    plan = plan_of(BlockSpec())
    first = layer_figures(plan.graph, plan.layers, "int8")[0]
    side = 224 * 224
    assert first.moved_bytes == 3 * side + 18 * side + 3 * 18
    assert first.intensity == 3 * 18 * side / first.moved_bytes


@given(network_specs(), input_specs, st.sampled_from(MAC_CONVENTIONS))
def test_layers_add_up_under_every_convention(
    spec: NetworkSpec, input_: InputSpec, convention: Convention
) -> None:
    plan = plan_of(spec, input_)
    macs = sum(one.macs for one in layer_figures(plan.graph, plan.layers, "float32", convention))
    assert macs == count(convention, plan.graph.ops).total


def test_a_convention_goes_by_its_key_and_its_name() -> None:
    assert [mac_convention(one.key) for one in MAC_CONVENTIONS] == list(MAC_CONVENTIONS)
    assert [mac_convention(one.name) for one in MAC_CONVENTIONS] == list(MAC_CONVENTIONS)
