"""A graph: operations in the order in which they run, and the module calls around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from mbv2cli.graph.ops import Attributes, Kind, Op, Shape


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
        """The shape of the first output."""
        return self.shapes[self.outputs[0]]

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
    """Collects the operations and scopes of a planned graph, in execution order."""

    __slots__ = ("_inputs", "_segments", "ops", "path", "scopes", "shapes")

    def __init__(self, *input_shapes: Shape) -> None:
        self.shapes = list(input_shapes)
        self.path = ""
        self.ops: list[Op] = []
        self._inputs = len(input_shapes)
        self.scopes: list[Scope] = []
        self._segments: list[Segment] = []

    def op(  # noqa: PLR0917  (an operation has as many fields as it has)
        self,
        kind: Kind,
        function: str,
        attributes: Attributes,
        inputs: tuple[int, ...],
        output_shape: Shape,
        name: str = "",
        type_: str = "",
        params: int = 0,
        buffers: int = 0,
        macs: int = 0,
    ) -> int:
        """Add an operation; return the number of the value that it yields.

        ``name`` and ``type_`` are those of the module whose only operation it is.
        """
        shapes = self.shapes
        path = self.path
        if name:
            path = f"{path}.{name}" if path else name
        first, *others = inputs
        input_shapes = (shapes[first], *[shapes[value] for value in others])
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
        self.ops.append(tuple.__new__(Op, fields))  # half the time of Op(...)
        shapes.append(output_shape)
        return len(shapes) - 1

    def module(self, name: str, type_: str, value: int) -> _OpenScope:
        """Open the scope of a module that is given ``value``; the end of the block ends it."""
        return _OpenScope(self, name, type_, value)

    def sequential(self, name: str, type_: str, value: int) -> _OpenScope:
        """Open the scope of a Sequential in the same way."""
        return _OpenScope(self, name, type_, value, is_sequential=True)

    def segment(self, stage: str, path: str, start: int) -> None:
        """Note that the operations since ``start`` are a segment."""
        self._segments.append(Segment(stage, path, start, len(self.ops)))

    def graph(self, output: int) -> Graph:
        """Return the graph that yields the value ``output``."""
        return Graph(
            tuple(self.shapes[: self._inputs]),
            tuple(self.ops),
            tuple(self.scopes),
            (output,),
            tuple(self._segments),
        )


class _OpenScope:
    """A module call that has begun."""

    __slots__ = ("_builder", "_call", "_outer", "_start")

    def __init__(
        self,
        builder: GraphBuilder,
        name: str,
        type_: str,
        value: int,
        *,
        is_sequential: bool = False,
    ) -> None:
        self._builder = builder
        self._outer = outer = builder.path
        self._start = len(builder.ops)
        self._call = (type_, value, is_sequential)
        builder.path = f"{outer}.{name}" if outer else name

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_error: object) -> None:
        builder, (type_, value, is_sequential) = self._builder, self._call
        outputs, stop = (len(builder.shapes) - 1,), len(builder.ops)
        fields = (builder.path, type_, (value,), outputs, self._start, stop, is_sequential)
        builder.scopes.append(tuple.__new__(Scope, fields))
        builder.path = self._outer
