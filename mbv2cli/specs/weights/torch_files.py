"""What ``torch.save`` and ``torch.jit.save`` write: a zip archive, or pickles in a row.

The archive has a pickle ``NAME/data.pkl`` and the data of each storage in a member of its own.
Before release 1.6, a file had five pickles: a number, a version, the system, the value, and the
keys of the storages, whose data follow (``torch/serialization.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mbv2cli.specs.weights.content import Content
from mbv2cli.specs.weights.pickles import Made, Shaped, unpickle
from mbv2cli.specs.weights.tensors import (
    MAX_DEPTH,
    MAX_NAME,
    MAX_STEPS,
    MAX_TENSORS,
    MAX_TEXT,
    BrokenFileError,
    Tensor,
    Weights,
)
from mbv2cli.specs.weights.zip_archive import Member, unpacked

_MAGIC_NUMBER: Final = 0x1950A86A20F9469CFC6C
_BEFORE: Final = 2
"""How many pickles stand between the magic number and the value."""

_PARTS: Final = ("_parameters", "_buffers", "_modules")
"""The attributes of a module that hold tensors, and are no part of their names."""


def read_archive(archive: Content, pickle: Member, *, is_script: bool) -> Weights:
    """Read the pickle of an archive. Raises `BrokenFileError`."""
    value, _size = unpickle(unpacked(archive, pickle))
    return Weights("TorchScript archive" if is_script else "PyTorch file", _tensors(value))


def read_pickles(content: Content) -> Weights:
    """Read pickles in a row, or a single one. Raises `BrokenFileError`."""
    value, at = unpickle(content)
    if value != _MAGIC_NUMBER:
        return Weights("pickle", _tensors(value))
    for _ in range(_BEFORE + 1):
        value, size = unpickle(content.part(at, content.size - at))
        at += size
    return Weights("PyTorch file of before release 1.6", _tensors(value))


def _tensors(value: object) -> tuple[Tensor, ...]:
    found: list[Tensor] = []
    text = 0
    for tensor in _named(value):
        found.append(tensor)
        text += len(tensor.name)
        if len(found) > MAX_TENSORS or text > MAX_TEXT:
            raise BrokenFileError(f"it has more than {MAX_TENSORS:,} tensors, or longer names")
    return tuple(found)


def _named(value: object) -> Iterator[Tensor]:
    """Yield the tensors within a value, in order, each under the path of keys that leads to it."""
    stack: list[tuple[str, object, int]] = [("", value, 0)]
    for _ in range(MAX_STEPS):
        if not stack:
            return
        path, one, depth = stack.pop()
        array = one.array if isinstance(one, Made) else one
        if isinstance(array, Shaped):
            yield Tensor(path, array.shape, array.dtype)
        elif depth < MAX_DEPTH and len(path) < MAX_NAME:
            within = [(_joined(path, key), part, depth + 1) for key, part in _parts(one)]
            stack.extend(reversed(within))
            if len(stack) > MAX_STEPS:
                break
    raise BrokenFileError("its values are nested too deep")


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path and key else path or key


def _parts(value: object) -> Iterator[tuple[str, object]]:
    """Yield what a container holds, under its keys."""
    if isinstance(value, Made):
        state = value.state
        parts = [state[part] for part in _PARTS if isinstance(state.get(part), dict)]
        yield from (("", part) for part in parts or [state])
    elif isinstance(value, dict):
        yield from ((key, part) for key, part in value.items() if _may_hold(part))
    elif isinstance(value, (tuple, list)):
        yield from ((str(number), part) for number, part in enumerate(value) if _may_hold(part))


def _may_hold(value: object) -> bool:
    return isinstance(value, (Shaped, Made, dict, tuple, list))
