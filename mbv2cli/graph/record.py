"""The operations of a graph as text, a line for each, and back again.

A line is ``PATH TYPE KIND FUNCTION name=value …``: words with a space between, values as in JSON,
without what is at its default. ``from`` has the values that go in, each as the number of
operations back: ``[1]``, the result of the operation before, is left out. So a line stays as it is
when an operation is added elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from mbv2cli.graph.graph import Graph, Lifetime, Scope
from mbv2cli.graph.ops import (
    Act,
    Arithmetic,
    Attributes,
    Conv,
    Dropout,
    Kind,
    Linear,
    Norm,
    Op,
    Pad,
    Plain,
    Pool,
    Rearrangement,
    Shape,
)

_ATTRIBUTES: Final[Mapping[Kind, Any]] = {
    Kind.CONV: Conv,
    Kind.NORM: Norm,
    Kind.ACT: Act,
    Kind.ADD: Arithmetic,
    Kind.MUL: Arithmetic,
    Kind.POOL: Pool,
    Kind.LINEAR: Linear,
    Kind.CAT: Rearrangement,
    Kind.RESHAPE: Rearrangement,
    Kind.DROPOUT: Dropout,
    Kind.PAD: Pad,
    Kind.CONSTANT: Plain,
    Kind.UNKNOWN: Plain,
}
"""What an operation of a kind has, unless its line names other ``attributes``."""

_BY_NAME: Final[Mapping[str, Any]] = {one.__name__: one for one in _ATTRIBUTES.values()}
_COUNTS: Final = ("params", "trainable_params", "buffers", "macs")
_NOTHING: Final = "-"
_BARE: Final = re.compile(r"(?!-$)[^\s\"\x00-\x1f]+")
"""A word that is written as it is: without a space, a quote or a sign that nobody sees."""

_BEFORE: Final = [1]


def op_lines(graph: Graph) -> Iterator[str]:
    """Yield the line of each operation."""
    inputs = len(graph.input_shapes)
    for index, op in enumerate(graph.ops):
        words = (op.path, op.type, op.kind.value, op.function)
        back = [inputs + index - value for value in op.inputs]
        values = {"out": op.output_shape, **dict(_values(op, back))}
        yield " ".join(
            [*map(_word, words), *(f"{name}={_text(value)}" for name, value in values.items())]
        )


def _values(op: Op, back: Sequence[int]) -> Iterator[tuple[str, object]]:
    if back != _BEFORE:
        yield "from", back
    usual = _ATTRIBUTES[op.kind]
    if type(op.attributes) is not usual:
        yield "attributes", type(op.attributes).__name__
    defaults = op.attributes._field_defaults
    for name, value in op.attributes._asdict().items():
        if name not in defaults or value != defaults[name]:
            yield name, value
    for name in _COUNTS:
        amount, usual_amount = getattr(op, name), op.params if name == "trainable_params" else 0
        if amount != usual_amount:
            yield name, amount


def ops_of(lines: Iterable[str], input_shapes: tuple[Shape, ...]) -> tuple[Op, ...]:
    """Return the operations of `op_lines`. Raises `ValueError` for any other text."""
    shapes = list(input_shapes)
    ops: list[Op] = []
    try:
        for line in lines:
            op = _op(line, shapes)
            ops.append(op)
            shapes.append(op.output_shape)
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("not the line of an operation") from error
    return tuple(ops)


def _op(line: str, shapes: Sequence[Shape]) -> Op:
    path, type_, kind, function, *rest = line.split(" ")
    values = dict(_named(word) for word in rest)
    inputs = tuple(len(shapes) - _whole(back, 1, len(shapes)) for back in values.pop("from", [1]))
    output_shape = tuple(_whole(side, 0) for side in values.pop("out"))
    params = _whole(values.pop("params", 0), 0)
    counts = {
        "params": params,
        "trainable_params": _whole(values.pop("trainable_params", params), 0),
        "buffers": _whole(values.pop("buffers", 0), 0),
        "macs": _whole(values.pop("macs", 0), 0),
    }
    attributes: Any = _BY_NAME[values.pop("attributes", _ATTRIBUTES[Kind(kind)].__name__)]
    if not values.keys() <= set(attributes._fields):
        raise ValueError(f"not of a {kind}")
    made: Attributes = attributes(**{name: _tuples(value) for name, value in values.items()})
    return Op(
        Kind(kind),
        _read_word(function),
        made,
        inputs,
        tuple(shapes[value] for value in inputs),
        output_shape,
        _read_word(path),
        _read_word(type_),
        **counts,
    )


def _named(word: str) -> tuple[str, Any]:
    name, equals, text = word.partition("=")
    if not equals:
        raise ValueError("no value")
    return name, json.loads(text)


def _whole(value: object, least: int, most: int | None = None) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError("not a number of this kind")
    if most is not None and value > most:
        raise ValueError("too large a number")
    return value


def _tuples(value: object) -> object:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _word(text: str) -> str:
    if not text:
        return _NOTHING
    return text if _BARE.fullmatch(text) else _text(text)


def _read_word(word: str) -> str:
    if word == _NOTHING:
        return ""
    if not word.startswith('"'):
        return word
    text = json.loads(word)
    if not isinstance(text, str):
        raise ValueError("not a text")
    return text


def _text(value: object) -> str:
    """Return a value as JSON without a space."""
    return json.dumps(value, separators=(",", ":"), default=str).replace(" ", r"\u0020")


def record_of(graph: Graph) -> dict[str, Any]:
    """Return all of an observed graph as values of JSON."""
    return {
        "input_shapes": graph.input_shapes,
        "ops": list(op_lines(graph)),
        "scopes": graph.scopes,
        "outputs": graph.outputs,
        "unused": graph.unused,
        "returns": graph.returns,
        "measured": graph.measured,
    }


def graph_of(record: Mapping[str, Any]) -> Graph:
    """Return the graph of `record_of`. Raises `ValueError` for other values."""
    try:
        input_shapes = _shapes(record["input_shapes"])
        ops = ops_of(record["ops"], input_shapes)
        values = len(input_shapes) + len(ops) - 1
        measured = record["measured"]
        return Graph(
            input_shapes,
            ops,
            tuple(_scope(Scope(*one), values, len(ops)) for one in record["scopes"]),
            tuple(_whole(one, 0, values) for one in record["outputs"]),
            unused=tuple(map(str, record["unused"])),
            returns=str(record["returns"]),
            measured=None if measured is None else tuple(_lifetime(*one) for one in measured),
        )
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("not the record of a graph") from error


def _shapes(value: Iterable[Iterable[object]]) -> tuple[Shape, ...]:
    return tuple(tuple(_whole(side, 0) for side in shape) for shape in value)


def _scope(scope: Scope, values: int, ops: int) -> Scope:
    """Return a scope of JSON's values as it was, in a graph with so many values and operations."""
    return Scope(
        str(scope.path),
        str(scope.type),
        tuple(_whole(one, 0, values) for one in scope.inputs),
        tuple(_whole(one, 0, values) for one in scope.outputs),
        _whole(scope.start, 0, ops),
        _whole(scope.stop, 0, ops),
        bool(scope.is_sequential),
    )


def _lifetime(first: object, last: object, elements: object) -> Lifetime:
    return Lifetime(_whole(first, -1), _whole(last, -1), _whole(elements, 0))
