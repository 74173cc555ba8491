"""Which format a checkpoint has, by its first bytes, and the reader of that format."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mbv2cli.errors import UserError
from mbv2cli.specs.weights.content import Content, opened
from mbv2cli.specs.weights.tensors import BrokenFileError, Weights

_ZIP: Final = b"PK\x03\x04"
_PICKLE: Final = b"\x80"
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_MAX_SAFETENSORS_HEADER: Final = 100_000_000
"""Largest header that the format allows."""

_KERAS_WEIGHTS: Final = "model.weights.h5"


def starts_like_weights(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of a format that `read_weights` reads."""
    return head.startswith((_ZIP, _PICKLE, _HDF5)) or _is_safetensors(head) or _is_onnx(head)


def _is_safetensors(head: bytes) -> bool:
    size = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and size <= _MAX_SAFETENSORS_HEADER


def _is_onnx(head: bytes) -> bool:
    if head[:1] != b"\x08":
        return False
    from mbv2cli.specs.weights.onnx import starts_like_onnx

    return starts_like_onnx(head)


def read_weights(path: Path) -> Weights:
    """Read the names and shapes of a checkpoint. Raises `UserError`."""
    with opened(path) as content:
        try:
            return _read(content)
        except BrokenFileError as error:
            raise UserError(f"{path} cannot be read: {error}") from None


def _read(content: Content) -> Weights:
    head = content.read(0, min(16, content.size))
    if head.startswith(_ZIP):
        return _read_zip(content)
    if head.startswith(_HDF5):
        from mbv2cli.specs.weights.hdf5 import read_hdf5

        return read_hdf5(content)
    if _is_safetensors(head):
        from mbv2cli.specs.weights.safetensors import read_safetensors

        return read_safetensors(content)
    if head.startswith(_PICKLE):
        from mbv2cli.specs.weights.torch_files import read_pickles

        return read_pickles(content)
    from mbv2cli.specs.weights.onnx import read_onnx

    return read_onnx(content)


def _read_zip(content: Content) -> Weights:
    from mbv2cli.specs.weights.zip_archive import members, unpacked

    every = list(members(content))
    pickles = [one for one in every if one.name.rpartition("/")[2] == "data.pkl"]
    if pickles:
        from mbv2cli.specs.weights.torch_files import read_archive

        is_script = any(one.name.rpartition("/")[2] == "constants.pkl" for one in every)
        return read_archive(content, pickles[0], is_script=is_script)
    for member in every:
        if member.name == _KERAS_WEIGHTS:
            from mbv2cli.specs.weights.hdf5 import read_hdf5

            return read_hdf5(unpacked(content, member), "Keras archive")
    raise BrokenFileError(
        "it is a zip archive without data.pkl (PyTorch) and model.weights.h5 (Keras)"
    )
