"""A graph: operations in the order in which they run, and the module calls around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from mbv2cli.graph.ops import Attributes, Kind, Op, Shape

_new = tuple.__new__


class Scope(NamedTuple):
    """A call of a module: the values that it was given and returned, and its operations.

    The operations are those from ``start`` up to, without, ``stop``. A module whose only
    operation is its own has no scope: the operation carries the module's path and type.
    """

    path: str
    type: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    start: int
    stop: int
    is_sequential: bool = False


class Segment(NamedTuple):
    """A stretch of a planned graph: its stage, the path of its module, its operations."""

    stage: str
    path: str
    start: int
    stop: int


class Lifetime(NamedTuple):
    """A storage: needed from operation ``first`` to operation ``last``, both included.

    -1 is the moment before the first operation. ``elements`` may be an array with one number for
    each candidate of a search.
    """

    first: int
    last: int
    elements: int


@dataclass(frozen=True)
class Graph:
    """Operations in execution order; each takes values and yields one.

    Values are numbered: first the inputs of the model, then the result of each operation.
    ``scopes`` are in the order in which they end. ``segments`` divide a planned graph; an
    observed graph has none. ``unused`` names the parameters and buffers that no operation used.
    ``returns`` is the type of what the model returns. ``measured`` has the storages of an
    observed graph, as long as they really lived.
    """

    input_shapes: tuple[Shape, ...]
    ops: tuple[Op, ...]
    scopes: tuple[Scope, ...]
    outputs: tuple[int, ...]
    segments: tuple[Segment, ...] = ()
    unused: tuple[str, ...] = ()
    returns: str = "Tensor"
    measured: tuple[Lifetime, ...] | None = None

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The shape of each value."""
        return (*self.input_shapes, *(op.output_shape for op in self.ops))

    @property
    def output_shape(self) -> Shape:
        """The shape of the first output; that of a number if no output is a tensor."""
        return self.shapes[self.outputs[0]] if self.outputs else ()

    def value_of(self, op: int) -> int:
        """Return the number of the value that the operation of this index yields."""
        return len(self.input_shapes) + op


@dataclass(frozen=True, slots=True)
class GraphInModel:
    """A graph, alone or as a segment of a model, and what matters of the model before it.

    ``jump`` is the distance in input pixels (height, width) between what two neighbours of the
    last input see. ``input_is_saved`` says that an earlier operation has saved that input for
    the backward pass.
    """

    graph: Graph
    jump: tuple[int, int] = (1, 1)
    input_is_saved: bool = False


class GraphBuilder:
    """Collects the operations and scopes of a planned graph, in execution order.

    The builder makes named tuples by ``tuple.__new__``, in half the time of their constructors.
    """

    __slots__ = ("_inputs", "ops", "scopes", "segments", "shapes")

    def __init__(self, *input_shapes: Shape) -> None:
        self.shapes = list(input_shapes)
        self.ops: list[Op] = []
        self.scopes: list[Scope] = []
        self.segments: list[Segment] = []
        self._inputs = len(input_shapes)

    def op(  # noqa: PLR0917  (an operation has as many fields as it has)
        self,
        kind: Kind,
        function: str,
        attributes: Attributes,
        inputs: tuple[int, ...],
        input_shapes: tuple[Shape, ...],
        output_shape: Shape,
        path: str,
        type_: str = "",
        params: int = 0,
        buffers: int = 0,
        macs: int = 0,
    ) -> int:
        """Add an operation; return the number of the value that it yields.

        ``path`` and ``type_`` are those of `Op`.
        """
        fields = (
            kind,
            function,
            attributes,
            inputs,
            input_shapes,
            output_shape,
            path,
            type_,
            params,
            params,
            buffers,
            macs,
        )
        self.ops.append(_new(Op, fields))
        shapes = self.shapes
        shapes.append(output_shape)
        return len(shapes) - 1

    def module(
        self, path: str, type_: str, value: int, start: int, *, is_sequential: bool = False
    ) -> None:
        """Note that a module was given ``value`` and ran the operations since ``start``."""
        outputs, stop = (len(self.shapes) - 1,), len(self.ops)
        fields = (path, type_, (value,), outputs, start, stop, is_sequential)
        self.scopes.append(_new(Scope, fields))

    def segment(self, stage: str, path: str, start: int) -> None:
        """Note that the operations since ``start`` are a segment."""
        self.segments.append(_new(Segment, (stage, path, start, len(self.ops))))

    def graph(self, output: int) -> Graph:
        """Return the graph that yields the value ``output``."""
        return Graph(
            tuple(self.shapes[: self._inputs]),
            tuple(self.ops),
            tuple(self.scopes),
            (output,),
            tuple(self.segments),
        )
