from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, plan_of
from mbv2cli.plan.figures import By, grouped, layer_figures
from mbv2cli.plan.geometry import geometries
from mbv2cli.plan.memory import MEMORY_RULES, memory_use
from mbv2cli.plan.parts import model_figures, stage_figures
from mbv2cli.plan.weights import flash_bytes
from tests.strategies import block_specs, input_specs, network_specs


@given(st.one_of(block_specs(), network_specs()), input_specs)
def test_the_figures_of_the_parts_are_those_of_the_layers(
    spec: BlockSpec | NetworkSpec, input_: InputSpec
) -> None:
    plan = plan_of(spec, input_)
    figures = model_figures(spec, plan.input_shape)
    assert figures.output_shape == plan.output_shape
    assert (figures.params, figures.macs) == (plan.totals.params, plan.totals.macs)
    assert figures.activations == plan.totals.activations
    assert figures.flash_bytes == flash_bytes(plan)
    assert figures.layers == sum(not layer.is_functional for layer in plan.layers)
    seen = [one.receptive_field for one in geometries(plan.layers) if one]
    assert figures.receptive_field == seen[-1]
    assert figures.peaks == {
        rule.name: memory_use(rule, plan).peak for rule in MEMORY_RULES if rule.of_layer
    }
    found = stage_figures(spec, plan.input_shape)
    stages = grouped(layer_figures(plan, "int8"), By.STAGE)
    assert [(one.name, one.params, one.macs, *one.peaks.values()) for one in found] == [
        (one.name, one.params, one.macs, one.layerwise_bytes, one.inplace_depthwise_bytes)
        for one in stages
    ]
    if isinstance(spec, NetworkSpec):
        rows = zip(plan.layers, geometries(plan.layers), strict=True)
        maps = {one.jump: layer.output_shape for layer, one in rows if one and layer.is_container}
        assert figures.feature_maps == maps
