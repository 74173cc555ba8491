from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, UserError
from mbv2cli.costs.figures import Counting, figure_named, graded_figures
from mbv2cli.costs.memory import MEMORY_RULES
from mbv2cli.gate.comparison import FieldChange, compare, first_difference
from mbv2cli.gate.lock import digest
from mbv2cli.inspection import ModelSpec, plan_of
from tests.strategies import block_specs, input_specs, network_specs


@given(network_specs(), network_specs(), input_specs)
def test_every_graded_figure_is_compared_and_the_peak_under_every_rule(
    before: NetworkSpec, after: NetworkSpec, input_: InputSpec
) -> None:
    plans = plan_of(before, input_), plan_of(after, input_)
    totals = {one.what: one for one in compare("a", plans[0], "b", plans[1]).totals}
    peaks = {f"peak ({rule.name})" for rule in MEMORY_RULES}
    assert totals.keys() == {figure.name for figure in graded_figures()} - {"peak"} | peaks
    for what, one in totals.items():
        name, _, rule = what.rstrip(")").partition(" (")
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
    found = first_difference(before, after)
    assert found is not None
    assert found.after is not None
    assert found.after.path == layer
    changed = {change.name for change in found.changes}
    assert changed >= fields
    assert changed <= fields | {"params", "trainable_params", "macs"}


def test_other_inputs_are_a_difference() -> None:
    """A shortcut that takes another value: no shape and no number differs."""
    before, after = (plan_of(BlockSpec(in_channels=8, out_channels=8)) for _ in range(2))
    *ops, add = after.graph.ops
    rewired = add._replace(inputs=(1, add.inputs[1]))
    after.__dict__["graph"] = replace(after.graph, ops=(*ops, rewired))
    found = first_difference(before, after)
    assert found is not None
    assert found.changes == (
        FieldChange("inputs", "input, BatchNorm2d conv.3", "Conv2d conv.0.0, BatchNorm2d conv.3"),
    )
    assert compare("a", before, "b", after).differs


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[ModelSpec, ModelSpec]:
    """Draw two specs that differ in one field at most."""
    kind: st.SearchStrategy[ModelSpec] = draw(st.sampled_from([block_specs(), network_specs()]))
    one, other = draw(kind), draw(kind)
    values, others = (spec.model_dump(by_alias=True) for spec in (one, other))
    key = draw(st.sampled_from(sorted(values)))
    try:
        return one, type(one).model_validate({**values, key: others[key]})
    except UserError:
        reject()


@given(neighbours(), input_specs)
def test_lock_drift_and_comparison_agree_on_whether_graphs_differ(
    specs: tuple[ModelSpec, ModelSpec], input_: InputSpec
) -> None:
    before, after = (plan_of(spec, input_) for spec in specs)
    differs = digest(before) != digest(after)
    assert differs is (before.graph.ops != after.graph.ops)
    assert differs is (first_difference(before, after) is not None)
    assert differs is compare("a", before, "b", after).differs
    assert differs is compare("b", after, "a", before).differs


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"width_mult": 1.0}, {"width_mult": 1.001}),
        ({"stages": "t1c16/t6c24n2"}, {"stages": "t1c16/t6c24/t6c24"}),
    ],
)
def test_specs_of_the_same_graph_have_no_layer_that_differs(
    one: dict[str, object], other: dict[str, object]
) -> None:
    before, after = (plan_of(NetworkSpec.model_validate(values)) for values in (one, other))
    assert digest(before) == digest(after)
    assert first_difference(before, after) is None
    assert not compare("a", before, "b", after).differs
