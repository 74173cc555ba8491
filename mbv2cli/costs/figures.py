"""The figures of a model, each declared once: name, unit, how it is worked out and combined.

Limits, lock, drift, comparison, search, ``--print`` and JSON follow from `FIGURES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from math import prod
from typing import Final, NamedTuple

from mbv2cli.costs.conventions import count, mac_convention
from mbv2cli.costs.memory import (
    EAGER,
    ELEMENT_BYTES,
    INPLACE_DEPTHWISE,
    LAYERWISE,
    TRAINING,
    Amount,
    MemoryRule,
    rule_named,
    timeline,
)
from mbv2cli.costs.receptive_field import Geometry, geometries, without_rule
from mbv2cli.graph.graph import Graph, GraphInModel
from mbv2cli.graph.ops import Conv, Kind, Linear, Op, larger
from mbv2cli.specs.units import Unit

INT32_BYTES: Final = 4


class Combine(Enum):
    """How the amounts of the segments make that of the model."""

    SUM = "sum"
    HIGHEST = "highest"
    NOT_AT_ALL = "only a whole graph has the figure"

    def together(self, amounts: Iterable[Amount]) -> Amount:
        """Return the sum, or the highest, of amounts."""
        if self is Combine.NOT_AT_ALL:
            raise ValueError("no segment has a part of the figure")
        return sum(amounts) if self is Combine.SUM else reduce(larger, amounts)


class Better(Enum):
    """Which amounts are better, and the word that starts the name of a limit."""

    SMALLER = "max"
    LARGER = "min"


class Counting(NamedTuple):
    """How MACs and bytes are counted: the names of convention, memory rule and element type."""

    convention: str = "conv+linear"
    rule: str = "layerwise"
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number about a model.

    ``of`` gives the amount of a graph or segment and ``combine`` how the segments' amounts make
    the model's; ``start`` is added to it. ``unknown`` names the functions of a graph that the
    figure has no rule for: the amount then is at least what is known; a figure that
    ``needs_every_rule`` is then not known. A figure with a ``better``
    side can be limited, is locked and compared, and can be searched by if it combines; ``example``
    is a limit of it, as people write it. ``rule`` is there for the peak of one memory rule.
    """

    name: str
    description: str
    of: Callable[[GraphInModel, Counting], Amount]
    unit: Unit = Unit.COUNT
    combine: Callable[[Counting], Combine] = lambda _counting: Combine.SUM
    unknown: Callable[[Graph, Counting], tuple[str, ...]] = lambda _graph, _counting: ()
    better: Better | None = None
    needs_every_rule: bool = False
    start: int = 0
    rule: MemoryRule | None = None
    example: str = ""

    @property
    def field(self) -> str:
        """The name in JSON and of ``--print``: an amount of bytes says so."""
        return f"{self.name}_bytes" if self.unit is Unit.BYTES else self.name

    @property
    def combines(self) -> bool:
        """Whether the figure of a model follows from those of its segments."""
        return self.combine(Counting()) is not Combine.NOT_AT_ALL

    def value(self, graph: GraphInModel, counting: Counting) -> Amount:
        """Return the figure of a whole graph."""
        return self.start + self.of(graph, counting)


def _sum_of(field: Callable[[Op], Amount]) -> Callable[[GraphInModel, Counting], Amount]:
    return lambda model, _counting: sum(map(field, model.graph.ops))


def _macs(model: GraphInModel, counting: Counting) -> Amount:
    return sum(map(mac_convention(counting.convention).of, model.graph.ops))


def _uncounted_macs(graph: Graph, counting: Counting) -> tuple[str, ...]:
    return count(mac_convention(counting.convention), graph.ops).unknown


def _packed(graph: Graph, _counting: Counting) -> tuple[str, ...]:
    """Return the functions whose weights are packed, so that nobody counts them."""
    return tuple(dict.fromkeys(one.function for one in graph.ops if one.packed))


def _activations(op: Op) -> Amount:
    return prod(op.output_shape) if op.multiplies else 0


def _layers(model: GraphInModel, _counting: Counting) -> int:
    modules = sum(not op.is_functional for op in model.graph.ops)
    return modules + sum(1 for one in model.graph.scopes if one.path and not one.is_sequential)


def _flash_bytes(model: GraphInModel, _counting: Counting) -> Amount:
    """Return the bytes of int8 weights and int32 biases, BatchNorm folded into convolutions."""
    ops, inputs = model.graph.ops, len(model.graph.input_shapes)
    total: Amount = 0
    for op in ops:
        if op.kind is not Kind.NORM:
            total = total + op.params + _biases(op) * (INT32_BYTES - 1)
        elif op.inputs[0] < inputs or not _biases(ops[op.inputs[0] - inputs]):
            total = total + op.params // 2 * INT32_BYTES  # its shift stays, as a new bias
    return total


def _biases(op: Op) -> Amount:
    """Return the biases among the parameters of an operation, which may share those of another."""
    if isinstance(op.params, int) and not op.params:
        return 0
    match op.attributes:
        case Linear(bias=True):
            return op.output_shape[-1]
        case Conv(bias=True, kernel=kernel):
            return op.output_shape[-1 - len(kernel)]
    return 0


def _weight_bytes(model: GraphInModel, counting: Counting) -> Amount:
    return sum(op.params for op in model.graph.ops) * ELEMENT_BYTES[counting.dtype]


def _widening(model: GraphInModel, _counting: Counting) -> Amount:
    """Return how many pixels more than its input the last feature map sees in height, if known.

    One side, because a side alone is a sum over segments: the smaller of two sums is not.
    """
    seen = [one for one in geometries(model.graph, Geometry((0, 0), model.jump)) if one]
    return seen[-1].receptive_field[0] if seen else 0


def _peak_of(rule: MemoryRule, model: GraphInModel, dtype: str) -> Amount:
    elements = [step.elements for step in timeline(rule, model)]
    return (
        _combined(rule).together(elements[-1:] if rule.grows else elements) * (ELEMENT_BYTES[dtype])
    )


def _tflm_bytes(model: GraphInModel, _counting: Counting) -> int:
    from mbv2cli.costs.arena import arena_of, least_size
    from mbv2cli.costs.int8_graph import int8_graph

    graph = int8_graph(model.graph)
    return least_size(graph) if graph.unknown else arena_of(graph).size


def _without_int8_rule(graph: Graph, _counting: Counting) -> tuple[str, ...]:
    from mbv2cli.costs.int8_graph import int8_graph

    return int8_graph(graph).unknown


def _combined(rule: MemoryRule) -> Combine:
    return Combine.SUM if rule.grows else Combine.HIGHEST


def _peak_figure(rule: MemoryRule) -> Figure:
    return Figure(
        rule.name.replace("-", "_"),
        f"bytes of activation memory at the peak, under the rule {rule.name}",
        lambda model, counting: _peak_of(rule, model, counting.dtype),
        Unit.BYTES,
        lambda _counting: _combined(rule),
        lambda graph, _counting: rule.unknown(graph),
        rule=rule,
    )


PARAMS: Final = Figure(
    "params",
    "parameters",
    _sum_of(lambda op: op.params),
    unknown=_packed,
    better=Better.SMALLER,
    example="2M",
)
MACS: Final = Figure(
    "macs",
    "MACs of the whole batch",
    _macs,
    unknown=_uncounted_macs,
    better=Better.SMALLER,
    example="300M",
)
PEAK: Final = Figure(
    "peak",
    "bytes of activation memory at the peak",
    lambda model, counting: _peak_of(rule_named(counting.rule), model, counting.dtype),
    Unit.BYTES,
    lambda counting: _combined(rule_named(counting.rule)),
    lambda graph, counting: rule_named(counting.rule).unknown(graph),
    Better.SMALLER,
    example="512KiB",
)
TFLM: Final = Figure(
    "tflm",
    "bytes of TensorFlow Lite Micro's arena for the int8 model that LiteRT's converter makes",
    _tflm_bytes,
    Unit.BYTES,
    lambda _counting: Combine.NOT_AT_ALL,
    _without_int8_rule,
    Better.SMALLER,
    needs_every_rule=True,
    example="320KiB",
)
FLASH: Final = Figure(
    "flash",
    "bytes of int8 weights and int32 biases, with BatchNorm folded into the convolutions",
    _flash_bytes,
    Unit.BYTES,
    unknown=_packed,
    better=Better.SMALLER,
    example="1MiB",
)
ACTIVATIONS: Final = Figure(
    "activations",
    "output elements of convolutions and linear layers, for the whole batch",
    _sum_of(_activations),
    unknown=_packed,
    better=Better.SMALLER,
    example="5M",
)
LAYERS: Final = Figure(
    "layers", "rows of torchsummary's table", _layers, better=Better.SMALLER, example="160"
)
RECEPTIVE_FIELD: Final = Figure(
    "receptive_field",
    "input pixels in the height of the area that an element of the last feature map sees",
    _widening,
    unknown=lambda graph, _counting: without_rule(graph),
    needs_every_rule=True,
    better=Better.LARGER,
    start=1,
    example="400",
)

FIGURES: Sequence[Figure] = (
    PARAMS,
    MACS,
    PEAK,
    TFLM,
    FLASH,
    ACTIVATIONS,
    LAYERS,
    RECEPTIVE_FIELD,
    Figure(
        "trainable_params",
        "parameters that training updates",
        _sum_of(lambda op: op.trainable_params),
    ),
    Figure(
        "non_trainable_params",
        "parameters that training does not update",
        _sum_of(lambda op: op.params - op.trainable_params),
        unknown=_packed,
    ),
    Figure(
        "buffers",
        "elements of BatchNorm's running statistics and counters",
        _sum_of(lambda op: op.buffers),
    ),
    Figure(
        "weight",
        "bytes of all parameters, in the dtype",
        _weight_bytes,
        Unit.BYTES,
        unknown=_packed,
    ),
    *map(_peak_figure, (LAYERWISE, INPLACE_DEPTHWISE, EAGER, TRAINING)),
)
"""Every figure. Figures with a ``better`` side come first, in the order in which they are shown."""


def needs_model_input(figure: Figure, counting: Counting) -> bool:
    """Return whether a figure of a later segment depends on the model's own input.

    In eager memory the caller keeps that input while every segment runs.
    """
    return figure.rule is EAGER or counting.rule == EAGER.name


def graded_figures() -> tuple[Figure, ...]:
    """Return the figures with a better side: limited, locked, compared, searched by."""
    return tuple(figure for figure in FIGURES if figure.better)


def combining_figures() -> tuple[Figure, ...]:
    """Return the graded figures that follow from those of a model's segments."""
    return tuple(figure for figure in graded_figures() if figure.combines)


def figure_named(name: str) -> Figure:
    """Return the figure of this name. Raises `KeyError` if there is none."""
    return {figure.name: figure for figure in FIGURES}[name]
