"""The bytes of a file, read only where a reader asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final, Protocol

from mbv2cli.errors import UserError
from mbv2cli.specs.files import inputs
from mbv2cli.specs.weights.tensors import MAX_NAME, BrokenFileError

_CHUNK: Final = 2**16
_TOO_SHORT: Final = "it ends too early"


class _Seekable(Protocol):
    def seek(self, offset: int, /) -> int: ...
    def read(self, size: int, /) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Content:
    """``size`` bytes of a file from ``start`` on."""

    file: _Seekable
    start: int
    size: int

    def read(self, offset: int, count: int) -> bytes:
        """Return ``count`` bytes. Raises `BrokenFileError` if there are fewer."""
        if not (offset >= 0 and 0 <= count <= self.size - offset):
            raise BrokenFileError(_TOO_SHORT)
        self.file.seek(self.start + offset)
        found = self.file.read(count)
        if found is None or len(found) != count:
            raise BrokenFileError(_TOO_SHORT)
        return found

    def number(self, offset: int, count: int) -> int:
        """Return the little-endian number of ``count`` bytes."""
        return int.from_bytes(self.read(offset, count), "little")

    def part(self, offset: int, size: int) -> Content:
        """Return a stretch of it. Raises `BrokenFileError` if it is not all there."""
        if not (offset >= 0 and 0 <= size <= self.size - offset):
            raise BrokenFileError(_TOO_SHORT)
        return Content(self.file, self.start + offset, size)


class Stream:
    """The bytes of a `Content` one after the other.

    A pickle has tens of thousands of them: this is written for speed.
    """

    __slots__ = ("_at", "_chunk", "_chunk_start", "_content")

    def __init__(self, content: Content) -> None:
        self._content = content
        self._chunk = b""
        self._chunk_start = 0
        self._at = 0  # the next byte, in the chunk or behind it

    @property
    def position(self) -> int:
        """How many bytes have been passed."""
        return self._chunk_start + self._at

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return self._content.size - self.position

    def byte(self) -> int:
        """Return the next byte. Raises `BrokenFileError` if there is none."""
        at = self._at
        if at >= len(self._chunk):
            self._fill(1)
            at = 0
        self._at = at + 1
        return self._chunk[at]

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes. Raises `BrokenFileError` if there are fewer."""
        at = self._at
        if at + count > len(self._chunk):
            self._fill(count)
            at = 0
        self._at = end = at + count
        return self._chunk[at:end]

    def _fill(self, count: int) -> None:
        """Read a chunk that starts at the next byte and has ``count`` bytes or more."""
        position = self.position
        size = min(max(count, _CHUNK), self._content.size - position)
        self._chunk = self._content.read(position, max(size, count))
        self._chunk_start, self._at = position, 0

    def number(self, count: int) -> int:
        """Return the little-endian number of the next ``count`` bytes."""
        return int.from_bytes(self.take(count), "little")

    def skip(self, count: int) -> None:
        """Pass ``count`` bytes without reading them."""
        if count > self.left:
            raise BrokenFileError(_TOO_SHORT)
        self._at += count

    def line(self) -> bytes:
        """Return the bytes up to the next line end, and pass it."""
        line = bytearray()
        while (byte := self.take(1)) != b"\n":
            line += byte
            if len(line) > MAX_NAME:
                raise BrokenFileError("a line in it is too long")
        return bytes(line)


def of_bytes(content: bytes) -> Content:
    """Return bytes that are not a file."""
    return Content(BytesIO(content), 0, len(content))


@contextmanager
def opened(path: Path) -> Iterator[Content]:
    """Open a regular file. Raises `UserError` if it cannot be read."""
    inputs()[path] = None
    try:
        with path.open("rb", buffering=0) as file:
            yield Content(file, 0, path.stat().st_size)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
