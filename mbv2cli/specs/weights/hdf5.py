"""HDF5, as far as Keras writes it: the names, shapes and types of the data sets.

HDF5 File Format Specification 3.0: superblock 0 and 1, symbol tables, object headers 1. h5py
writes these unless it is told otherwise.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from mbv2cli.specs.weights.content import Content
from mbv2cli.specs.weights.tensors import (
    MAX_DEPTH,
    MAX_NAME,
    MAX_TENSORS,
    BrokenFileError,
    Layout,
    Tensor,
    Weights,
    checked_shape,
    text_of,
)

_MAX_HEADERS: Final = 200_000
_MAX_MESSAGES: Final = 2**20
_NEWER: Final = (
    "it has a layout of HDF5 that Keras does not write; save the weights again with h5py's "
    "libver='earliest', or as safetensors"
)
_DATASPACE, _DATATYPE, _CONTINUATION, _SYMBOLS = 0x01, 0x03, 0x10, 0x11


class _Group(NamedTuple):
    """Where the members of a group stand: a tree of its entries, and a heap with their names."""

    tree: int
    names: int


def read_hdf5(content: Content, name: str = "HDF5 file") -> Weights:
    """Read every data set with numbers. Raises `BrokenFileError`."""
    version = content.number(8, 1)
    if version > 1 or content.read(13, 2) != b"\x08\x08":
        raise BrokenFileError(_NEWER)
    base = 24 + 4 * version
    root = content.number(base + 8 * 4 + 8, 8)
    found: list[Tensor] = []
    for tensor in _datasets(content, root):
        found.append(tensor)
        if len(found) > MAX_TENSORS:
            raise BrokenFileError(f"it has more than {MAX_TENSORS:,} tensors")
    return Weights(name, tuple(found), Layout.HWIO)


def _datasets(content: Content, root: int) -> Iterator[Tensor]:
    """Yield the data sets below a group, in the order of their names."""
    seen: set[int] = set()
    stack = [("", root, 0)]
    while stack:
        path, header, depth = stack.pop()
        if header in seen or depth > MAX_DEPTH:
            continue
        seen.add(header)
        if len(seen) > _MAX_HEADERS:
            raise BrokenFileError("it has too many groups")
        messages = dict(_messages(content, header))
        if _SYMBOLS in messages:
            tree, names = struct.unpack_from("<QQ", _padded(messages[_SYMBOLS], 16))
            entries = [
                (f"{path}/{name}" if path else name, at, depth + 1)
                for name, at in _entries(content, _Group(tree, names))
            ]
            stack.extend(reversed(entries))
        elif _DATASPACE in messages and _DATATYPE in messages:
            dtype = _dtype(messages[_DATATYPE])
            if dtype:
                yield Tensor(path, _shape(messages[_DATASPACE]), dtype)


def _messages(content: Content, header: int) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the content of each message of an object."""
    if content.number(header, 1) != 1:
        raise BrokenFileError(_NEWER)
    left = content.number(header + 2, 2)
    blocks = [(header + 16, content.number(header + 8, 4))]
    total = 0
    while blocks and left:
        start, size = blocks.pop(0)
        total += size
        if total > _MAX_MESSAGES:
            raise BrokenFileError("an object in it is too large")
        block, at = content.read(start, size), 0
        while at + 8 <= size and left:
            kind, length = struct.unpack_from("<HH", block, at)
            message = block[at + 8 : at + 8 + length]
            at, left = at + 8 + length, left - 1
            if kind == _CONTINUATION:
                blocks.append(struct.unpack_from("<QQ", _padded(message, 16)))
            else:
                yield kind, message


def _padded(message: bytes, size: int) -> bytes:
    if len(message) < size:
        raise BrokenFileError("an object in it is broken")
    return message


def _entries(content: Content, group: _Group) -> Iterator[tuple[str, int]]:
    """Yield the name and the header of each member of a group."""
    heap = _heap(content, group.names)
    for node in _leaves(content, group.tree):
        count = content.number(node + 6, 2)
        table = content.read(node + 8, 40 * count)
        for name, header, kind in struct.iter_unpack("<QQI20x", table):
            if kind != 2:  # noqa: PLR2004  (a link to a name)
                yield _heap_name(heap, name), header


def _leaves(content: Content, root: int) -> Iterator[int]:
    """Yield the nodes of a tree that hold entries."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if len(seen) > _MAX_HEADERS:
            raise BrokenFileError("it has too many groups")
        sign = content.read(node, 4)
        if sign == b"SNOD":
            yield node
        elif sign == b"TREE":
            used = content.number(node + 6, 2)
            pairs = content.read(node + 24, 16 * used)
            stack.extend(child for _key, child in reversed([*struct.iter_unpack("<QQ", pairs)]))
        else:
            raise BrokenFileError("a group in it is broken")


def _heap(content: Content, heap: int) -> Content:
    if content.read(heap, 4) != b"HEAP":
        raise BrokenFileError("a group in it is broken")
    size, _free, data = struct.unpack("<QQQ", content.read(heap + 8, 24))
    return content.part(data, size)


def _heap_name(heap: Content, offset: int) -> str:
    text = heap.read(offset, max(0, min(heap.size - offset, MAX_NAME + 1)))
    name, end, _rest = text.partition(b"\0")
    if not end:
        raise BrokenFileError(f"a name in it has more than {MAX_NAME:,} characters")
    return text_of(name)


def _shape(message: bytes) -> tuple[int, ...]:
    version, rank = _padded(message, 4)[:2]
    start = 8 if version == 1 else 4
    return checked_shape(struct.unpack_from(f"<{rank}Q", _padded(message, start + 8 * rank), start))


def _dtype(message: bytes) -> str:
    """Return the element type of numbers; "" for anything else."""
    kind, signs = _padded(message, 8)[:2]
    bits = 8 * struct.unpack_from("<I", message, 4)[0]
    match kind & 0x0F:
        case 0:
            return f"{'' if signs & 0x08 else 'u'}int{bits}"
        case 1:
            return f"float{bits}"
        case _:
            return ""
