"""Runs mbv2 on an input, in this process and in a folder of its own, and judges how it ends.

A process for each input would take a hundred times as long. So the commands are built once, and
what mbv2 remembers of one input is there for the next.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import io
import json
import os
import pkgutil
import re
import resource
import shutil
import signal
import sys
import tempfile
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeAlias
from unittest.mock import patch

import typer

import mbv2cli
from mbv2cli.cli import app
from mbv2cli.cli import run as command_line
from tests.process import ENVIRONMENT, Result

SECONDS: Final = 5
"""Seconds of the processor that an input may take. Other processes of the machine do not count."""

WAITING: Final = 60
"""Seconds after which an input is stopped that waits and does nothing."""

MEMORY: Final = 2**30
"""Bytes of address space that an input may add.

A limit of the system stops the input before the machine has no memory left. `tracemalloc` sees no
memory of libraries in C, and the peak of a process (`ru_maxrss`) shows only the largest input.
"""


class Kind(Enum):
    """What can be in the place of a file with content."""

    FOLDER = "folder"
    LINK_TO_NOTHING = "link to nothing"
    LINK_TO_ITSELF = "link to itself"


Content: TypeAlias = bytes | Kind


@dataclass(frozen=True)
class Input:
    """The words after ``mbv2``, and the files in the folder where mbv2 runs."""

    words: tuple[str, ...]
    files: Mapping[str, Content] = field(default_factory=dict)
    columns: int | None = None
    """Width of the terminal, if standard output is one."""


def assert_ends_well(one: Input) -> int:
    """Run an input and assert that it ends as every input has to. Return the exit code."""
    with _own_folder(one.files) as folder:
        before = _content(folder)
        with _guarded(folder) as outside:
            result = _run(one.words) if one.columns is None else _run_at_terminal(one)
            if result.code not in (0, 1, 2):
                _raise_bug(one.words)
        _assert_says_what_is_wrong(result)
        assert result.code != 2 or one.columns or not result.stdout, result.stdout
        _assert_writes_what_is_asked(one.words, result, before, _content(folder))
    names_a_path = any("/" in word or ".." in word for word in one.words)
    assert names_a_path or not outside, f"touches {outside}"
    return result.code


def _assert_says_what_is_wrong(result: Result) -> None:
    lines = result.stderr.split("\n")
    assert lines.pop() == "", "the last line does not end"
    assert all(line.startswith("mbv2: ") for line in lines), result.stderr
    assert "Traceback" not in result.stderr
    assert not _hidden(result.stdout), _hidden(result.stdout)
    assert not _hidden(result.stderr), _hidden(result.stderr)
    assert lines or result.code != 2, "no sentence says what is wrong"
    if result.stdout.startswith("{"):
        json.loads(result.stdout)


_COMMON: Final = {chr(code) for code in range(32, 127)} | {"\n"}
_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _hidden(text: str) -> list[str]:
    """Return the characters that are not shown but change how the text around them is shown."""
    return [
        f"U+{ord(one):04X}"
        for one in sorted(set(text) - _COMMON)
        if one in _BIDI or unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp")
    ]


_NOTHING: Final = "nothing"
"""The name that a link to nothing has as its target. What is written to the link appears there."""

_OWN_FILES: Final = frozenset({"mbv2.toml", ".github", ".pre-commit-config.yaml", _NOTHING})


def _assert_writes_what_is_asked(
    words: tuple[str, ...],
    result: Result,
    before: Mapping[str, object],
    after: Mapping[str, object],
) -> None:
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert result.code != 2 or not changed, f"changes {changed} and exits with 2"
    assert changed <= after.keys(), f"removes {changed - after.keys()}"
    for name in changed - _OWN_FILES:
        asked = "lock" if name.endswith(".lock") else name
        assert any(asked in word for word in words), f"writes {name}"


_STYLE: Final = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b]*\x1b\\")
"""A style or the address of a link, as rich writes them for a terminal."""


def _run_at_terminal(one: Input) -> Result:
    """Run the command line as at a terminal. Return what it shows without styles."""
    with patch.dict(os.environ, {"TERM": "xterm-256color", "COLUMNS": str(one.columns)}):
        result = _run(one.words, terminal=True)
    return result._replace(stdout=_STYLE.sub("", result.stdout))


def _run(words: tuple[str, ...], *, terminal: bool = False) -> Result:
    stdout, stderr = (_stream(errors) for errors in ("strict", "backslashreplace"))
    with (
        patch.object(stdout, "isatty", lambda: terminal),
        patch.object(sys, "argv", ["mbv2", *words]),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        warnings.catch_warnings(),
    ):
        code = command_line.run()
    gc.unfreeze()  # what an import of mbv2 keeps from the collector is here the garbage of inputs
    return Result(int(code), _text(stdout), _text(stderr))


def _raise_bug(words: tuple[str, ...]) -> None:
    """Run the command line again and raise the exception that mbv2 calls a bug."""
    with patch.dict(os.environ, {"MBV2_DEBUG": "1"}):
        result = _run(words)
    raise AssertionError(f"exit code {result.code}: {result.stderr}")


def _stream(errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors, write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    content: bytes = stream.buffer.getvalue()  # type: ignore[attr-defined]  # it is a BytesIO
    return content.decode()


@contextlib.contextmanager
def _own_folder(files: Mapping[str, Content]) -> Iterator[Path]:
    """Fill the folder of this process; leave it empty. To make a folder for each takes longer."""
    folder = _home() / "inputs"
    folder.mkdir(exist_ok=True)
    try:
        for name, content in files.items():
            with contextlib.suppress(OSError, ValueError):  # a name that no file can have
                _make(folder / name, content)
        with contextlib.chdir(folder):
            yield folder
    finally:
        for one in folder.iterdir():
            shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()


@functools.cache
def _home() -> Path:
    """Make the folder of this process, for inputs and for the fonts that matplotlib finds."""
    home = Path(tempfile.mkdtemp(prefix="mbv2-fuzz-")).resolve()
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return home


def _make(path: Path, content: Content) -> None:
    match content:
        case bytes():
            path.write_bytes(content)
        case Kind.FOLDER:
            path.mkdir()
        case Kind.LINK_TO_NOTHING:
            path.symlink_to(_NOTHING)
        case Kind.LINK_TO_ITSELF:
            path.symlink_to(path.name)


def _content(folder: Path) -> Mapping[str, object]:
    """Return the content of each file of a folder; of what is not a file, that it is there."""
    with os.scandir(folder) as entries:
        return {
            one.name: Path(one.path).read_bytes()
            if one.is_file(follow_symlinks=False)
            else one.is_symlink()
            for one in entries
        }


class _TooLongError(BaseException):
    """An input takes too long. No handler of mbv2 takes it for an error."""


@contextlib.contextmanager
def _guarded(folder: Path) -> Iterator[list[str]]:
    """Bound the time, the memory and the files of the block; yield what it touches outside."""
    outside: list[str] = []
    handlers = {number: signal.signal(number, _stop) for number in (signal.SIGPROF, signal.SIGALRM)}
    limits = resource.getrlimit(resource.RLIMIT_AS)
    if used := _address_space():
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, limits[1]))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, WAITING)
    _watch.folders, _watch.outside = (folder, _home() / "matplotlib"), outside
    try:
        yield outside
    except _TooLongError:
        raise AssertionError("takes too long") from None
    finally:
        _watch.folders = ()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _stop(_number: int, _frame: object) -> None:
    raise _TooLongError


def _address_space() -> int:
    """Return the bytes of address space of this process; 0 where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[0]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize()


class _Watch:
    """Refuses what an input does outside its folder, and remembers it."""

    def __init__(self) -> None:
        self.folders: tuple[Path, ...] = ()
        self.outside: list[str] = []

    def __call__(self, event: str, values: tuple[Any, ...]) -> None:
        if not self.folders or event not in _CHANGES:
            return
        for value in _CHANGES[event](values):
            path = os.fsdecode(value)
            if path in (os.devnull, "git"):
                continue
            real = Path(os.path.realpath(path))
            if not any(real.is_relative_to(folder) for folder in self.folders):
                self.outside.append(f"{event} {path}")
                raise PermissionError(13, "Permission denied", path)


def _opened(values: tuple[Any, ...]) -> list[Any]:
    path, _mode, flags = values
    writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    return [path] if writes and isinstance(path, str | bytes) else []


def _first(values: tuple[Any, ...]) -> list[Any]:
    return [one for one in values[:1] if isinstance(one, str | bytes)]


def _both(values: tuple[Any, ...]) -> list[Any]:
    return [one for one in values[:2] if isinstance(one, str | bytes)]


_CHANGES: Final[Mapping[str, Callable[[tuple[Any, ...]], list[Any]]]] = {
    "open": _opened,
    **dict.fromkeys(("os.rename", "os.link", "os.symlink"), _both),
    **dict.fromkeys(
        ("os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "os.chown"), _first
    ),
    **dict.fromkeys(("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"), _first),
    "socket.connect": lambda values: [str(values[1])],
    "os.fork": lambda _values: ["a process"],
}
"""By event of Python's audit, what it changes or starts."""

_watch: Final = _Watch()
sys.addaudithook(_watch)


@contextlib.contextmanager
def in_one_process() -> Iterator[None]:
    """Build the commands once for all inputs, and import all of mbv2.

    An input does not pay for imports. And Hypothesis takes values from modules that are imported:
    the same inputs come again only where the same modules are there.
    """
    for module in pkgutil.walk_packages(mbv2cli.__path__, "mbv2cli."):
        importlib.import_module(module.name)
    command = typer.main.get_command(app.app)
    environment = {
        **ENVIRONMENT,
        "GIT_CEILING_DIRECTORIES": tempfile.gettempdir(),
        "MPLCONFIGDIR": str(_home() / "matplotlib"),
    }
    with (
        patch.dict(os.environ, environment, clear=True),
        patch.object(command_line, "app", command, create=True),
        patch.object(app, "app", command),
        patch.object(app, "imported", functools.cache(app.imported)),
        patch.object(sys, "warnoptions", []),
        patch.object(sys, "dont_write_bytecode", new=True),
    ):
        yield
