"""Read the files of users: only so many bytes, as text, and every failure names its cause."""

from __future__ import annotations

import codecs
import os
import re
from functools import cache
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from time import monotonic
from typing import Any, Final

from mbv2cli.errors import UserError

MAX_TOML_BYTES: Final = 2 * 2**20
"""Largest TOML file: more than a lock of a thousand cases. Parsing takes up to 3 s."""

MAX_JSON_BYTES: Final = 16 * 2**20
"""Largest JSON report: more than the report of the largest network."""

MAX_JSON_VALUES: Final = 1_000_000
"""Most values of a JSON file: twice those of that report. An empty list takes 20 times its text."""

PIPE_SECONDS: Final = 4
"""How long a pipe may take to give its text, such as the pipe of ``<(command)``."""

_CHUNK: Final = 2**20
_MAX_KEY_PARTS: Final = 50
# tomllib walks the whole path of a key for each part of it, and for each key below it
_KEY_PART: Final = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_LONG_KEY: Final = rf"(?<![\w-]){_KEY_PART}(?:\.[ \t]*+{_KEY_PART}){{{_MAX_KEY_PARTS}}}"
_BYTE_ORDER_MARKS: Final = {
    codecs.BOM_UTF8: "UTF-8",
    codecs.BOM_UTF32_LE: "UTF-32",  # before UTF-16, whose mark is the start of it
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@cache
def inputs() -> dict[Path, None]:
    """Return the files that were read, or looked for, in this order; add a file to note it.

    No output may replace one of them.
    """
    return {}


def working_folder() -> Path:
    """Return the working directory. Raises `UserError` if it was removed."""
    try:
        return Path.cwd()
    except OSError as error:
        raise UserError(
            f"the working directory cannot be used: {error.strerror}; change to another directory"
        ) from None


def exists(path: Path) -> bool:
    """Return whether there is anything at ``path``, also a link that leads nowhere.

    Raises `UserError` if that cannot be found out.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:  # a path with a null character
        raise UserError(f"cannot read {str(path)!r}: a file cannot have this name") from None
    return True


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises `UserError` if it cannot be read or is not valid TOML."""
    return parse_toml(read_text(path), str(path))


def is_regular(path: Path) -> bool:
    """Return whether ``path`` is a file or a link to one: no folder, no pipe, no device."""
    return S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Return whether ``path`` is a folder or a link to one."""
    return S_ISDIR(_mode(path))


def _mode(path: Path) -> int:
    """Return what is at ``path``, 0 if there is nothing or if that cannot be found out."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def read_text(path: Path, most: int = MAX_TOML_BYTES) -> str:
    """Read a file of UTF-8 text. Raises `UserError` if it cannot be read, is too large or other."""
    content = read_head(path, most + 1)
    if len(content) > most:
        raise UserError(f"{path} has more than {most >> 20} MiB; mbv2 reads no file of this size")
    return decoded(content, str(path))


def read_head(path: Path, most: int) -> bytes:
    """Return up to ``most`` bytes from the start of a file. Raises `UserError`."""
    inputs()[path] = None
    try:
        return _content(path, most)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:  # a path with a null character
        raise UserError(f"cannot read {str(path)!r}: a file cannot have this name") from None


def decoded(content: bytes, place: str) -> str:
    """Return the UTF-8 text of ``place``. Raises `UserError` for other encodings and for marks."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            raise UserError(
                f"{place} starts with the byte-order mark of {encoding}; save the file as UTF-8 "
                "without a byte-order mark"
            )
    try:
        return content.decode("utf-8")  # keeps line ends: TOML forbids a lone CR
    except UnicodeDecodeError as error:
        raise UserError(
            f"{place} is not UTF-8 text: byte {error.start + 1:,} is {content[error.start]:#04x}"
        ) from None


def _content(path: Path, most: int) -> bytes:
    """Return up to ``most`` bytes from the start of a file."""
    # without O_NONBLOCK, a pipe to which nothing writes would never be opened
    file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        may_wait = not S_ISREG(os.fstat(file).st_mode)
        end = monotonic() + PIPE_SECONDS
        content = bytearray()
        while len(content) < most:
            if may_wait:
                _await_bytes(path, file, end)
            chunk = os.read(file, min(_CHUNK, most - len(content)))
            if not chunk:
                break
            content += chunk
    finally:
        os.close(file)
    return bytes(content)


def _await_bytes(path: Path, file: int, end: float) -> None:
    import select

    if not select.select([file], [], [], max(0, end - monotonic()))[0]:
        raise UserError(f"cannot read {path}: its text did not come within {PIPE_SECONDS} seconds")


def parse_toml(text: str, place: str) -> dict[str, Any]:
    """Parse the text of ``place``. Raises `UserError` if it is not valid TOML."""
    if text.count(".") >= _MAX_KEY_PARTS and (found := re.search(_LONG_KEY, text)):
        line = text.count("\n", 0, found.start()) + 1
        raise UserError(
            f"{place}: a name in line {line:,} has more than {_MAX_KEY_PARTS} parts with points "
            "between them; mbv2 reads no file with such names"
        )
    import tomllib

    try:
        content = tomllib.loads(text)
        repr(content)  # fails for what no message can show, such as 0xfff… of 4,000 digits
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{place} is not valid TOML: {error}") from None
    except RecursionError:
        raise UserError(f"{place} cannot be read: {_TOO_DEEP}") from None
    except ValueError:
        raise UserError(f"{place} cannot be read: {_TOO_LONG}") from None
    return content


def parse_json(text: str, place: str) -> object:
    """Parse the text of ``place``. Raises `UserError` if it is not valid JSON, or too much."""
    import json

    if sum(map(text.count, ",[{")) > MAX_JSON_VALUES:
        raise UserError(
            f"{place} has more than {MAX_JSON_VALUES:,} values; mbv2 reads no file of this size"
        )
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{place} is not valid JSON: {error}") from None
    except RecursionError:
        raise UserError(f"{place} cannot be read: {_TOO_DEEP}") from None
    except ValueError:
        raise UserError(f"{place} cannot be read: {_TOO_LONG}") from None


_TOO_DEEP: Final = "its values are nested too deep"
_TOO_LONG: Final = "a number has more digits than Python reads"
