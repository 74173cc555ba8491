"""A model's figures from those of its segments, each worked out once.

Segments that are alike, in one model or in a thousand, cost what one costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from mbv2cli.costs.figures import Counting, Figure, needs_model_input
from mbv2cli.costs.memory import Amount, saves_its_output
from mbv2cli.costs.receptive_field import Geometry, geometries
from mbv2cli.graph.build import segment_graph
from mbv2cli.graph.graph import GraphInModel
from mbv2cli.graph.ops import Shape
from mbv2cli.graph.segments import PlacedSegment, SegmentSpec, segments_of
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import NetworkSpec


class _Place(NamedTuple):
    """All of the model before a segment that its costs depend on.

    ``model_input`` is None for the first segment, which takes the model's own input, and empty
    where it does not matter (`needs_model_input`).
    """

    is_model: bool
    input_shape: Shape
    model_input: Shape | None
    jump: tuple[int, int]
    input_is_saved: bool


class SegmentCosts:
    """A segment of a model in its place; each of its amounts is worked out once."""

    def __init__(self, model: GraphInModel, *, saves_its_output: bool) -> None:
        self.model = model
        self.output_shape = model.graph.output_shape
        self.saves_its_output = saves_its_output
        seen = [one for one in geometries(model.graph, Geometry((0, 0), model.jump)) if one]
        self.jump = seen[-1].jump if seen else model.jump
        self._amounts: dict[tuple[str, Counting], Amount] = {}

    def amount(self, figure: Figure, counting: Counting) -> int:
        """Return what the segment adds to a figure."""
        key = figure.name, counting
        if key not in self._amounts:
            self._amounts[key] = figure.of(self.model, counting)
        found: int = self._amounts[key]
        return found


@dataclass(frozen=True, slots=True)
class PlacedCosts:
    """A segment's costs with its stage; ``is_block`` where the segment is a block.

    ``spec``, ``place`` and ``model_input`` say how to work out a figure that needs the model's own
    input.
    """

    stage: str
    is_block: bool
    costs: SegmentCosts
    spec: SegmentSpec
    place: _Place
    model_input: Shape

    def amount(self, figure: Figure, counting: Counting) -> int:
        """Return what the segment adds to a figure."""
        if self.place.model_input == () and needs_model_input(figure, counting):
            place = self.place._replace(model_input=self.model_input)
            return _costs_of(self.spec, place).amount(figure, counting)
        return self.costs.amount(figure, counting)


def segment_costs(spec: BlockSpec | NetworkSpec, input_shape: Shape) -> tuple[PlacedCosts, ...]:
    """Return the costs of each segment of ``spec``, in forward order.

    Segments that are alike, in one model or in a thousand, are worked out once.
    """
    found: list[PlacedCosts] = []
    place = _Place(isinstance(spec, BlockSpec), input_shape, None, (1, 1), input_is_saved=False)
    for stage, _path, segment in segments_of(spec):
        costs = _costs_of(segment, place)
        is_block = isinstance(segment, BlockSpec)
        found.append(PlacedCosts(stage, is_block, costs, segment, place, input_shape))
        place = _Place(
            is_model=False,
            input_shape=costs.output_shape,
            model_input=(),
            jump=costs.jump,
            input_is_saved=costs.saves_its_output,
        )
    return tuple(found)


@lru_cache(maxsize=2**16)
def _costs_of(spec: SegmentSpec, place: _Place) -> SegmentCosts:
    path = "" if place.is_model else "features.0"
    graph = segment_graph(PlacedSegment("", path, spec), place.input_shape, place.model_input)
    saves = saves_its_output(graph.ops[-1].function)
    model = GraphInModel(graph, place.jump, place.input_is_saved)
    return SegmentCosts(model, saves_its_output=saves)


def together(segments: Sequence[PlacedCosts], figure: Figure, counting: Counting) -> int:
    """Return a figure of the segments together."""
    amounts = [one.amount(figure, counting) for one in segments]
    found: int = figure.start + figure.combine(counting).together(amounts)
    return found
