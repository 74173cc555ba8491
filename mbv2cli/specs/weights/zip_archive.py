"""The members of a zip archive, without unpacking what is not asked for.

APPNOTE.TXT 6.3 of PKWARE: the list of the members stands at the end of the archive.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from mbv2cli.specs.weights.content import Content, Stream, of_bytes
from mbv2cli.specs.weights.tensors import MAX_TENSORS, BrokenFileError, text_of

MAX_UNPACKED: Final = 16 * 2**20
"""Most bytes of a member that is compressed; what is stored as it is may have any size."""

_END: Final = b"PK\x05\x06"
_END_SIZE: Final = 22
_LONGEST_COMMENT: Final = 2**16
_LOCATOR: Final = b"PK\x06\x07"
_LOCATOR_SIZE: Final = 20
_MEMBER: Final = struct.Struct("<4s6H3I5H2I")
_MEMBER_SIGN: Final = b"PK\x01\x02"
_LOCAL_SIGN: Final = b"PK\x03\x04"
_UNKNOWN: Final = 2**32 - 1
_STORED: Final = 0
_DEFLATED: Final = 8


class Member(NamedTuple):
    """A file in the archive: its name, how it is packed, and where."""

    name: str
    method: int
    packed_size: int
    size: int
    header: int


def members(archive: Content) -> Iterator[Member]:
    """Yield the members. Raises `BrokenFileError`."""
    start, size, count = _list_of_members(archive)
    if count > MAX_TENSORS:
        raise BrokenFileError(f"it has {count:,} members; mbv2 reads at most {MAX_TENSORS:,}")
    stream = Stream(archive.part(start, size))
    for _ in range(count):
        fields = _MEMBER.unpack(stream.take(_MEMBER.size))
        if fields[0] != _MEMBER_SIGN:
            raise BrokenFileError("the list of its members is broken")
        method, packed, size_, name_size, extra, comment = *fields[4:5], *fields[8:13]
        name = stream.take(name_size)
        more = _large(stream.take(extra))
        stream.skip(comment)
        sizes = [next(more, 0) if one == _UNKNOWN else one for one in (size_, packed, fields[-1])]
        yield Member(text_of(name), method, sizes[1], sizes[0], sizes[2])


def _large(extra: bytes) -> Iterator[int]:
    """Yield the numbers of a member that do not fit into 32 bits: field 1 of its extra fields."""
    while len(extra) >= 4:  # noqa: PLR2004  (the head of a field)
        kind, size = struct.unpack_from("<HH", extra)
        if kind == 1:
            numbers = extra[4 : 4 + size]
            yield from (value for (value,) in struct.iter_unpack("<Q", numbers[: size // 8 * 8]))
        extra = extra[4 + size :]


def _list_of_members(archive: Content) -> tuple[int, int, int]:
    """Return start and size of the list of members, and their number."""
    tail_size = min(archive.size, _END_SIZE + _LONGEST_COMMENT)
    tail = archive.read(archive.size - tail_size, tail_size)
    found = tail.rfind(_END, 0, len(tail) - _END_SIZE + len(_END))
    if found < 0:
        raise BrokenFileError("it ends too early")
    count, size, start = struct.unpack_from("<HII", tail, found + 10)
    end = archive.size - tail_size + found
    if end >= _LOCATOR_SIZE and archive.read(end - _LOCATOR_SIZE, 4) == _LOCATOR:
        large = archive.number(end - _LOCATOR_SIZE + 8, 8)
        count, size, start = struct.unpack("<QQQ", archive.read(large + 32, 24))
    return start, size, count


def unpacked(archive: Content, member: Member) -> Content:
    """Return the bytes of a member. Raises `BrokenFileError` if they are too many."""
    if archive.read(member.header, 4) != _LOCAL_SIGN:
        raise BrokenFileError("the list of its members is broken")
    names = archive.number(member.header + 26, 2) + archive.number(member.header + 28, 2)
    packed = archive.part(member.header + 30 + names, member.packed_size)
    if member.method == _STORED:
        return packed
    if member.method != _DEFLATED:
        raise BrokenFileError("its members are compressed in a way that PyTorch and Keras have not")
    return of_bytes(_inflated(packed))


def _inflated(packed: Content) -> bytes:
    import zlib

    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    found, stream = bytearray(), Stream(packed)
    try:
        while stream.left and len(found) <= MAX_UNPACKED:
            most = MAX_UNPACKED + 1 - len(found)
            found += unpacker.decompress(stream.take(min(stream.left, 2**15)), most)
    except zlib.error:
        raise BrokenFileError("a member of it cannot be unpacked") from None
    if len(found) > MAX_UNPACKED:
        raise BrokenFileError(f"a member of it unpacks to more than {MAX_UNPACKED >> 20} MiB")
    return bytes(found)
