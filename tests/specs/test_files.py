"""Files of users: read up to a bound, as text, and every failure names its cause."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli.errors import UserError, value_text
from mbv2cli.specs import files
from mbv2cli.specs.files import exists, parse_json, parse_toml, read_text, read_toml


def test_a_file_is_read_to_its_last_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes("a = 'é'\r\n".encode())
    assert read_text(path) == "a = 'é'\r\n"
    path.write_bytes(b"")
    assert read_text(path) == ""
    path.write_bytes(b"#" * files.MAX_TOML_BYTES)
    assert len(read_text(path)) == files.MAX_TOML_BYTES


def _sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(8 * 2**30)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


NO_TEXT: list[tuple[Callable[[Path], object], str]] = [
    (lambda path: path.mkdir(), "Is a directory"),
    (_loop, "Too many levels of symbolic links"),
    (lambda path: path.symlink_to("gone"), "No such file"),
    (lambda path: path.symlink_to("/dev/zero"), "has more than 2 MiB"),
    (_sparse, "has more than 2 MiB"),
    (lambda path: path.write_bytes(b"#" * (files.MAX_TOML_BYTES + 1)), "has more than 2 MiB"),
    (lambda path: path.write_bytes(b"a = 1\n\xff"), "is not UTF-8 text: byte 7 is 0xff"),
    (lambda path: path.write_text("a = 1", "utf-8-sig"), "byte-order mark of UTF-8;"),
    (lambda path: path.write_text("a = 1", "utf-16"), "byte-order mark of UTF-16;"),
    (lambda path: path.write_bytes("\ufeffa = 1".encode("utf-16-be")), "mark of UTF-16;"),
    (lambda path: path.write_text("a = 1", "utf-32"), "byte-order mark of UTF-32;"),
    (lambda path: path.write_bytes(b"a = 1\0"), "not valid TOML"),
    (lambda path: path.write_text("a = " + "9" * 5000), "more digits than Python reads"),
    (lambda path: path.write_text("a = 0x" + "f" * 5000), "more digits than Python reads"),
    (lambda path: path.write_text("a = " + "[" * 5000 + "]" * 5000), "nested too deep"),
    (lambda path: path.write_text("a = " + "{a = " * 5000 + "1" + "}" * 5000), "nested too deep"),
    (lambda path: path.write_text(".".join("a" * 1000) + " = 1"), "more than 50 parts"),
    (lambda path: path.write_text("\n[" + " . ".join(['"a"'] * 1000) + "]"), "name in line 2"),
]


@pytest.mark.parametrize(("make", "words"), NO_TEXT, ids=[words for _, words in NO_TEXT])
def test_what_cannot_be_read_is_named(
    make: Callable[[Path], object], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.toml"
    make(path)
    before = time.process_time()
    with pytest.raises(UserError) as error:
        read_toml(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert time.process_time() - before < 2


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(UserError, match="a file cannot have this name"):
        read_text(Path("a\0b.toml"))
    with pytest.raises(UserError, match="File name too long"):
        read_text(Path("a" * 300))


def test_a_pipe_is_read_if_its_text_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.toml"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_text("a = 1\n" * 20_000))
    writer.start()
    assert read_text(path) == "a = 1\n" * 20_000
    writer.join()
    monkeypatch.setattr(files, "PIPE_SECONDS", 0.1)
    with pytest.raises(UserError, match="its text did not come within"):
        read_text(path)


def test_what_exists_is_known_also_of_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("gone")
    assert exists(tmp_path / "link")
    assert not exists(tmp_path / "gone")
    assert not exists(tmp_path / "link" / "below")
    with pytest.raises(UserError, match="File name too long"):
        exists(tmp_path / ("a" * 300))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not valid JSON"),
        ("9" * 5000, "more digits than Python reads"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
    ],
    ids=lambda text: text[:20],
)
def test_json_that_cannot_be_read_is_named(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        parse_json(text, "a.json")


@given(st.text(alphabet=".\"' =[]{}ab1x\n\\#,_", max_size=300))
def test_any_toml_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(UserError):
        assert isinstance(parse_toml(text, "a.toml"), dict)


def test_any_value_can_be_shown() -> None:
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    assert value_text(deep) == "a value that is nested too deep"
    assert value_text(1 << 20_000) == "a number of too many digits"
    values = [{"a": 1}, "a", "a" * 99, *(value == 1 for value in (1, 2))]
    assert list(map(value_text, values)) == ["{'a': 1}", "'a'", f"'{'a' * 59}…", "true", "false"]
