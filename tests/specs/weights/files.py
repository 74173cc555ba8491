"""Checkpoints of every format that is short enough to be written by hand."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from io import BytesIO
from math import prod
from typing import Final, TypeAlias

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


def safetensors_bytes(shapes: Shapes, *, with_data: bool = True) -> bytes:
    """Return a safetensors file of float32 zeros."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in shapes.items():
        size = 4 * prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(at if with_data else 0)


def protobuf(field: int, value: bytes | int) -> bytes:
    """Return a field of a message: a number, or bytes with their length."""
    if isinstance(value, int):
        return varint(field << 3) + varint(value)
    return varint(field << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    """Return a number of seven bits a byte."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(found) + bytes([value])


def onnx_bytes(
    shapes: Shapes, nodes: Iterable[tuple[str, Sequence[str]]], *, transposes: bool = True
) -> bytes:
    """Return an ONNX file with these float32 tensors, and nodes that are a kind with its inputs.

    Every ``Gemm`` has the attribute ``transB``, as PyTorch exports a linear layer. Every node gives
    ``y``.
    """
    attribute = protobuf(5, protobuf(1, b"transB") + protobuf(3, int(transposes)))
    graph = b""
    for kind, takes in nodes:
        inputs = b"".join(protobuf(1, name.encode()) for name in takes)
        named = inputs + protobuf(2, b"y") + protobuf(4, kind.encode())
        graph += protobuf(1, named + attribute * (kind == "Gemm"))
    graph += b"".join(
        protobuf(
            5,
            b"".join(protobuf(1, size) for size in shape)
            + protobuf(2, 1)
            + protobuf(8, name.encode())
            + protobuf(9, bytes(4 * min(prod(shape), 100))),
        )
        for name, shape in shapes.items()
    )
    return protobuf(1, 8) + protobuf(2, b"tests") + protobuf(7, graph)


def zip_bytes(members: Mapping[str, bytes], *, method: int = 0, size: int | None = None) -> bytes:
    """Return a zip archive. The bytes of a member stand in it as given."""
    body, listed = bytearray(), bytearray()
    for name, content in members.items():
        unpacked = len(content) if size is None else size
        fields = (20, 0, method, 0, 0, zlib.crc32(content), len(content), unpacked, len(name), 0)
        listed += struct.pack("<4sH5H3I5H2I", b"PK\x01\x02", 20, *fields, 0, 0, 0, 0, len(body))
        listed += name.encode()
        body += struct.pack("<4s5H3I2H", b"PK\x03\x04", *fields) + name.encode() + content
    end = (0, 0, len(members), len(members), len(listed), len(body), 0)
    return bytes(body + listed + struct.pack("<4s4H2IH", b"PK\x05\x06", *end))


SMALL: Final[Shapes] = {
    "features.0.0.weight": (8, 3, 3, 3),
    "features.0.1.weight": (8,),
    "features.0.1.bias": (8,),
    "features.1.conv.0.0.weight": (8, 1, 3, 3),
    "features.1.conv.1.weight": (4, 8, 1, 1),
    "features.2.conv.0.0.weight": (24, 4, 1, 1),
    "features.2.conv.1.0.weight": (24, 1, 5, 5),
    "features.2.conv.2.weight": (6, 24, 1, 1),
    "features.3.0.weight": (16, 6, 1, 1),
    "classifier.1.weight": (10, 16),
    "classifier.1.bias": (10,),
}
"""The shapes of a network of two blocks."""


@cache
def small_files() -> Mapping[str, bytes]:
    """Return the network of `SMALL` in every format, by the name of the format."""
    import torch

    def saved(*, zipped: bool) -> bytes:
        file = BytesIO()
        state = {name: torch.zeros(shape) for name, shape in SMALL.items()}
        torch.save(state, file, _use_new_zipfile_serialization=zipped)
        return file.getvalue()

    files = {
        "safetensors": safetensors_bytes(SMALL),
        "zip": saved(zipped=True),
        "pickles": saved(zipped=False),
        "onnx": onnx_bytes(SMALL, [("Conv", [name]) for name in SMALL]),
    }
    with suppress(ImportError):
        files["hdf5"] = hdf5_bytes()
    return files


def hdf5_bytes() -> bytes:
    """Return the network of `SMALL` as Keras stores one. Raises `ImportError` without h5py."""
    import h5py

    file = BytesIO()
    with h5py.File(file, "w") as content:
        for name, shape in SMALL.items():
            *path, last = name.split(".")
            kernel = shape[2:] + shape[1::-1] if len(shape) == 4 else shape[::-1]
            if len(shape) == 4 and shape[1] == 1:
                kernel = (*shape[2:], shape[0], 1)
                last = "depthwise_kernel"
            content.create_dataset("/".join([*path, last]), kernel, "f4")
    return file.getvalue()
