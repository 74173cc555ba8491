"""Safetensors: the length of a JSON header, the header, then the data.

https://github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

from math import prod
from typing import Final

from mbv2cli.specs.files import parse_json
from mbv2cli.specs.weights.content import Content
from mbv2cli.specs.weights.tensors import BrokenFileError, Tensor, Weights, checked_shape, text_of

MAX_HEADER: Final = 4 * 2**20
"""Largest header that mbv2 reads: that of 30,000 tensors."""

_DTYPES: Final = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "BOOL": "bool",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
}
_BYTES: Final = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "BOOL": 1,
    **{f"{sign}{bits}": bits // 8 for sign in "IU" for bits in (8, 16, 32, 64)},
}


def read_safetensors(content: Content) -> Weights:
    """Read the header. Raises `BrokenFileError`, or `UserError` for JSON that is none."""
    size = content.number(0, 8)
    if size > MAX_HEADER:
        raise BrokenFileError(
            f"its header has {size:,} bytes; mbv2 reads at most {MAX_HEADER >> 20} MiB of header"
        )
    header = parse_json(text_of(content.read(8, size)), "the header of this safetensors file")
    if not isinstance(header, dict):
        raise BrokenFileError("its header is not a table")
    data_size = content.size - 8 - size
    return Weights(
        "safetensors",
        tuple(
            _tensor(name, entry, data_size)
            for name, entry in header.items()
            if name != "__metadata__"
        ),
    )


def _tensor(name: str, entry: object, data_size: int) -> Tensor:
    if not isinstance(entry, dict):
        raise BrokenFileError("a tensor in its header has no table")
    shape, dtype, place = (
        checked_shape(entry.get("shape")),
        entry.get("dtype"),
        entry.get("data_offsets"),
    )
    start, stop = checked_shape(place) if isinstance(place, list) and len(place) == 2 else (1, 0)  # noqa: PLR2004
    if not isinstance(dtype, str) or not start <= stop <= data_size:
        raise BrokenFileError("the data of a tensor is not in the file: it ends too early")
    if stop - start != prod(shape) * _BYTES.get(dtype, 0) and dtype in _BYTES:
        raise BrokenFileError("a tensor in its header has another size than its data")
    return Tensor(name, shape, _DTYPES.get(dtype, dtype.lower()))
