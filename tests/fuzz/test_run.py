"""The rule for inputs sees what it has to see."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest

from tests.fuzz import run
from tests.process import Result


def test_work_that_does_not_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SECONDS", 0.05)
    with pytest.raises(AssertionError, match="too long"), run._guarded(tmp_path):
        _work()


def _work() -> None:
    while True:
        pass


def test_memory_above_the_limit_is_refused(tmp_path: Path) -> None:
    if not run._address_space():
        pytest.skip("this system does not say how much memory a process has")
    with pytest.raises(OSError, match="allocate"), run._guarded(tmp_path):
        mmap.mmap(-1, 2 * run.MEMORY)
    mmap.mmap(-1, 2 * run.MEMORY).close()  # nothing is written there, so no memory is taken


def test_a_file_outside_the_folder_is_refused_and_remembered(tmp_path: Path) -> None:
    folder, other = tmp_path / "folder", tmp_path / "other"
    folder.mkdir()
    with run._guarded(folder) as outside:
        (folder / "own").write_text("")
        with pytest.raises(PermissionError):
            other.write_text("")
        with pytest.raises(PermissionError):
            (folder / "own").rename(other)
    assert len(outside) == 2
    assert not other.exists()


@pytest.mark.parametrize(
    "result",
    [
        Result(0, "\x1b[31mred", ""),
        Result(0, "", "mbv2: a\u202eb\n"),
        Result(2, "", ""),
        Result(2, "", "mbv2: no end of line"),
        Result(2, "", "mbv2: one\ntwo\n"),
        Result(1, "", "Traceback (most recent call last):\n"),
        Result(0, "{", ""),
    ],
)
def test_an_output_that_is_not_only_text_is_seen(result: Result) -> None:
    with pytest.raises((AssertionError, ValueError)):
        run._assert_says_what_is_wrong(result)


@pytest.mark.parametrize(
    ("code", "after"),
    [
        (2, {"mbv2.toml": b"other"}),
        (0, {"out.csv": b"", "mbv2.toml": b""}),
        (0, {}),
        (0, {".out.json.unfinished": b"", "mbv2.toml": b""}),
    ],
)
def test_a_file_that_nobody_asked_for_is_seen(code: int, after: dict[str, bytes]) -> None:
    with pytest.raises(AssertionError):
        run._assert_writes_what_is_asked(
            ("summary", "--output", "out.json"), Result(code, "", ""), {"mbv2.toml": b""}, after
        )
