from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings

from mbv2cli import plan_of
from mbv2cli.costs.bands import bands
from mbv2cli.costs.layers import layer_figures
from mbv2cli.costs.memory import LAYERWISE, MEMORY_RULES
from mbv2cli.costs.outline import Stretch, stretch_costs, stretches, total, wires
from mbv2cli.costs.roofline import left_of, points
from mbv2cli.graph.graph import Graph
from mbv2cli.inspection import ModelSpec
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from tests.strategies import block_specs, network_specs

SMALL = InputSpec(size=(32, 32))


def observed(spec: ModelSpec) -> Graph:
    """Return the graph of a plan as if it had been observed: without stages."""
    return replace(plan_of(spec, SMALL).graph, segments=())


def assert_covers(graph: Graph, parts: tuple[Stretch, ...]) -> None:
    """Assert that each operation is in one stretch, in order."""
    assert (parts[0].start, parts[-1].stop) == (0, len(graph.ops))
    assert all(before.stop == after.start for before, after in pairwise(parts))
    assert all(part.start < part.stop for part in parts)


@given(block_specs() | network_specs())
@settings(max_examples=20)
def test_each_operation_is_in_one_stretch_and_costs_add_up(spec: ModelSpec) -> None:
    plan = plan_of(spec, SMALL)
    for graph in (plan.graph, observed(spec)):
        assert_covers(graph, stretches(graph))
        figures = layer_figures(graph, plan.layers, "int8")
        costs = stretch_costs(graph, figures, LAYERWISE, "int8")
        every = total(costs)
        assert (every.params, every.macs) == (plan.totals.params, plan.totals.macs)
        assert every.moved_bytes == sum(one.moved_bytes for one in figures)
        assert every.alive_bytes == plan.memory(LAYERWISE).peak_bytes("int8")
        assert every.output_shape == plan.output_shape


@given(block_specs() | network_specs())
@settings(max_examples=20)
def test_the_storages_of_a_step_lie_on_each_other_without_a_gap(spec: ModelSpec) -> None:
    plan = plan_of(spec, SMALL)
    for rule in MEMORY_RULES:
        use = plan.memory(rule)
        spans: dict[int, list[tuple[int, int]]] = {}
        every = bands(use, plan.graph, "int8")
        for band in every:
            for step, bottom in enumerate(band.bottoms, start=band.step):
                spans.setdefault(step, []).append((bottom, bottom + band.bytes))
        for step, (_op, total_) in enumerate(use.steps):  # an element of int8 is a byte
            edges = sorted(spans.get(step, []))
            assert [low for low, _ in edges] + [total_] == [0] + [high for _, high in edges]
        of_peak = sum(band.bytes for band in every if band.is_of_peak)
        added = dict(use.steps)[use.culprit] - dict(use.steps).get(use.culprit - 1, 0)
        assert of_peak == (added if rule.grows else use.peak)


@given(block_specs() | network_specs())
@settings(max_examples=20)
def test_every_layer_with_macs_is_in_one_point(spec: ModelSpec) -> None:
    plan = plan_of(spec, SMALL)
    found = points(layer_figures(plan.graph, plan.layers, "float32"))
    layers = [layer for point in found for layer in point.layers]
    assert sorted(layer.op or 0 for layer in layers) == [one.op for one in plan.layers if one.macs]
    assert sum(point.all_macs for point in found) == plan.totals.macs
    middle = sorted(point.intensity for point in found)[len(found) // 2]
    left = left_of(middle, found)
    assert left.layers == sum(len(one.layers) for one in found if one.intensity < middle)
    assert left.macs <= plan.totals.macs


def test_the_stretches_of_a_planned_network_are_its_stages() -> None:
    parts = stretches(plan_of(NetworkSpec(), SMALL).graph)
    assert [(part.name, part.repeats) for part in parts] == [
        ("stem", 1),
        *((f"s{n}", repeats) for n, repeats in enumerate((1, 2, 3, 4, 3, 3, 1), start=1)),
        ("head", 1),
        ("classifier", 1),
    ]


def test_the_stretches_of_a_planned_block_are_its_convolutions_and_its_shortcut() -> None:
    parts = stretches(plan_of(BlockSpec(in_channels=8, out_channels=8), SMALL).graph)
    assert [part.name for part in parts] == ["expansion", "depthwise", "projection", "shortcut"]


def test_modules_in_a_row_that_are_alike_are_one_stretch() -> None:
    parts = stretches(observed(NetworkSpec()))
    repeated = {part.name: (part.last, part.repeats) for part in parts if part.repeats > 1}
    assert repeated == {
        "features.5": ("features.6", 2),
        "features.8": ("features.10", 3),
        "features.12": ("features.13", 2),
        "features.15": ("features.16", 2),
    }
    assert parts[0].types == ("Conv2d", "BatchNorm2d", "ReLU6")
    assert {part.frame for part in parts} == {"features", "", "classifier"}


def test_a_wire_leads_from_where_a_value_is_made_to_where_it_is_taken() -> None:
    graph = plan_of(BlockSpec(in_channels=8, out_channels=8), SMALL).graph
    ends = [(wire.source, wire.target) for wire in wires(graph, stretches(graph))]
    assert ends == [(None, 0), (0, 1), (1, 2), (None, 3), (2, 3), (3, None)]
