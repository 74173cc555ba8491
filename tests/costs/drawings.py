"""The drawings of the guide ``memory``, one for each rule, from what the code plans.

``python -m tests.costs.drawings`` writes them into the guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import mbv2cli
from mbv2cli.costs.arena import arena_of
from mbv2cli.costs.int8_graph import int8_graph
from mbv2cli.costs.memory import MEMORY_RULES, MemoryRule, timeline
from mbv2cli.costs.patches import patch_plan
from mbv2cli.costs.receptive_field import geometries
from mbv2cli.graph.graph import Graph, GraphInModel
from mbv2cli.graph.rows import Role, roles_of
from mbv2cli.inspection import plan_of
from mbv2cli.specs.reader import read_request

GUIDE: Final = Path(mbv2cli.__file__).parent / "guides" / "memory.md"
DRAWING: Final = re.compile(r"```ascii\n([\w-]+):(.*?)```\n", re.DOTALL)
"""A fenced block whose first word is the name of a rule."""

BLOCK: Final = "block:in=16,out=16,expand=2,size=4"
STRIDED: Final = "block:in=16,out=16,expand=2,size=8,stride=2"
GRID: Final = (4, 4)
UNTIL: Final = "features.4"
_ROW_BYTES: Final = 512
_PIXELS: Final = 4


def drawings() -> Mapping[str, str]:
    """Return the drawing of each rule, by the name of the rule."""
    tables = {rule.name: "\n".join(_table(rule)) for rule in MEMORY_RULES}
    return {**tables, "tflm": "\n".join(_arena()), "patch": "\n".join(_patches())}


def graph_of(target: str) -> Graph:
    request = read_request(target)
    return plan_of(request.spec, request.input).graph


def _table(rule: MemoryRule) -> Iterator[str]:
    """Yield a row for each tensor, with a mark below each operation that it is needed for."""
    graph = graph_of(BLOCK)
    steps = timeline(rule, GraphInModel(graph))
    yield f"{'bytes saved' if rule.grows else 'bytes'} in int8, {BLOCK}"
    yield _row("saved by" if rule.grows else "", "", [_short(graph, step.op) for step in steps])
    marks: dict[tuple[str, int, int], list[bool]] = {}
    for first, last, elements in sorted(rule.lifetimes(GraphInModel(graph))):
        ran = max((step.op for step in steps if step.op <= first), default=-1)
        name = "input" if ran < 0 else _long(graph, ran)
        row = marks.setdefault((name, ran, elements), [False] * len(steps))
        for place, step in enumerate(steps):
            row[place] |= first <= step.op <= last
    for (name, _, elements), row in marks.items():
        if elements and any(row):
            yield _row(name, str(elements), ["####" if mark else "" for mark in row])
    yield _row("sum", "", [str(step.elements) for step in steps])


def _short(graph: Graph, op: int) -> str:
    """Return ``dw`` for a depthwise convolution, the kind of other operations."""
    return "dw" if roles_of(graph)[op] is Role.DEPTHWISE else graph.ops[op].kind.value


def _long(graph: Graph, op: int) -> str:
    """Return the role of an operation; the kind of one that only shortcuts have."""
    role = roles_of(graph)[op]
    return graph.ops[op].kind.value if role is Role.SHORTCUT else role.value


def _row(name: str, size: str, cells: Sequence[str]) -> str:
    return f"{name:<11}{size:>4} {''.join(f'{cell:>6}' for cell in cells)}".rstrip()


def _arena() -> Iterator[str]:
    """Yield the bytes of the arena over the operations, the highest offset first."""
    arena = arena_of(int8_graph(graph_of(STRIDED)))
    letters = dict(zip(arena.placements, "abcdefgh", strict=False))
    yield f"the arena of {STRIDED}"
    for offset in reversed(range(0, arena.size, _ROW_BYTES)):
        cells = [
            next(
                (
                    letter * 5
                    for one, letter in letters.items()
                    if one.buffer.first <= moment <= one.buffer.last
                    and one.offset <= offset < one.end
                ),
                "",
            )
            for moment in range(len(arena.graph.ops) + 1)
        ]
        yield f"{offset:>6} |{''.join(f'{cell:<5}' for cell in cells)}".rstrip()
    yield f"       +{'-' * 5 * (len(arena.graph.ops) + 1)}> operations"
    for one, letter in letters.items():
        op = one.buffer.op
        name = "input" if op is None else arena.graph.ops[op].name
        yield f"{letter} {one.buffer.size:>5} bytes {name}"


def _patches() -> Iterator[str]:
    """Yield the columns of the input that each patch of a row needs."""
    graph = graph_of("network")
    stop = next(one.stop for one in graph.segments if one.path == UNTIL)
    geometry = geometries(graph)[stop - 1]
    assert geometry
    width, side = graph.input_shapes[0][3], graph.ops[stop - 1].output_shape[3]
    jump, field = geometry.jump[1], geometry.receptive_field[1]
    cuts = [number * side // GRID[1] for number in range(GRID[1] + 1)]
    largest = 0
    yield f"columns of the input for each patch of network, {GRID[0]}x{GRID[1]} up to {UNTIL}"
    for number, (start, end) in enumerate(pairwise(cuts), start=1):
        first = max(0, start * jump - field // 2)
        last = min(width, (end - 1) * jump + field // 2 + 1)
        largest = max(largest, last - first)
        bar = " " * (first // _PIXELS) + "#" * (-(-last // _PIXELS) - first // _PIXELS)
        yield f"patch {number} {first:>4} to {last - 1:>3} |{bar:<{width // _PIXELS}}|"
    assert largest == patch_plan(graph, GRID, UNTIL).input_sides[1]


def in_guide() -> Mapping[str, str]:
    """Return the drawings that the guide has."""
    return {name: text.strip() for name, text in DRAWING.findall(GUIDE.read_text("utf-8"))}


def _write() -> None:
    drawn = drawings()
    text = DRAWING.sub(
        lambda found: f"```ascii\n{found[1]}: {drawn[found[1]]}\n```\n", GUIDE.read_text("utf-8")
    )
    GUIDE.write_text(text, "utf-8")


if __name__ == "__main__":
    _write()
