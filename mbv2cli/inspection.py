"""A model: its graph, planned or observed, its rows and figures. Every report takes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from mbv2cli.costs.figures import Counting, Figure
from mbv2cli.costs.memory import MemoryRule, MemoryUse, memory_use
from mbv2cli.costs.segments import PlacedCosts, segment_costs, together
from mbv2cli.graph.build import planned_graph
from mbv2cli.graph.graph import Graph, GraphInModel
from mbv2cli.graph.ops import Shape
from mbv2cli.graph.rows import Layer, layers_of
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.run import InputSpec

ModelSpec: TypeAlias = BlockSpec | NetworkSpec

DEFAULT_INPUT: Final = InputSpec()
_DEFAULT: Final = Counting()


class Totals(NamedTuple):
    """Sums over the operations, for the whole batch.

    ``macs`` are those of convolutions and linear layers; ``activations`` are the elements that
    they put out (timm's and fvcore's meaning). ``buffers`` are BatchNorm's running statistics
    and its counts of batches.
    """

    params: int
    trainable_params: int
    non_trainable_params: int
    buffers: int
    macs: int
    activations: int


class Model:
    """A graph, planned or observed, and what follows from it: rows, totals, figures, memory."""

    if TYPE_CHECKING:  # a class with fields would take a property of its base for a default

        @property
        def graph(self) -> Graph: ...

        @property
        def input_shape(self) -> Shape: ...

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """A row for each module and each functional operation, in torchsummary's order."""
        return layers_of(self.graph)

    def layer_of(self, op: int) -> Layer:
        """Return the row of the operation of this index."""
        return next(layer for layer in self.layers if layer.op == op)

    @property
    def output_shape(self) -> Shape:
        """The shape of the first output."""
        return self.graph.output_shape

    @property
    def output_shapes(self) -> tuple[Shape, ...]:
        """The shape of each output."""
        return tuple(self.graph.shapes[value] for value in self.graph.outputs)

    @property
    def macs_per_sample(self) -> int:
        """MACs of one input of the batch."""
        return self.totals.macs // self.input_shape[0]

    @cached_property
    def totals(self) -> Totals:
        """Sums over the operations."""
        *_, shapes, _, _, params, trainable, buffers, macs = zip(*self.graph.ops, strict=True)
        total, trained = sum(params), sum(trainable)
        return Totals(
            params=total,
            trainable_params=trained,
            non_trainable_params=total - trained,
            buffers=sum(buffers),
            macs=sum(macs),
            activations=sum(
                [prod(shape) for shape, some in zip(shapes, macs, strict=True) if some]
            ),
        )

    def figure(self, figure: Figure, counting: Counting = _DEFAULT) -> int:
        """Return a figure of the model."""
        found: int = figure.value(GraphInModel(self.graph), counting)
        return found

    @property
    def feature_maps(self) -> Mapping[int, Shape]:
        """The output of the last block at each stride; a module has no blocks that are known."""
        return {}

    def uncounted(self, figure: Figure, counting: Counting = _DEFAULT) -> tuple[str, ...]:
        """Return the functions that a figure has no rule for: it then is at least what is known."""
        return figure.unknown(self.graph, counting)

    def memory(self, rule: MemoryRule) -> MemoryUse:
        """Return the memory of activations under a rule, moment by moment."""
        return memory_use(rule, self.graph)


@dataclass(frozen=True)
class Observed(Model):
    """What one forward pass of a module has shown. No plan says what it should be.

    ``torchsummary_doubt`` says why torchsummary cannot run, or what is wrong in its table; "" if
    nothing is.
    """

    graph: Graph
    torchsummary_doubt: str = ""

    @property
    def input_shape(self) -> Shape:
        """The shape of the first input."""
        return self.graph.input_shapes[0]


@dataclass(frozen=True)
class Recorded(Observed):
    """The operations of a module as a lock recorded them, without the module calls around them.

    So a row has no number of torchsummary's, which counts those calls too.
    """

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """A row for each operation."""
        return tuple(layer._replace(name=None) for layer in layers_of(self.graph))


@dataclass(frozen=True)
class Plan(Model):
    """``spec`` on an input of ``input_shape`` (B, in, H, W), worked out without torch."""

    spec: ModelSpec
    input_shape: Shape

    @cached_property
    def graph(self) -> Graph:
        """The planned graph."""
        return planned_graph(self.spec, self.input_shape)

    @cached_property
    def segments(self) -> tuple[PlacedCosts, ...]:
        """The costs of stem, blocks, head and classifier."""
        return segment_costs(self.spec, self.input_shape)

    @property
    def output_shape(self) -> Shape:
        """The shape of the output."""
        return self.segments[-1].costs.output_shape

    @property
    def feature_maps(self) -> Mapping[int, Shape]:
        """The output of the last block at each stride (input height ÷ feature map height)."""
        blocks = (one.costs for one in self.segments if one.is_block)
        return {costs.jump[0]: costs.output_shape for costs in blocks}

    def figure(self, figure: Figure, counting: Counting = _DEFAULT) -> int:
        """Return a figure of the model, from those of its segments if it combines."""
        if not figure.combines:
            return super().figure(figure, counting)
        return together(self.segments, figure, counting)

    def uncounted(self, figure: Figure, counting: Counting = _DEFAULT) -> tuple[str, ...]:
        """Return the functions without a rule; those that combine know every planned operation."""
        return () if figure.combines else super().uncounted(figure, counting)


def plan_of(spec: ModelSpec, input: InputSpec = DEFAULT_INPUT) -> Plan:
    """Return the plan of ``spec`` on ``input``, by default one input of 224×224."""
    return Plan(spec, (input.batch, spec.in_channels, *input.size))
