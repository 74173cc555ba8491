"""ONNX: the tensors of a graph in the order of the operations that take them.

A file is a message of protocol buffers (``onnx/onnx.proto``): fields, each with a number and a
type. What a field holds is passed over, unless it is a name, a size or a part of the graph.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

from mbv2cli.specs.weights.content import Content, Stream
from mbv2cli.specs.weights.tensors import (
    MAX_NAME,
    MAX_STEPS,
    MAX_TENSORS,
    MAX_TEXT,
    BrokenFileError,
    Tensor,
    Weights,
    checked_shape,
    text_of,
)

_IR_VERSION, _PRODUCER, _GRAPH = 1, 2, 7
_NODE, _INITIALIZER = 1, 5
_TAKES, _GIVES, _KIND, _ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_WHOLE, _ATTRIBUTE_TENSOR = 1, 3, 5
_SIZES, _DTYPE, _NAME = 1, 2, 8
_VARINT, _FIXED64, _BLOCK, _FIXED32 = 0, 1, 2, 5
_SECOND_FIELDS: Final = tuple(bytes([number << 3 | 2]) for number in (2, 3, 4, 6, 7, 8))
_DTYPES: Final = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    16: "bfloat16",
}
_LINEAR: Final = {"MatMul": 1, "Gemm": 1, "MatMulInteger": 1, "QLinearMatMul": 3, "QGemm": 3}
"""The operations of a linear layer, each with the place of the kernel in what it takes."""

_PASSES_ON: Final = ("Identity", "Cast", "DequantizeLinear", "Transpose")
"""The operations that give the kernel on that they take, as it is or transposed."""


class _Node(NamedTuple):
    """An operation: its kind, the values that it takes and gives, and the tensor of a constant.

    ``transposes`` says whether it takes its kernel transposed (``transB``).
    """

    kind: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    constant: Tensor | None
    transposes: bool


def starts_like_onnx(head: bytes) -> bool:
    """Return whether a file starts with the version of ONNX and a second field of a model."""
    second = head[2:3]
    return head[:1] == b"\x08" and b"\0" < head[1:2] < b"\x40" and second in _SECOND_FIELDS


def read_onnx(content: Content) -> Weights:
    """Read the graph of a file. Raises `BrokenFileError`."""
    reader = _Reader()
    for field, value in reader.fields(content):
        if field == _GRAPH and isinstance(value, Content):
            return reader.graph(value)
    raise BrokenFileError("it has no graph")


class _Reader:
    """Reads messages, and counts what it reads."""

    def __init__(self) -> None:
        self.steps = 0
        self.text = 0

    def graph(self, content: Content) -> Weights:
        """Return the tensors of a graph."""
        nodes: list[_Node] = []
        tensors: dict[str, Tensor] = {}
        for field, value in self.fields(content):
            if not isinstance(value, Content):
                continue
            if field == _NODE:
                node = self.node(value)
                nodes.append(node)
                if node.constant and node.gives:
                    tensors[node.gives[0]] = node.constant._replace(name=node.gives[0])
            elif field == _INITIALIZER:
                tensor = self.tensor(value)
                tensors[tensor.name] = tensor
        if len(tensors) > MAX_TENSORS:
            raise BrokenFileError(f"it has more than {MAX_TENSORS:,} tensors")
        kinds = Counter(node.kind for node in nodes if node.constant is None)
        return Weights(
            "ONNX file", _in_order(nodes, tensors), operations=tuple(kinds.most_common())
        )

    def node(self, content: Content) -> _Node:
        """Return an operation."""
        kind, takes, gives, constant, transposes = "", [], [], None, False
        for field, value in self.fields(content):
            if not isinstance(value, Content):
                continue
            if field == _KIND:
                kind = self.name(value)
            elif field == _TAKES:
                takes.append(self.name(value))
            elif field == _GIVES:
                gives.append(self.name(value))
            elif field == _ATTRIBUTE and kind == "Constant":
                constant = self.constant(value)
            elif field == _ATTRIBUTE and kind in _LINEAR:
                transposes |= self.is_transposition(value)
        return _Node(kind, tuple(takes), tuple(gives), constant, transposes)

    def constant(self, content: Content) -> Tensor | None:
        """Return the tensor of an attribute; None if it has none."""
        for field, value in self.fields(content):
            if field == _ATTRIBUTE_TENSOR and isinstance(value, Content):
                return self.tensor(value)
        return None

    def is_transposition(self, content: Content) -> bool:
        """Return whether an attribute says that the second input is transposed."""
        fields = dict(self.fields(content))
        name = fields.get(_ATTRIBUTE_NAME)
        is_it = isinstance(name, Content) and self.name(name) == "transB"
        return is_it and fields.get(_ATTRIBUTE_WHOLE) == 1

    def tensor(self, content: Content) -> Tensor:
        """Return a tensor without its data."""
        sizes: list[int] = []
        name, dtype = "", 0
        for field, value in self.fields(content):
            if field == _SIZES:
                sizes.extend(self.numbers(value) if isinstance(value, Content) else [value])
            elif field == _DTYPE and isinstance(value, int):
                dtype = value
            elif field == _NAME and isinstance(value, Content):
                name = self.name(value)
        return Tensor(name, checked_shape(sizes), _DTYPES.get(dtype, "unknown"))

    def name(self, content: Content) -> str:
        """Return a name."""
        self.text += content.size
        if content.size > MAX_NAME or self.text > MAX_TEXT:
            raise BrokenFileError("its names are too long")
        return text_of(content.read(0, content.size))

    def numbers(self, content: Content) -> Iterator[int]:
        """Yield the numbers of a field that packs them."""
        stream = Stream(content)
        while stream.left:
            yield self.varint(stream)

    def varint(self, stream: Stream) -> int:
        """Return a number of seven bits a byte, the lowest first."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise BrokenFileError(f"it has more than {MAX_STEPS:,} fields")
        value = shift = 0
        while True:
            byte = stream.number(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004  (the last byte)
                return value
            shift += 7
            if shift > 63:  # noqa: PLR2004  (bits of a number)
                raise BrokenFileError("a number in it is too long")

    def fields(self, content: Content) -> Iterator[tuple[int, int | Content]]:
        """Yield the number of each field, with its value or where its content stands."""
        stream = Stream(content)
        while stream.left:
            tag = self.varint(stream)
            field, kind = tag >> 3, tag & 7
            if kind == _VARINT:
                yield field, self.varint(stream)
            elif kind == _BLOCK:
                size = self.varint(stream)
                yield field, content.part(stream.position, size)
                stream.skip(size)
            elif kind in (_FIXED32, _FIXED64):
                stream.skip(4 if kind == _FIXED32 else 8)
            else:
                raise BrokenFileError("it is not a file of ONNX")


def _in_order(nodes: list[_Node], tensors: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """Return the tensors in the order of the first operation that takes each, then the others."""
    taker = _takers(nodes, tensors)
    turned = _turned(nodes, tensors)
    every = [*taker, *(one for one in tensors if one not in taker)]
    return tuple(
        tensors[name]._replace(
            operation=taker.get(name),
            shape=tensors[name].shape[::-1] if name in turned else tensors[name].shape,
        )
        for name in every
    )


def _takers(nodes: list[_Node], tensors: Collection[str]) -> dict[str, int]:
    """Return the number of the operation that takes each tensor first.

    An addition to the result of a linear layer is a part of that layer: it has the bias.
    """
    takers: dict[str, int] = {}
    linear: dict[str, int] = {}
    for number, node in enumerate(nodes):
        if node.kind in _LINEAR:
            linear |= dict.fromkeys(node.gives, number)
        before = [linear[name] for name in node.takes if name in linear]
        owner = before[0] if node.kind == "Add" and before else number
        for name in node.takes:
            if name in tensors:
                takers.setdefault(name, owner)
    return takers


def _turned(nodes: list[_Node], tensors: Mapping[str, Tensor]) -> set[str]:
    """Return the kernels of linear layers that have the axes input, output."""
    turned: set[str] = set()
    made_of = {name: (name, False) for name, one in tensors.items() if len(one.shape) == 2}  # noqa: PLR2004
    for node in nodes:
        if node.kind in _PASSES_ON and node.takes and node.takes[0] in made_of:
            name, is_transposed = made_of[node.takes[0]]
            transposed = is_transposed != (node.kind == "Transpose")
            made_of |= dict.fromkeys(node.gives, (name, transposed))
        place = _LINEAR.get(node.kind, len(node.takes))
        if place < len(node.takes) and node.takes[place] in made_of:
            name, is_transposed = made_of[node.takes[place]]
            if is_transposed == node.transposes:
                turned.add(name)
    return turned
