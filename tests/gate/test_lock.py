from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli import UserError
from mbv2cli.gate.cases import planned_result
from mbv2cli.gate.config import Config, read_config
from mbv2cli.gate.drift import Allowance, Drift, drift, read_tolerance
from mbv2cli.gate.lock import lock_text, read_lock, refuse_other_cases

CONFIG = """
[case.stem]
expand = 6

[case.edge]
target = "network"
width_mult = [0.35, 0.5]
size = 96
dtype = "int8"
"""

GROWTH = {"params": "100", "macs": "5M", "peak": "4MiB", "flash": "1KiB", "activations": "1M"}


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
        (GROWTH, 6.3, True),
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
    other = lock.model_copy(update={"figures": {**lock.figures, "params": 0}, "graph": "v0:"})
    found = drift(other, planned_result(config_of(tmp_path).cases[0]), {})
    assert found is not None
    assert found.first_layer is None
    assert not found.holds


@pytest.mark.parametrize(
    ("locked_names", "names", "words"),
    [
        (["a"], ["a", "b"], "lacks the case 'b'; run mbv2 lock"),
        (["a", "b", "c"], ["a"], "still has the case 'b' and 1 more; run mbv2 lock"),
    ],
)
def test_other_cases_are_told(locked_names: list[str], names: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        refuse_other_cases(locked_names, names, Path("mbv2.lock"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version = 3\n", "has version 3, written by a newer mbv2"),
        (
            "version = 1\n[case.a]\nparams = 3\n",
            "has version 1, written by an earlier mbv2; run mbv2 lock to write it in version 2",
        ),
        ("version = 2\n", "must have the keys version and case"),
        ("version = 2\nother = 1\n[case.a]\n", "must have the keys version and case"),
        ("version = 2.0\n[case.a]\n", "has no version"),
        ("version = true\n[case.a]\n", "has no version"),
        ("", "has no version"),
        ("version = 2\n[case.a]\nparams = 3\n", "kind is wrong"),
        ("version = ", "is not valid TOML"),
    ],
)
def test_a_lock_that_is_none_says_what_to_run(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mbv2.lock"
    path.write_text(text)
    with pytest.raises(UserError, match=words) as error:
        read_lock(path)
    assert "run mbv2 lock" in str(error.value)


@given(
    position=st.floats(0, 1, exclude_max=True),
    damage=st.one_of(
        st.integers(0, 7).map(lambda bit: ("flip", bit)),
        st.sampled_from(b"0123456789-+._x#=' \"\n").map(lambda byte: ("replace", byte)),
        st.sampled_from(b"0123456789-+._x#=' \"\n").map(lambda byte: ("insert", byte)),
        st.just(("delete", 0)),
        st.just(("cut", 0)),
    ),
)
def test_a_damaged_lock_is_refused_or_drifts(
    lock_of_config: tuple[Config, bytes], *, position: float, damage: tuple[str, int]
) -> None:
    config, whole = lock_of_config
    assert refused_or_drifts(config, whole) is False
    damaged = damaged_bytes(whole, int(position * len(whole)), *damage)
    assert refused_or_drifts(config, damaged) is not same_content(whole, damaged)


@pytest.fixture(scope="module")
def lock_of_config(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, bytes]:
    config = config_of(tmp_path_factory.mktemp("lock"))
    return config, lock_text(map(planned_result, config.cases)).encode()


def damaged_bytes(content: bytes, index: int, how: str, value: int) -> bytes:
    before, byte, after = content[:index], content[index], content[index + 1 :]
    match how:
        case "flip":
            return before + bytes([byte ^ 1 << value]) + after
        case "replace":
            return before + bytes([value]) + after
        case "insert":
            return before + bytes([value, byte]) + after
        case "delete":
            return before + after
        case _:
            return before


def refused_or_drifts(config: Config, content: bytes) -> bool:
    config.lock.write_bytes(content)
    try:
        lock = read_lock(config.lock)
        refuse_other_cases(lock, [case.name for case in config.cases], config.lock)
    except UserError:
        return True
    return any(drift(lock[case.name], planned_result(case), {}) for case in config.cases)


def same_content(whole: bytes, damaged: bytes) -> bool:
    """Return whether both are the same TOML: the same values, of the same types."""
    try:
        read = tomllib.loads(damaged.decode())
    except ValueError:
        return False
    texts = (
        json.dumps(one, sort_keys=True, default=repr)
        for one in (read, tomllib.loads(whole.decode()))
    )
    return len(set(texts)) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('input = "1x3x224x224"', "input = [1, 3, 224, 224]"),
        ('input = "1x3x224x224"', 'input = "1x3x224x0224"'),
        ('output = "1x64x224x224"', 'output = "1x64x224x+224"'),
        ("params = 1568", "params = 1568.0"),
        ("params = 1568", 'params = "1568"'),
        ("layers = 8", "layers = true"),
        ("layers = 8\n", ""),
        ("layers = 8", "layers = 8\nlayer = 8"),
        ("width_mult = 0.5", "width_mult = 0.50000000001"),
        ("output_stride = 32", "output_stride = 32.0"),
        ("output_stride = 32\n", ""),
        ("output_stride = 32", 'output_stride = 32\nact = "relu6"'),
        ("[case.stem.spec]", "[case.stem.spec]\nexpand = 6"),
        ("[case.stem.spec]", "[case.stem.spec]\nexpand = nan"),
        ('block = "1568 params', 'block = "1569 params'),
        ("[case.stem.stages]", '[case.stem.stages]\ns9 = ""'),
        ('peak_dtype = "int8"', 'peak_dtype = "int9"'),
        ('kind = "block"', 'kind = "network"'),
        ("version = 2", "version = 2.0"),
        ("version = 2", "version = 2\nother = 1"),
    ],
)
def test_an_edited_lock_is_refused_or_drifts(
    lock_of_config: tuple[Config, bytes], old: str, new: str
) -> None:
    config, whole = lock_of_config
    edited = whole.decode().replace(old, new)
    assert edited.encode() != whole
    assert refused_or_drifts(config, edited.encode())


def test_a_killed_lock_leaves_the_old_or_the_new_whole(tmp_path: Path) -> None:
    old = locked(tmp_path)
    old_text = old.read_text("utf-8")
    new_text = lock_text(
        map(planned_result, config_of(tmp_path, CONFIG.replace("expand = 6", "expand = 4")).cases)
    )
    chance = random.Random(0)  # noqa: S311  (moments, no secrets)
    for _ in range(50):
        old.write_text(old_text, "utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "mbv2cli", "lock"], cwd=tmp_path, stdout=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.05, 0.35))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert old.read_text("utf-8") in (old_text, new_text)


def test_two_writers_leave_one_whole_lock(tmp_path: Path) -> None:
    path = locked(tmp_path)
    text = path.read_text("utf-8")
    command = [sys.executable, "-m", "mbv2cli", "lock", "-q"]
    writers = [subprocess.Popen(command, cwd=tmp_path) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert path.read_text("utf-8") == text
    assert {one.name for one in tmp_path.iterdir()} == {"mbv2.toml", "mbv2.lock"}
