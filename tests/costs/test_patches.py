"""Patch-based inference: the published figures, and spans against the receptive field."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbv2cli.costs.patches import GRIDS, best_plan, blocks, patch_plan, peaks
from mbv2cli.costs.receptive_field import geometries
from mbv2cli.errors import UserError
from mbv2cli.graph.graph import Graph
from mbv2cli.inspection import plan_of
from mbv2cli.specs import InputSpec, NetworkSpec
from mbv2cli.specs.reader import read_request

PAPER = plan_of(NetworkSpec())


def graph_of(target: str) -> Graph:
    request = read_request(target)
    return plan_of(request.spec, request.input).graph


def test_mcunetv2_prints_172_kb_with_patches_and_1372_kb_without() -> None:
    plan = patch_plan(PAPER.graph, (4, 4), "features.4")
    assert plan.input_sides == (75, 75)
    assert plan.peak == (162_288, 175_616)  # the larger is 171.5 KiB
    result, widened = 32 * 28**2, (16 + 96) * 35**2  # features.4 put together; in features.2
    assert plan.peak.patched == result + widened
    assert plan.peak_with_shortcuts.elements == 200_704
    assert plan.extra_macs == 27_919_344
    assert peaks(PAPER.graph).own == 1_372 * 1024


def test_the_best_plan_of_the_paper_s_network_is_that_of_mcunetv2() -> None:
    plan = best_plan(PAPER.graph, GRIDS, blocks(PAPER.graph)[:8])
    assert (plan.grid, plan.until) == ((4, 4), "features.4")


@pytest.mark.parametrize("until", blocks(PAPER.graph)[:8])
@pytest.mark.parametrize("padding", ["torch", "same"])
def test_the_patch_in_the_middle_is_what_its_elements_see(until: str, padding: str) -> None:
    graph = graph_of(f"network:size=896,padding={padding}")
    stop = next(one.stop for one in graph.segments if one.path == until)
    geometry = geometries(graph)[stop - 1]
    assert geometry
    side = graph.ops[stop - 1].output_shape[2] // 8
    seen = (side - 1) * geometry.jump[0] + geometry.receptive_field[0]
    assert patch_plan(graph, (8, 8), until).input_sides == (seen, seen)


@settings(max_examples=20)
@given(st.sampled_from(blocks(PAPER.graph)[:10]), st.integers(33, 130), st.integers(33, 130))
def test_one_patch_is_the_whole_and_more_patches_only_add_macs(
    until: str, height: int, width: int
) -> None:
    graph = plan_of(NetworkSpec(width_mult=0.35), InputSpec(size=(height, width))).graph
    one = patch_plan(graph, (1, 1), until)
    assert (one.extra_macs, one.input_sides) == (0, (height, width))
    two, three = (patch_plan(graph, (count, 1), until) for count in (2, 3))
    assert 0 <= two.extra_macs <= three.extra_macs
    assert max(two.peak.patched, three.peak.patched) <= one.peak.patched
    assert one.peak.rest == two.peak.rest == three.peak.rest


@pytest.mark.parametrize(
    ("target", "grid", "until", "message"),
    [
        ("network", (4, 4), "features.99", "there is no block 'features.99'"),
        ("network", (4, 4), "classifier", "there is no block 'classifier'"),
        ("network", (8, 8), "features.17", "too many"),
        ("network:se=0.25", (4, 4), "features.3", "needs the whole feature map"),
    ],
)
def test_what_cannot_run_in_patches(
    target: str, grid: tuple[int, int], until: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        patch_plan(graph_of(target), grid, until)
