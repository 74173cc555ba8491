"""Writes files: whole or not at all, and never over a file that the command reads."""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from os.path import realpath
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, cast

from mbv2cli.cli.signals import undone_by_signals
from mbv2cli.cli.streams import warn
from mbv2cli.errors import UserError
from mbv2cli.specs.files import inputs

_DESCRIPTOR: Final = re.compile(r"(/proc/[0-9]+|/dev)(/task/[0-9]+)?/fd/([0-9]+)")
"""The path of an open file of a process, without links."""

_MOST_LINKS: Final = 40
"""The links that a path may lead through; more are a loop."""

_NO_NEW_FILE: Final = frozenset((errno.EACCES, errno.EPERM, errno.EROFS))
"""Errors of a folder that takes no new file. A file in it may be writable."""

_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def write_file(text: str, file: Path) -> None:
    """Replace the content of ``file`` in one step. Raises `UserError`."""
    with outputs() as opened:
        opened(file).write(text.encode(errors="replace"))


def append_file(text: str, file: Path) -> None:
    """Add text to the end of ``file``. Raises `UserError`."""
    with _ErrorsOf(file):
        _refuse_same(file, _found(file), ())
        descriptor = _descriptor(file)
        if descriptor is None:
            descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        with _Direct(file, descriptor).stream as stream:
            stream.write(text.encode(errors="replace"))


@contextmanager
def outputs() -> Iterator[Callable[[Path], BinaryIO]]:
    """Yield a function that opens an output. At the end all outputs have their content, or none.

    Until then the content is in unfinished files, which an exception removes. A device, a pipe,
    and a name of a descriptor such as ``/dev/stdout`` are written directly. Of a file with
    several names (hard links), only the name that is given gets the new content. Raises
    `UserError` for an output that is an input or another output too, or that cannot be opened,
    written or replaced.
    """
    opened: list[_Output] = []

    def open_output(file: Path) -> BinaryIO:
        with _ErrorsOf(file):
            output = _opened(file, opened)
        opened.append(output)
        return cast("BinaryIO", _NamedStream(output.stream, file))

    def remove_unfinished() -> None:
        for output in opened:
            output.remove()

    with undone_by_signals(remove_unfinished):
        try:
            yield open_output
            for output in opened:
                output.complete()
            for output in sorted(opened, key=lambda one: one.is_safe):
                output.replace()
        finally:
            for output in opened:
                output.close()


class _Output(Protocol):
    """An output that is open."""

    file: Path
    stream: BinaryIO
    is_safe: bool
    """Whether nothing is known that makes `replace` fail. The others come first."""

    def complete(self) -> None:
        """Write what is buffered."""

    def replace(self) -> None:
        """Put the content into its place."""

    def remove(self) -> None:
        """Remove what is not in its place, whatever is still written."""

    def close(self) -> None:
        """Close the stream, and remove what is not in its place."""


def _opened(file: Path, others: Iterable[_Output]) -> _Output:
    found = _found(file)
    _refuse_same(file, found, others)
    descriptor = _descriptor(file)
    if descriptor is not None:
        return _Direct(file, descriptor)
    if found and not stat.S_ISREG(found.st_mode):
        return _Direct(file, os.open(file, os.O_WRONLY))
    return _Replacement(file, found)


def _descriptor(file: Path) -> int | None:
    """Return a copy of the descriptor that ``file``, such as ``/dev/stdout``, names or links to.

    What is open is as the caller opened it: at the same offset, appending if the caller appends.
    None if ``file`` names no descriptor. Raises `OSError`.
    """
    path = file
    for _ in range(_MOST_LINKS):
        path = Path(realpath(path.parent), path.name)
        if name := _DESCRIPTOR.fullmatch(str(path)):
            is_own = name[1] in ("/dev", realpath("/proc/self"))
            return os.dup(int(name[3])) if is_own else os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            path = path.parent / path.readlink()
        except OSError:
            break
    return None


def _found(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except FileNotFoundError:
        return None


def _refuse_same(file: Path, found: os.stat_result | None, others: Iterable[_Output]) -> None:
    """Raise `UserError` if ``file`` is a regular file that is an input, or another output, too."""
    if found and not stat.S_ISREG(found.st_mode):
        return
    for path in inputs():
        if _is_same(file, path):
            raise UserError(
                f"cannot write {file}: mbv2 reads {path}, which is the same file; "
                "write to another file"
            )
    for other in others:
        if _is_same(file, other.file):
            raise UserError(
                f"cannot write {file}: {other.file} is the same file; write to two files"
            )


def _is_same(file: Path, other: Path) -> bool:
    """Return whether two paths lead to one file, which need not exist."""
    try:
        return file.samefile(other)
    except OSError:
        return realpath(file) == realpath(other)


class _Direct:
    """An output that gets its content as it comes."""

    is_safe = True

    def __init__(self, file: Path, descriptor: int) -> None:
        self.file = file
        self.stream: BinaryIO = io.BufferedWriter(_LeavableFile(descriptor, "wb"))

    def complete(self) -> None:
        with _ErrorsOf(self.file):
            self.stream.close()

    def replace(self) -> None:
        pass

    def remove(self) -> None:
        pass

    def close(self) -> None:
        with suppress(OSError):  # an earlier one is told
            self.stream.close()


class _LeavableFile(io.FileIO):
    """A file that drops what is written once no one reads it, as standard output does."""

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except BrokenPipeError:
            return memoryview(content).nbytes


class _Replacement:
    """A regular file whose new content is in an unfinished file until it is complete."""

    def __init__(self, file: Path, found: os.stat_result | None) -> None:
        self.file = file
        self._target = Path(realpath(file))
        self._is_new = found is None
        self._unfinished, self.stream = _unfinished(self._target, is_new=self._is_new)
        is_beside = self._unfinished.parent == self._target.parent
        is_on_disk = found and found.st_dev == os.fstat(self.stream.fileno()).st_dev
        self.is_safe = self._is_new or bool(is_beside and is_on_disk)

    def complete(self) -> None:
        with _ErrorsOf(self.file):
            self.stream.flush()
            os.fsync(self.stream.fileno())  # some file systems tell only now that they are full

    def replace(self) -> None:
        with _ErrorsOf(self.file):
            try:
                if not self._is_new:
                    _give_metadata(self._target, self.stream.fileno())
                self._unfinished.replace(self._target)
            except OSError:
                if self._is_new:
                    raise
                self._write_in_place()

    def remove(self) -> None:
        with suppress(OSError):  # what is left is harmless
            self._unfinished.unlink()

    def close(self) -> None:
        with suppress(OSError):  # an earlier one is told
            self.stream.close()
        self.remove()

    def _write_in_place(self) -> None:
        """Write over the content of a file that cannot be replaced, such as a mounted one."""
        size = self.stream.seek(0, os.SEEK_END)
        self.stream.seek(0)
        with os.fdopen(os.open(self._target, os.O_WRONLY), "wb") as target:
            _reserve(target.fileno(), size)
            shutil.copyfileobj(self.stream, target)
            target.truncate()
        warn(
            f"{self.file} cannot be replaced, so mbv2 wrote it in place; a kill at such a moment "
            "leaves a part of the content"
        )


def _unfinished(target: Path, *, is_new: bool) -> tuple[Path, BinaryIO]:
    """Return a new file beside ``target``, or in the folder for temporary files if need be."""
    if is_new:
        return _created(target.parent, 0o666)
    os.close(os.open(target, os.O_WRONLY))  # a file that may not be written is not replaced
    private = 0o600  # until it has the mode of the target
    try:
        return _created(target.parent, private)
    except OSError as error:
        if error.errno not in _NO_NEW_FILE:
            raise
    from tempfile import gettempdir

    return _created(Path(gettempdir()), private)


def _created(folder: Path, mode: int) -> tuple[Path, BinaryIO]:
    """Return a new file with a name that nobody can guess, opened."""
    path = folder / f".mbv2-{os.urandom(8).hex()}.unfinished"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
    return path, os.fdopen(descriptor, "w+b")


def _give_metadata(target: Path, unfinished: int) -> None:
    """Give group, mode, extended attributes and, where allowed, the owner of ``target``.

    Raises `OSError`, for example if only the members of a group may give a file to the group.
    """
    old = target.stat()
    with suppress(OSError):
        os.fchown(unfinished, old.st_uid, -1)
    os.fchown(unfinished, -1, old.st_gid)
    if sys.platform == "linux":
        names = _attributes(target)
        for name in {*_attributes(unfinished)} - {*names}:  # the folder gave it to a new file
            with suppress(OSError):
                os.removexattr(unfinished, name)
        for name in names:
            with suppress(OSError):
                os.setxattr(unfinished, name, os.getxattr(target, name))
    os.fchmod(unfinished, stat.S_IMODE(old.st_mode))


def _attributes(file: Path | int) -> list[str]:
    """Return the names of the extended attributes, which not every file system has."""
    try:
        return os.listxattr(file)
    except OSError:
        return []


def _reserve(descriptor: int, size: int) -> None:
    """Make room for ``size`` bytes. Raises `OSError` on a full disk, and leaves the file as is."""
    old = os.fstat(descriptor).st_size
    if size <= old or not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        os.ftruncate(descriptor, old)
        if error.errno in _FULL:
            raise


class _NamedStream:
    """An open file whose errors name the file of the user."""

    def __init__(self, stream: BinaryIO, file: Path) -> None:
        self._stream = stream
        self._file = file

    def write(self, content: bytes) -> int:
        with _ErrorsOf(self._file):
            return self._stream.write(content)

    def flush(self) -> None:
        with _ErrorsOf(self._file):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _ErrorsOf(AbstractContextManager[None, None]):
    """Raises an `OSError` of the block as a `UserError` that names ``file``."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            raise UserError(f"cannot write {self._file}: {error.strerror}") from None
