from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, UserError
from mbv2cli.costs.figures import Counting, figure_named, graded_figures
from mbv2cli.costs.layers import By
from mbv2cli.costs.memory import MEMORY_RULES
from mbv2cli.gate.cases import Case, planned_result
from mbv2cli.gate.comparison import Comparison, Side, compare, group_pairs
from mbv2cli.gate.differences import FieldChange, LayerPair
from mbv2cli.gate.drift import Cause, drift
from mbv2cli.gate.limits import Expectations
from mbv2cli.gate.lock import lock_text, parse_lock
from mbv2cli.gate.locked import digest
from mbv2cli.inspection import ModelSpec, Plan, plan_of
from mbv2cli.specs import RunSpec
from mbv2cli.specs.base import keys
from mbv2cli.specs.reader import Request
from tests.strategies import block_specs, input_specs, network_specs


def compared(before: Plan, after: Plan) -> Comparison:
    return compare(Side("a", before), Side("b", after))


def differing(before: Plan, after: Plan) -> tuple[LayerPair, ...]:
    return compared(before, after).found.differing_layers


@given(network_specs(), network_specs(), input_specs)
def test_every_graded_figure_is_compared_and_the_peak_under_every_rule(
    before: NetworkSpec, after: NetworkSpec, input_: InputSpec
) -> None:
    plans = plan_of(before, input_), plan_of(after, input_)
    found = compared(*plans).found.figures
    totals = {one.what.removesuffix(" (at least)"): one for one in found}
    peaks = {f"peak ({rule.name}, float32)" for rule in MEMORY_RULES}
    assert totals.keys() == {figure.name for figure in graded_figures()} - {"peak"} | peaks
    for what, one in totals.items():
        name, _, rule = what.removesuffix(", float32)").partition(" (")
        counting = Counting(rule=rule or "layerwise", dtype="float32")
        figure = figure_named(name)
        assert (one.before, one.after) == tuple(plan.figure(figure, counting) for plan in plans)
        assert one.unit is figure.unit


@pytest.mark.parametrize(
    ("key", "value", "layer", "fields"),
    [
        ("dropout", 0.3, "classifier.0", {"p"}),
        ("act", "silu", "features.0.2", {"type", "function"}),
        ("act", "leaky_relu", "features.0.2", {"type", "function", "parameter"}),
        ("output_stride", 16, "features.14.conv.1.0", {"output_shape", "stride", "macs"}),
        ("classes", 10, "classifier.1", {"output_shape", "params", "trainable_params", "macs"}),
        ("stages", "t1c16/t6c24s2d2", "features.2.conv.1.0", {"padding", "dilation"}),
        ("stages", "t1c16/t6c24s2k5", "features.2.conv.1.0", {"padding", "kernel"}),
    ],
)
def test_the_first_difference_names_the_fields_of_the_layer(
    key: str, value: object, layer: str, fields: set[str]
) -> None:
    stages = {"stages": "t1c16/t6c24s2"} if key == "stages" else {}
    before = plan_of(NetworkSpec.model_validate(stages))
    after = plan_of(NetworkSpec.model_validate({key: value}))
    found = differing(before, after)[0]
    assert found.after is not None
    assert found.after.path == layer
    changed = {change.field for change in found.changes}
    assert changed >= fields
    assert changed <= fields | {"params", "trainable_params", "macs"}


def test_other_inputs_are_a_difference() -> None:
    """A shortcut that takes another value: no shape and no number differs."""
    before, after = (plan_of(BlockSpec(in_channels=8, out_channels=8)) for _ in range(2))
    *ops, add = after.graph.ops
    rewired = add._replace(inputs=(1, add.inputs[1]))
    after.__dict__["graph"] = replace(after.graph, ops=(*ops, rewired))
    (found,) = differing(before, after)
    assert found.changes == (
        FieldChange("inputs", "input, BatchNorm2d conv.3", "Conv2d conv.0.0, BatchNorm2d conv.3"),
    )
    assert compared(before, after).differs


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[ModelSpec, ModelSpec]:
    """Draw two specs that differ in one field at most."""
    kind: st.SearchStrategy[ModelSpec] = draw(st.sampled_from([block_specs(), network_specs()]))
    one, other = draw(kind), draw(kind)
    values, others = (spec.model_dump(by_alias=True) for spec in (one, other))
    key = draw(st.sampled_from(sorted(keys(type(one)))))
    changed = {**values, key: others[key]} if key in others else _without(values, key)
    try:
        return one, type(one).model_validate(changed)
    except UserError:
        reject()


def _without(values: dict[str, object], key: str) -> dict[str, object]:
    """Return the values without a key, which then has its default."""
    return {name: value for name, value in values.items() if name != key}


@given(neighbours(), input_specs)
def test_check_and_compare_agree_on_whether_models_differ(
    specs: tuple[ModelSpec, ModelSpec], input_: InputSpec
) -> None:
    one, other = (planned_result(case_of(spec, input_)) for spec in specs)
    (locked,) = parse_lock(lock_text([one]), "mbv2.lock").values()
    found = drift(locked, other, {})
    assert isinstance(one.model, Plan)
    assert isinstance(other.model, Plan)
    comparison = compared(one.model, other.model)
    assert comparison.differs is (found is not None)
    assert comparison.differs is compared(other.model, one.model).differs
    assert comparison.differs is (specs[0] != specs[1])
    if found is not None:
        assert not found.holds
        assert found.cause is Cause.CHANGED
        assert found.found.fields == comparison.found.fields
        assert found.found.layers == comparison.found.layers


def case_of(spec: ModelSpec, input_: InputSpec) -> Case:
    return Case("a", Request("a", spec, input_), RunSpec(), Expectations())


@given(neighbours(), input_specs)
def test_graphs_and_layers_differ_together(
    specs: tuple[ModelSpec, ModelSpec], input_: InputSpec
) -> None:
    before, after = (plan_of(spec, input_) for spec in specs)
    differs = digest(before) != digest(after)
    assert differs is (before.graph.ops != after.graph.ops)
    assert differs is bool(differing(before, after))
    assert differs is bool(differing(after, before))


@pytest.mark.parametrize(
    ("one", "other", "fields"),
    [
        ({"width_mult": 1.0}, {"width_mult": 1.001}, [("width_mult", 1.0, 1.001)]),
        ({}, {"expand": 6}, [("expand", None, 6)]),
        ({}, {"se_gate": "hardsigmoid"}, [("se_gate", "sigmoid", "hardsigmoid")]),
        (
            {"stages": "t1c16/t6c24n2"},
            {"stages": "t1c16/t6c24/t6c24"},
            [
                ("stages[1].n", 2, 1),
                (
                    "stages[2]",
                    None,
                    {"t": 6, "c": 24, "n": 1, "s": 1, "kernel": 3, "dilation": 1},
                ),
            ],
        ),
    ],
)
def test_specs_of_the_same_graph_differ_in_a_field_and_in_no_layer(
    one: dict[str, object], other: dict[str, object], fields: list[tuple[str, object, object]]
) -> None:
    before, after = (plan_of(NetworkSpec.model_validate(values)) for values in (one, other))
    assert digest(before) == digest(after)
    assert differing(before, after) == ()
    assert compared(before, after).differs
    assert list(compared(before, after).found.fields) == fields


def test_a_field_of_a_stage_is_named() -> None:
    before, after = (
        plan_of(NetworkSpec.model_validate({"stages": stages}))
        for stages in ("t1c16/t6c24s2", "t1c16/t6c24s2d2")
    )
    assert compared(before, after).found.fields == (FieldChange("stages[1].dilation", 1, 2),)


def test_every_field_of_input_and_counting_is_compared() -> None:
    one = Side("a", plan_of(NetworkSpec()))
    other = Side(
        "b",
        plan_of(NetworkSpec(), InputSpec.model_validate({"size": (96, 64), "batch": 2})),
        Counting(rule="eager", dtype="int8"),
    )
    assert compare(one, other).found.fields == (
        FieldChange("size", (224, 224), (96, 64)),
        FieldChange("batch", 1, 2),
        FieldChange("peak_rule", "layerwise", "eager"),
        FieldChange("dtype", "float32", "int8"),
    )
    assert all(change.is_of_measurement for change in compare(one, other).found.fields)


def test_a_block_and_a_network_differ_in_their_kind() -> None:
    fields = compared(plan_of(BlockSpec()), plan_of(NetworkSpec())).found.fields
    assert [change.field for change in fields] == ["kind", "expand", "act"]


def test_layers_of_the_same_path_are_one_pair() -> None:
    """An activation that is replaced is one pair, though no two layers have its path and type."""
    pairs = differing(plan_of(BlockSpec()), plan_of(BlockSpec.model_validate({"act": "silu"})))
    assert [pair.after and pair.after.path for pair in pairs] == ["conv.0.2", "conv.1.2"]
    assert all(pair.before is not None for pair in pairs)


@pytest.mark.parametrize("by", [By.BLOCK, By.STAGE])
def test_groups_have_every_layer_that_differs(by: By) -> None:
    before, after = plan_of(NetworkSpec()), plan_of(NetworkSpec.model_validate({"act": "silu"}))
    groups = group_pairs(compared(before, after), by)
    assert sum(group.differing for group in groups) == len(differing(before, after)) == 35
    assert [group.name for group in groups if group.differing == 1] == [*_WITH_ONE_ACTIVATION[by]]


_WITH_ONE_ACTIVATION = {
    By.BLOCK: ("features.0", "features.1", "features.18"),
    By.STAGE: ("stem", "s1", "head"),
}
