"""How much memory this process may still take: of the machine, its container and its limits.

A container is a cgroup of Linux: a group of processes with a limit on their memory, inside other
groups with limits of their own. The kernel ends a process that passes any of them. (psutil knows
only the machine; no library for Python reads both versions of cgroups and stays cared for.)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

import psutil

from mbv2cli.errors import UserError
from mbv2cli.specs.units import bytes_text

_MIB: Final = 2**20
_TORCH: Final = 192 * _MIB
"""Memory that the import of PyTorch needs without its code; measured: 151 MiB, with torch 2.13."""

_TORCH_ADDRESSES: Final = 704 * _MIB
"""The same with its code, which counts where addresses are limited; measured: 640 MiB."""


class Free(NamedTuple):
    """Bytes that are free, and what has them: ``the machine``, ``the container (cgroup)``."""

    bytes: int
    place: str


_ADDRESSES: Final = "this process (ulimit -v)"


class _Files(NamedTuple):
    """The files of a cgroup version: limits, the memory in use, what of it is disposable cache.

    In ``stat`` the kernel counts a group with all groups inside it. ``stat_limit`` is the key of
    the tightest limit of the groups around it, which may be out of sight.
    """

    limits: tuple[str, ...]
    used: str
    cache: str
    stat_limit: str = ""


_VERSION_1: Final = _Files(
    ("memory.limit_in_bytes",),
    "memory.usage_in_bytes",
    "total_inactive_file",
    "hierarchical_memory_limit",
)
_VERSION_2: Final = _Files(("memory.max", "memory.high"), "memory.current", "inactive_file")


def free_memory() -> Free:
    """Return the memory that is free, by the tightest of all bounds."""
    return min(_bounds())


def _bounds() -> Iterator[Free]:
    yield _of_machine()
    yield from _of_container()
    yield from _of_process()


def refuse_below_torch() -> None:
    """Raise `UserError` if there is too little memory to import PyTorch at all."""
    for free in _bounds():
        needed = _TORCH_ADDRESSES if free.place == _ADDRESSES else _TORCH
        if free.bytes < needed:
            raise UserError(
                f"PyTorch needs about {bytes_text(needed)} of memory to start and {free.place} has "
                f"{bytes_text(free.bytes)} free; use --no-forward, or allow more memory"
            )


def free_in_container(process: Path) -> int | None:
    """Return the bytes that the cgroups of a process leave free; None if they have no limit.

    ``process`` is its directory in /proc, with the files ``cgroup`` and ``mountinfo``.
    """
    groups = _groups(_text(process / "cgroup"))
    free = [
        left
        for mount in _mounts(_text(process / "mountinfo"))
        if mount.version in groups
        for directory in mount.path_to(groups[mount.version])
        if (left := _left(directory, _FILES[mount.version])) is not None
    ]
    return max(0, min(free)) if free else None


def _of_machine() -> Free:
    try:
        available = psutil.virtual_memory().available
    except OSError:  # /proc is not mounted
        available = sys.maxsize
    return Free(int(available), "the machine")


def _of_container() -> Iterator[Free]:
    in_container = free_in_container(Path("/proc/self"))
    if in_container is not None:
        yield Free(in_container, "the container (cgroup)")


_FILES: Final = {"cgroup": _VERSION_1, "cgroup2": _VERSION_2}
"""The files of a version, by the name of its file system."""


def _groups(text: str) -> dict[str, PurePosixPath]:
    """Return the group of a process in each version that may count its memory."""
    found = {}
    for line in text.splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:
            found["cgroup2"] = PurePosixPath(path)
        elif "memory" in controllers.split(","):
            found["cgroup"] = PurePosixPath(path)
    return found


class _Mount(NamedTuple):
    """A mounted hierarchy of groups: the group at its top, and where it is mounted."""

    version: str
    top: PurePosixPath
    directory: Path

    def path_to(self, group: PurePosixPath) -> Iterator[Path]:
        """Yield the directories from ``group`` up to the top of the mount.

        A group that the mount does not show, such as one outside the namespace, is at the top.
        """
        inside = ".." not in group.parts and group.is_relative_to(self.top)
        steps = group.relative_to(self.top).parts if inside else ()
        for depth in range(len(steps), -1, -1):
            yield self.directory.joinpath(*steps[:depth])


def _mounts(text: str) -> Iterator[_Mount]:
    """Yield the mounts of ``mountinfo`` that show the memory of groups."""
    for line in text.splitlines():
        mount, _, source = line.partition(" - ")
        fields, (version, *rest) = mount.split(), [*source.split(), ""]
        if len(fields) > 4 and (version == "cgroup2" or _counts_memory(version, rest)):  # noqa: PLR2004
            yield _Mount(version, PurePosixPath(_plain(fields[3])), Path(_plain(fields[4])))


def _counts_memory(version: str, rest: list[str]) -> bool:
    return version == "cgroup" and any("memory" in word.split(",") for word in rest)


def _plain(word: str) -> str:
    r"""Return a path of ``mountinfo``, which writes a space as ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), word)


def _left(directory: Path, files: _Files) -> int | None:
    """Return the bytes that a group leaves free; None if it has no limit or is not there."""
    stat = dict(
        pair
        for line in _text(directory / "memory.stat").splitlines()
        if len(pair := line.split()) == 2  # noqa: PLR2004
    )
    limits = [*(_text(directory / name) for name in files.limits), stat.get(files.stat_limit, "")]
    numbers = [number for text in limits if (number := _number(text)) is not None]
    used = _number(_text(directory / files.used))
    if not numbers or used is None:
        return None
    cache = _number(stat.get(files.cache, "")) or 0
    return min(numbers) - max(0, used - cache)


def _number(text: str) -> int | None:
    """Return a whole number; None for ``max`` and for a file that is not there."""
    return int(text) if text.strip().isdecimal() else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _of_process() -> Iterator[Free]:
    """Yield what the limits of this process leave free (``ulimit -v`` and ``ulimit -d``)."""
    if sys.platform != "linux":  # other systems do not enforce them, or count otherwise
        return
    import resource

    memory = psutil.Process().memory_info()
    for limit, used, place in (
        (resource.RLIMIT_AS, memory.vms, _ADDRESSES),
        (resource.RLIMIT_DATA, memory.data, "this process (ulimit -d)"),
    ):
        allowed, _hard = resource.getrlimit(limit)
        if allowed != resource.RLIM_INFINITY:
            yield Free(max(0, allowed - used), place)
