"""The arena of TFLM: what an interpreter reported, and what holds for every plan."""

from __future__ import annotations

import time
from collections import Counter
from itertools import combinations
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbv2cli.costs.arena import ALIGNMENT, Arena, arena_of, persistent_data
from mbv2cli.costs.int8_graph import Int8Graph, Int8Op, int8_graph
from mbv2cli.inspection import plan_of
from mbv2cli.specs.reader import read_request
from tests.reference_tables import rows

MEASURED: Final = rows("tflm_arena")
ONE_SIDED_AT_ODD_SIDES: Final = "network:width_mult=0.1,size=48,classes=10"
"""The measured network padded 3x3 by (0, 1), to 1x1: neither PyTorch's nor TensorFlow's way."""


def planned(target: str) -> Int8Graph:
    request = read_request(target)
    return int8_graph(plan_of(request.spec, request.input).graph)


def with_padding(row: dict[str, str]) -> str:
    target, padding = row["target"], row["padding"]
    return f"{target}{',' if ':' in target else ':'}padding={padding}"


def counts(graph: Int8Graph) -> str:
    found = Counter(op.name for op in graph.ops)
    return " ".join(f"{name}={found[name]}" for name in sorted(found))


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: f"{row['target']} {row['padding']}")
def test_the_arena_is_the_measured_one_to_the_byte(row: dict[str, str]) -> None:
    graph = planned(with_padding(row))
    assert arena_of(graph).size == int(row["tflm_head_bytes"])
    least, most = persistent_data(graph)
    assert least < int(row["tflm_tail_bytes"]) <= most < int(row["tflm_tail_bytes"]) + 4096
    if (row["target"], row["padding"]) != (ONE_SIDED_AT_ODD_SIDES, "same"):
        assert counts(graph) == row["ops"]


@st.composite
def int8_graphs(draw: st.DrawFn) -> Int8Graph:
    sizes = st.integers(1, 200)
    inputs = draw(st.lists(sizes, min_size=1, max_size=2))
    ops = [
        Int8Op(
            "ADD",
            index,
            tuple(draw(st.sets(st.integers(0, len(inputs) + index - 1), min_size=1, max_size=3))),
            draw(sizes),
            tuple(draw(st.lists(sizes, max_size=2))),
            is_inserted=draw(st.booleans()),
        )
        for index in range(draw(st.integers(1, 12)))
    ]
    return Int8Graph(tuple(inputs), tuple(ops), (len(inputs) + len(ops) - 1,))


@settings(max_examples=200)
@given(int8_graphs())
def test_buffers_that_are_needed_together_never_overlap(graph: Int8Graph) -> None:
    arena = arena_of(graph)
    for one, other in combinations(arena.placements, 2):
        together = one.buffer.first <= other.buffer.last and other.buffer.first <= one.buffer.last
        assert not together or one.end <= other.offset or other.end <= one.offset
    for placement in arena.placements:
        assert placement.offset % ALIGNMENT == placement.buffer.size % ALIGNMENT == 0
    assert arena.size >= arena.live_peak > 0
    assert arena.fragmentation == arena.size - max(arena.alive)


@settings(max_examples=200)
@given(int8_graphs())
def test_offsets_are_those_of_the_planner_of_tflm(graph: Int8Graph) -> None:
    arena = arena_of(graph)
    buffers = [one.buffer for one in arena.placements]
    found = tflm_offsets([(one.size, one.first, one.last) for one in buffers])
    assert [one.offset for one in arena.placements] == found


def tflm_offsets(  # noqa: C901  (as the C++ is)
    requirements: list[tuple[int, int, int]],
) -> list[int]:
    """Return what greedy_memory_planner.cc does, line by line, with its linked list."""
    count = len(requirements)
    sizes = [requirements[one][0] for one in reversed(range(count))]
    ids = list(reversed(range(count)))
    swapped = True
    while swapped:  # ReverseSortInPlace
        swapped = False
        for i in range(1, count):
            if sizes[i - 1] < sizes[i]:
                sizes[i - 1], sizes[i] = sizes[i], sizes[i - 1]
                ids[i - 1], ids[i] = ids[i], ids[i - 1]
                swapped = True
    offsets = [-1] * count
    offsets[ids[0]] = 0
    entries: list[Any] = [[0, ids[0], -1]]  # offset, requirement, next
    first = 0
    for wanted in ids[1:]:
        size, start, end = requirements[wanted]
        candidate, prior = 0, -1
        while True:
            following = first if prior == -1 else entries[prior][2]
            while following != -1:
                _, from_, until = requirements[entries[following][1]]
                if from_ <= end and start <= until:
                    break
                following = entries[following][2]
            if prior != -1:
                candidate = max(candidate, entries[prior][0] + requirements[entries[prior][1]][0])
            if following == -1 or entries[following][0] - candidate >= size:
                break
            prior = following
        offsets[wanted] = candidate
        new = len(entries)
        if entries[first][0] > candidate:
            entries.append([candidate, wanted, first])
            first = new
            continue
        current = first
        while entries[current][2] != -1 and entries[entries[current][2]][0] <= candidate:
            current = entries[current][2]
        entries.append([candidate, wanted, entries[current][2]])
        entries[current][2] = new
    return offsets


def test_the_planner_is_told_of_what_the_quantizer_inserts_after_the_other_tensors() -> None:
    arena = arena_of(planned("block:act=leaky_relu,expand=1"))
    names = [arena.graph.ops[one.buffer.op].name for one in arena.placements if one.buffer.op]
    assert names == ["LEAKY_RELU", "CONV_2D", "DEQUANTIZE", "QUANTIZE"]


def test_padding_costs_what_a_network_without_pads_saves() -> None:
    arena = arena_of(planned("network"))
    assert arena.pad_cost == 2_451_840 - 1_505_280
    assert [arena.cost_of_pad(pad) for pad in arena.graph.pads] == [0, 946_560, 0, 0, 0]


def test_an_operation_without_a_rule_is_named() -> None:
    assert planned("network:act=gelu").unknown == ("gelu",)
    assert planned("network:act=silu").unknown == ()


def test_a_plan_of_the_arena_takes_at_most_5_ms() -> None:
    request = read_request("network")
    graph = plan_of(request.spec, request.input).graph

    def seconds() -> float:
        start = time.perf_counter()
        arena: Arena = arena_of(int8_graph(graph))
        assert arena.size
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) <= 0.005
