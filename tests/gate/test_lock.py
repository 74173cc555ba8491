from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli import UserError
from mbv2cli.gate.cases import planned_result
from mbv2cli.gate.config import Config, read_config
from mbv2cli.gate.drift import Drift, drift
from mbv2cli.gate.lock import lock_text, read_lock, refuse_other_cases
from mbv2cli.gate.tolerance import Allowance, read_tolerance
from tests.process import mbv2_here

CONFIG = """
[case.stem]
expand = 6

[case.edge]
target = "network"
width_mult = [0.35, 0.5]
size = 96
dtype = "int8"
"""


def config_of(folder: Path, text: str = CONFIG) -> Config:
    path = folder / "mbv2.toml"
    path.write_text(text)
    return read_config(path)


def locked(folder: Path, text: str = CONFIG) -> Path:
    config = config_of(folder, text)
    config.lock.write_text(lock_text(map(planned_result, config.cases)), "utf-8")
    return config.lock


def drift_of(folder: Path, before: str, after: str, tolerance: object = None) -> Drift | None:
    lock = read_lock(locked(folder, before))
    case = config_of(folder, after).cases[0]
    allowed = read_tolerance(tolerance, "tolerance") if tolerance is not None else {}
    return drift(lock[case.name], planned_result(case), allowed)


def test_what_is_written_is_read_and_nothing_drifts(tmp_path: Path) -> None:
    lock = read_lock(locked(tmp_path))
    results = list(map(planned_result, config_of(tmp_path).cases))
    assert list(lock) == sorted(result.case.name for result in results)
    assert all(drift(lock[result.case.name], result, {}) is None for result in results)


def test_the_lock_is_the_same_every_time(tmp_path: Path) -> None:
    assert locked(tmp_path).read_bytes() == locked(tmp_path).read_bytes()


def test_a_drift_tells_every_figure_and_the_first_layer(tmp_path: Path) -> None:
    found = drift_of(tmp_path, "[case.a]\nexpand = 6\n", "[case.a]\nexpand = 4\n")
    assert found is not None
    changes = {change.what: (change.before, change.after) for change in found.changes}
    assert changes["output"] == ((1, 64, 224, 224), (1, 64, 224, 224))
    assert changes["params"] == (1568, 1088)
    assert changes["macs"] == (68_640_768, 45_760_512)
    assert found.first_layer is not None
    assert found.first_layer.before is not None
    assert found.first_layer.after is not None
    assert found.first_layer.before.output_shape == (1, 18, 224, 224)
    assert found.first_layer.after.output_shape == (1, 12, 224, 224)
    assert not found.holds


def test_layers_may_drift_without_a_figure(tmp_path: Path) -> None:
    found = drift_of(tmp_path, "[case.a]\nact = 'relu'\n", "[case.a]\nact = 'silu'\n")
    assert found is not None
    assert not any(change.changed for change in found.changes)
    assert not found.holds


@pytest.mark.parametrize(
    ("tolerance", "expand", "holds"),
    [
        ("10%", 6.3, True),
        ("1%", 6.3, False),
        ("0%", 4, True),
        ({"params": "100", "macs": "5M", "peak": "4MiB", "flash": "1KiB"}, 6.3, True),
        ({"params": "10%"}, 6.3, False),
        (None, 4, False),
    ],
)
def test_tolerance_is_for_growth(
    tmp_path: Path, *, tolerance: object, expand: float, holds: bool
) -> None:
    found = drift_of(
        tmp_path, "[case.a]\nexpand = 6\n", f"[case.a]\nexpand = {expand}\n", tolerance
    )
    assert found is not None
    assert found.holds is holds


def test_no_tolerance_lets_a_shape_change(tmp_path: Path) -> None:
    found = drift_of(tmp_path, "[case.a]\nout = 64\n", "[case.a]\nout = 63\n", "100%")
    assert found is not None
    assert not found.holds


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 200))
def test_a_percentage_is_of_what_was(before: int, after: int, percent: int) -> None:
    allowance = read_tolerance(f"{percent}%", "tolerance")["params"]
    assert allowance.allows(before, after) == (after * 100 <= before * (100 + percent))
    assert Allowance(amount=5).allows(before, before + 5)
    assert not Allowance(amount=5).allows(before, before + 6)


@pytest.mark.parametrize("value", ["much", "-2%", "2 %%", [], True, -1, {"prams": "2%"}, 0.5])
def test_what_is_no_tolerance(value: object) -> None:
    with pytest.raises(UserError, match="tolerance"):
        read_tolerance(value, "tolerance")


def test_a_lock_of_an_mbv2_that_counted_differently_is_a_drift(tmp_path: Path) -> None:
    lock = read_lock(locked(tmp_path))["stem"]
    other = lock.model_copy(update={"params": lock.params + 1, "layers": "sha256:0"})
    found = drift(other, planned_result(config_of(tmp_path).cases[0]), {})
    assert found is not None
    assert found.first_layer is None
    assert not found.holds


@pytest.mark.parametrize(
    ("locked_names", "names", "words"),
    [
        (["a"], ["a", "b"], "lacks the case 'b'; run mbv2 lock"),
        (["a", "b", "c"], ["a"], "no longer needs, the case 'b' and 1 more; run mbv2 lock"),
    ],
)
def test_other_cases_are_told(locked_names: list[str], names: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        refuse_other_cases(locked_names, names, Path("mbv2.lock"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version = 2\n", "written by a newer mbv2"),
        ("version = 1\n", "no version or no cases"),
        ("", "no version or no cases"),
        ("version = 1\n[case.a]\nparams = 3\n", "case.a.*is wrong|kind is wrong"),
        ("version = ", "is not valid TOML"),
    ],
)
def test_a_lock_that_is_none_says_what_to_run(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mbv2.lock"
    path.write_text(text)
    with pytest.raises(UserError, match=words) as error:
        read_lock(path)
    assert "run mbv2 lock" in str(error.value)


@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_lock_is_refused_or_drifts(
    tmp_path_factory: pytest.TempPathFactory, *, position: float, bit: int, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("lock")
    path = locked(folder)
    whole = tomllib.loads(path.read_text("utf-8"))
    content = bytearray(path.read_bytes())
    index = int(position * len(content))
    if cut:
        content = content[:index]
    else:
        content[index] ^= 1 << bit
    path.write_bytes(content)
    config = config_of(folder)
    try:
        lock = read_lock(path)
        refuse_other_cases(lock, [case.name for case in config.cases], path)
    except UserError:
        pass
    else:
        drifts = [drift(lock[case.name], planned_result(case), {}) for case in config.cases]
        found = [one for one in drifts if one is not None]
        # where it is the same, a comment or a blank was hit
        assert bool(found) == (tomllib.loads(content.decode()) != whole)
        assert not any(one.holds for one in found)
    assert path.read_bytes() == content


def test_one_other_digit_anywhere_is_a_drift(tmp_path: Path) -> None:
    path = locked(tmp_path)
    cases = config_of(tmp_path).cases
    _header, _version, *lines = path.read_text("utf-8").splitlines(keepends=True)
    fields = [number for number, line in enumerate(lines) if re.search(r" = .*\d", line)]
    assert len(fields) > 10 * len(cases)
    for number in fields:
        digit = list(re.finditer(r"\d", lines[number]))[-1]
        other = str((int(digit[0]) + 1) % 10)
        damaged = lines[number][: digit.start()] + other + lines[number][digit.end() :]
        text = "".join((_header, _version, *lines[:number], damaged, *lines[number + 1 :]))
        path.write_text(text, "utf-8")
        lock = read_lock(path)
        drifts = [drift(lock[case.name], planned_result(case), {}) for case in cases]
        assert [one.holds for one in drifts if one is not None] == [False], damaged


HALFWAY: Final = """
import io, pathlib, signal
from mbv2cli.__main__ import main

class Halfway(io.FileIO):
    def write(self, content):
        super().write(content[: len(content) // 2])
        print("half", flush=True)
        signal.pause()

opened = pathlib.Path.open
pathlib.Path.open = lambda path, mode="r", *rest, **more: (
    Halfway(path, "w") if mode == "wb" else opened(path, mode, *rest, **more)
)
main()
"""
"""mbv2 lock that stands still once half of the lock is written."""


def test_a_lock_that_is_killed_inside_the_write_leaves_the_old_whole(tmp_path: Path) -> None:
    path = locked(tmp_path)
    old = path.read_bytes()
    config = config_of(tmp_path, CONFIG.replace("expand = 6", "expand = 4"))
    new = lock_text(map(planned_result, config.cases)).encode()
    assert new != old
    with subprocess.Popen(
        [sys.executable, "-c", HALFWAY, "lock"], cwd=tmp_path, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"half\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    left = tmp_path / f".mbv2.lock.{process.pid}.unfinished"
    assert left.read_bytes() == new[: len(new) // 2]
    assert path.read_bytes() == old
    assert set(tmp_path.iterdir()) == {config.path, path, left}
    assert mbv2_here("lock", cwd=tmp_path) == (0, "wrote mbv2.lock: 3 cases\n", "")
    assert path.read_bytes() == new


def test_a_lock_that_is_killed_at_any_moment_is_the_old_or_the_new(tmp_path: Path) -> None:
    path = locked(tmp_path)
    old = path.read_text("utf-8")
    config = config_of(tmp_path, CONFIG.replace("expand = 6", "expand = 4"))
    new = lock_text(map(planned_result, config.cases))
    chance = random.Random(0)  # noqa: S311  (moments, no secrets)
    for _ in range(8):
        path.write_text(old, "utf-8")
        with subprocess.Popen(
            [sys.executable, "-m", "mbv2cli", "lock"], cwd=tmp_path, stdout=subprocess.DEVNULL
        ) as process:
            time.sleep(chance.uniform(0.05, 0.35))
            process.kill()
        assert path.read_text("utf-8") in (old, new)


def test_two_writers_leave_one_whole_lock(tmp_path: Path) -> None:
    path = locked(tmp_path)
    text = path.read_text("utf-8")
    command = [sys.executable, "-m", "mbv2cli", "lock", "-q"]
    writers = [subprocess.Popen(command, cwd=tmp_path) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert path.read_text("utf-8") == text
    assert {one.name for one in tmp_path.iterdir()} == {"mbv2.toml", "mbv2.lock"}
