"""Files that try to run code, or to take all memory or time, and a process that reads them.

``python -m tests.specs.weights.hostile FOLDER`` reads each file of a folder. A line for each has
its name, the seconds, the largest memory of the process so far in MB, what came out, and which
functions of the system were called.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import struct
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import process_time
from typing import Final

from mbv2cli.errors import UserError
from tests.specs.weights.files import onnx_bytes, protobuf, safetensors_bytes, zip_bytes

TRACE: Final = "trace"
"""A file that exists if code of a pickle has run."""

WATCHED: Final = (
    *(
        "os.",
        "subprocess.",
        "shutil.",
        "exec",
        "compile",
        "import",
        "pickle.",
        "socket.",
        "ctypes.",
    ),
)
"""The starts of the events of Python that no reader of a checkpoint causes."""


def calling(code: bytes) -> bytes:
    """Return a pickle that runs a line of the shell before it stops."""
    return b"\x80\x02" + code + b"."


_SYSTEM: Final = b"cos\nsystem\n"
_COMMAND: Final = b"X" + struct.pack("<I", len(TRACE) + 6) + f"touch {TRACE}".encode()
_EVAL: Final = b"cbuiltins\neval\n"
_CODE: Final = f"open({TRACE!r}, 'w')".encode()
_EXPRESSION: Final = b"X" + struct.pack("<I", len(_CODE)) + _CODE

CALLS: Final[Mapping[str, bytes]] = {
    "REDUCE": calling(_SYSTEM + _COMMAND + b"\x85R"),
    "REDUCE of eval": calling(_EVAL + _EXPRESSION + b"\x85R"),
    "STACK_GLOBAL": calling(b"\x8c\x02os\x8c\x06system\x93" + _COMMAND + b"\x85R"),
    "INST": calling(b"(" + _COMMAND + b"ios\nsystem\n"),
    "OBJ": calling(b"(" + _SYSTEM + _COMMAND + b"o"),
    "NEWOBJ": calling(_SYSTEM + _COMMAND + b"\x85\x81"),
    "NEWOBJ_EX": calling(_SYSTEM + _COMMAND + b"\x85}\x92"),
    "BUILD": calling(b"cos\nenviron\n)\x81}" + _COMMAND + b"K\x01sb"),
    "persistent id": calling(_SYSTEM + _COMMAND + b"\x85RQ"),
    "EXT1": calling(b"\x82\x01)R"),
    "a tensor of a subclass": calling(
        b"ctorch._tensor\n_rebuild_from_type_v2\n(" + _SYSTEM + b"N" + _COMMAND + b"\x85}tR"
    ),
    "a dict of a call": calling(
        b"ccollections\nOrderedDict\n" + _SYSTEM + _COMMAND + b"\x85R\x85R"
    ),
}


def write_files(folder: Path) -> int:
    """Write the files, and return how many there are. Zeros at the end take no room."""
    number = 0
    for number, (name, content, *zeros) in enumerate(_files(), start=1):
        with (folder / f"{number:03} {name}").open("wb") as file:
            file.write(content)
            file.truncate(len(content) + sum(zeros))
    return number


def _files() -> Iterator[tuple[str, bytes] | tuple[str, bytes, int]]:
    for name, pickle in CALLS.items():
        yield f"pickle that calls: {name}", pickle
        yield f"archive that calls: {name}", zip_bytes({"m/data.pkl": pickle})
    yield from _pickles()
    yield from _archives()
    yield from _others()


def _pickles() -> Iterator[tuple[str, bytes] | tuple[str, bytes, int]]:
    many = 400_000
    yield "lists without end", b"\x80\x02" + b"]" * many
    yield "dicts and memo", b"\x80\x02" + b"}\x94" * many
    yield "hash of nested tuples", b"\x80\x02})" + b"\x85" * 120_000 + b"K\x01s."
    yield "lists within lists", b"\x80\x02" + b"]" * 60_000 + b"a" * 59_999 + b"."
    yield "a list in itself", b"\x80\x02]q\x00h\x00a."
    yield "a dict in itself", b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s."
    doubling = (
        b"\x80\x02}q\x00"
        + b"".join(
            b"}q"
            + bytes([n + 1])
            + b"("
            + b"".join(
                b"X\x01\x00\x00\x00" + letter + b"h" + bytes([n]) for letter in (b"a", b"b", b"c")
            )
            + b"u"
            for n in range(200)
        )
        + b"."
    )
    yield "dicts that double", doubling
    yield "a text of 4 GB", b"\x80\x02X\xff\xff\xff\xff" + b"a" * 1000
    yield "a text of 16 EB", b"\x80\x04\x8d" + b"\xff" * 8
    yield "a text of 1 GB", b"\x80\x02X" + struct.pack("<I", 2**30), 2**30
    yield "texts of 20 MB", b"\x80\x02" + (b"X\x00\x04\x00\x00" + b"a" * 1024) * 20_000
    yield "a long of 1 GB", b"\x80\x02\x8b" + struct.pack("<i", 2**30), 2**30
    yield "a line of 1 GB", b"\x80\x02c", 2**30
    yield "a number with two signs", b"\x80\x02I--5\n."
    yield (
        "objects within objects",
        b"\x80\x02N)\x81" + b"q\0N)\x81}U\x01ah\0sb" * 20_000 + b".",
    )
    yield "calls of calls", b"\x80\x02N" + b")R" * 60_000 + b"."
    yield "a number of a million digits", b"\x80\x02I" + b"9" * 1_000_000 + b"\n."
    yield "a memo key of many digits", b"\x80\x02Np" + b"9" * 900 + b"\n."
    yield "a stack that is empty", b"\x80\x02R."
    yield "a mark alone", b"\x80\x02((((e."
    yield "only marks", b"\x80\x02" + b"(" * many + b"0" * many
    yield "marks and pops", b"\x80\x02" + b"N" * 200_000 + b"1" * 100_000
    name = b"ctorch._utils\n_rebuild_tensor_v2\nq\x00cstorage\nx\nq\x01"
    one = b"h\x00(NK\x00K\x01\x85t" + b"R"
    item = b"X\x01\x00\x00\x00w" + one
    yield "a million tensors", b"\x80\x02" + name + b"}(" + item * 1_000_000 + b"u."
    yield (
        "huge sizes",
        b"\x80\x02}X\x01\x00\x00\x00w"
        + name
        + (b"h\x00(NK\x00\x8a\x09" + b"\xff" * 8 + b"\x00\x85tRs."),
    )


def _archives() -> Iterator[tuple[str, bytes]]:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = b"".join(packer.compress(b"]" * 2**24) for _ in range(8)) + packer.flush()
    yield "a zip bomb", zip_bytes({"m/data.pkl": zeros}, method=8, size=2**27)
    yield "a zip bomb for Keras", zip_bytes({"model.weights.h5": zeros}, method=8, size=2**27)
    right = zip_bytes({"m/data.pkl": b"\x80\x02}."})
    yield "an archive without an end", right[:-30]
    yield "a list of members elsewhere", right[:-6] + b"\xff\xff\xff\x7f\0\0"
    yield "many members", _many_members(300_000)
    yield "65535 members that are broken", _many_members(65_535)
    yield "a size of 16 EB", zip_bytes({"m/data.pkl": b"\x80\x02}."}, size=2**32 - 1)
    yield "a method of its own", zip_bytes({"m/data.pkl": b"\x80\x02}."}, method=99)


def _many_members(number: int) -> bytes:
    entries = (b"PK\x01\x02" + bytes(24) + b"\x01" + bytes(17) + b"a") * number
    start = b"PK\x03\x04" + bytes(26)
    sizes = (number, number, len(entries), len(start))
    end64 = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, *sizes)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, len(start) + len(entries), 1)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    return start + entries + end64 + locator + end


def _others() -> Iterator[tuple[str, bytes] | tuple[str, bytes, int]]:
    yield "a header of 16 EB", b"\xff" * 7 + b"\x00{"
    yield "a header of 90 MB", struct.pack("<Q", 90_000_000) + b"{", 90_000_000
    yield (
        "a header of lists",
        struct.pack("<Q", 4_000_000) + b'{"a":[' + b"[]," * 1_333_000 + b"]" * 994,
    )
    yield "a header nested deep", struct.pack("<Q", 200_000) + b'{"a":' + b"[" * 199_995
    yield "a header of numbers", struct.pack("<Q", 100_008) + b'{"a":' + b"9" * 100_002 + b"}"
    yield (
        "names of control signs",
        safetensors_bytes(
            {f"\x1b[2J\r\n::error::\u202e{number}": (8, 1, 3, 3) for number in range(99)}
        ),
    )
    yield (
        "shapes that are none",
        _header({"a": {"dtype": "F32", "shape": [-1, 2.5], "data_offsets": [0, 4]}}),
    )
    yield (
        "sizes beyond all",
        _header({"a": {"dtype": "F32", "shape": [10**30], "data_offsets": [0, 4]}}),
    )
    yield (
        "offsets beyond the end",
        _header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 10**18]}}),
    )
    yield "offsets of text", _header({"a": {"dtype": [], "shape": "8", "data_offsets": "ab"}})
    yield "a header that is a list", struct.pack("<Q", 3) + b"{}]"
    yield "many fields (ONNX)", b"\x08\x07\x12\x00" + protobuf(7, protobuf(1, b"") * 400_000)
    yield "a graph of 16 EB", b"\x08\x07\x12\x00\x3a" + b"\xff" * 9 + b"\x01"
    yield "a number without end", b"\x08\x07\x12\x00\x3a" + b"\xff" * 100
    yield (
        "a name of 9 MB (ONNX)",
        b"\x08\x07\x12\x00" + protobuf(7, protobuf(5, protobuf(8, b"a" * (9 << 20)))),
    )
    yield (
        "many sizes (ONNX)",
        b"\x08\x07\x12\x00"
        + protobuf(7, protobuf(5, protobuf(1, b"\x01" * 400_000) + protobuf(8, b"a"))),
    )
    yield from _hdf5_files()


def _header(content: object) -> bytes:
    text = json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text + bytes(8)


def _hdf5_files() -> Iterator[tuple[str, bytes]]:
    sign = b"\x89HDF\r\n\x1a\n"
    start = sign + bytes([0, 0, 0, 0, 0, 8, 8, 0]) + bytes(40)  # superblock 0
    root = start + struct.pack("<QQ", 0, 96) + bytes(24)
    yield "HDF5 that ends", root
    yield "HDF5 of a newer layout", sign + b"\x02\x08\x08\x00" + bytes(60)
    looping = b"\x01\0" + struct.pack("<HIIxxxx", 60_000, 1, 24)
    block = struct.pack("<HHB3xQQ", 0x10, 16, 0, 112, 24)
    yield "HDF5 whose header goes on in itself", root + looping + block
    symbols = (
        b"\x01\0"
        + struct.pack("<HIIxxxx", 1, 1, 24)
        + struct.pack("<HHB3xQQ", 0x11, 16, 0, 136, 200)
    )
    tree = b"TREE\0\x01" + struct.pack("<HQQ", 1, 0, 0) + struct.pack("<QQ", 0, 136)
    heap = b"HEAP" + bytes(4) + struct.pack("<QQQ", 8, 0, 232) + bytes(16)
    content = root + symbols + tree
    yield "HDF5 with a tree in itself", content + bytes(200 - len(content)) + heap
    leaf = b"TREE\0\0" + struct.pack("<HQQ", 1, 0, 0) + struct.pack("<QQ", 0, 300)
    content = root + symbols + leaf
    content += bytes(200 - len(content)) + heap
    content += bytes(300 - len(content)) + b"SNOD\x01\0" + struct.pack("<H", 60_000)
    content += struct.pack("<QQI20x", 0, 96, 0) * 60_000
    yield "HDF5 with a group in itself", content


def main(folder: Path) -> None:
    """Read each file of a folder and print what came out."""
    from mbv2cli.specs.checkpoint.model import read_checkpoint

    paths = sorted(folder.iterdir())
    os.chdir(folder)
    for warm in WARM:  # imports what the readers need
        with contextlib.suppress(UserError):
            _written(warm)
            read_checkpoint(Path("warm"))
    events: list[str] = []
    watching = False

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event.startswith(WATCHED):
            events.append(f"{event}{arguments!r:.80}")

    sys.addaudithook(watch)
    for path in paths:
        start = process_time()
        watching = True
        try:
            outcome = f"is a {read_checkpoint(path).what}"
        except UserError as error:
            outcome = str(error)
        watching = False
        seconds = process_time() - start
        peak = _peak_megabytes()
        ran = [*events, *([TRACE] if Path(TRACE).exists() else [])]
        row = [path.name, round(seconds, 2), round(peak), outcome[:200], ran]
        print(json.dumps(row))  # noqa: T201
        events.clear()


WARM: Final = (
    b"\x80\x02}.",
    zip_bytes({"m/data.pkl": b"\x80\x02}."}),
    safetensors_bytes({}),
    onnx_bytes({}, []),
    b"\x89HDF\r\n\x1a\n",
)


def _peak_megabytes() -> float:
    """Return the largest memory of this process. Where /proc is, that of its parent is left out."""
    status = Path("/proc/self/status")
    if status.exists():
        peaks = (line for line in status.read_text("utf-8").splitlines() if "VmHWM" in line)
        return int(next(peaks).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _written(content: bytes) -> None:
    Path("warm").write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
