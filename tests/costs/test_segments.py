from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, plan_of
from mbv2cli.costs.conventions import MAC_CONVENTIONS, Convention
from mbv2cli.costs.figures import FIGURES, PEAK, Counting, figure_named
from mbv2cli.costs.layers import By, grouped, layer_figures
from mbv2cli.costs.memory import EAGER, MEMORY_RULES
from mbv2cli.costs.receptive_field import geometries
from mbv2cli.graph.graph import GraphInModel
from mbv2cli.graph.segments import segments_of
from tests.strategies import block_specs, input_specs, network_specs

specs = st.one_of(block_specs(), network_specs())


@given(specs, input_specs, st.sampled_from(MAC_CONVENTIONS), st.sampled_from(["int8", "float16"]))
def test_the_figures_of_the_segments_are_those_of_the_graph(
    spec: BlockSpec | NetworkSpec, input_: InputSpec, convention: Convention, dtype: str
) -> None:
    plan = plan_of(spec, input_)
    for rule in MEMORY_RULES:
        counting = Counting(convention.key, rule.name, dtype)
        for figure in FIGURES:
            whole = figure.value(GraphInModel(plan.graph), counting)
            assert (figure.name, plan.figure(figure, counting)) == (figure.name, whole)
        peak = plan.memory(rule).peak_bytes(dtype)
        assert plan.figure(PEAK, counting) == peak
        assert plan.figure(figure_named(rule.name.replace("-", "_")), counting) == peak


def test_the_caller_keeps_the_input_while_the_classifier_runs() -> None:
    plan = plan_of(NetworkSpec(classes=100_000), InputSpec(size=(32, 32)))
    assert plan.figure(PEAK, Counting(rule="eager", dtype="int8")) == 3 * 32**2 + 1_280 + 100_000
    assert plan.memory(EAGER).peak_bytes("int8") == 104_352


def test_strides_of_either_side_make_one_receptive_field() -> None:
    stages = "t1c8s2x3k1/t1c8n2s2x1"
    plan = plan_of(NetworkSpec.model_validate({"stages": stages}), InputSpec())
    field = figure_named("receptive_field")
    assert plan.figure(field) == field.value(GraphInModel(plan.graph), Counting()) == 27


@given(specs, input_specs)
def test_shapes_and_stages_are_those_of_the_graph(
    spec: BlockSpec | NetworkSpec, input_: InputSpec
) -> None:
    plan = plan_of(spec, input_)
    assert plan.output_shape == plan.graph.output_shape
    stages: dict[str, list[int]] = {}
    for one in plan.segments:
        sums = stages.setdefault(one.stage, [0, 0])
        sums[0] += one.amount(figure_named("params"), Counting())
        sums[1] += one.amount(figure_named("macs"), Counting())
    groups = grouped(layer_figures(plan.graph, plan.layers, "int8"), By.STAGE)
    assert [(name, *sums) for name, sums in stages.items()] == [
        (one.name, one.params, one.macs) for one in groups
    ]
    if isinstance(spec, NetworkSpec):
        seen = geometries(plan.graph)
        is_block = [isinstance(placed.spec, BlockSpec) for placed in segments_of(spec)]
        maps = {
            found.jump[0]: plan.graph.ops[block.stop - 1].output_shape
            for block, is_it in zip(plan.graph.segments, is_block, strict=True)
            if is_it and (found := seen[block.stop - 1])
        }
        assert plan.feature_maps == maps
