from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, UserError
from mbv2cli.costs.figures import Counting, graded_figures
from mbv2cli.gate.cases import Case, planned_result
from mbv2cli.gate.config import Config, read_config
from mbv2cli.gate.drift import drift
from mbv2cli.gate.limits import Expectations
from mbv2cli.gate.lock import VERSION, lock_text, parse_lock, read_lock
from mbv2cli.gate.locked import LockedCase, digest, graph_lines
from mbv2cli.gate.outcomes import LockUse, outcomes_of_config
from mbv2cli.graph.graph import GraphInModel, Scope
from mbv2cli.graph.ops import Kind, Op, Shape, Sides
from mbv2cli.inspection import plan_of
from mbv2cli.specs import RunSpec
from mbv2cli.specs.reader import Request
from tests.process import mbv2_here
from tests.strategies import input_specs, network_specs

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


def test_what_is_written_is_read_and_nothing_drifts(tmp_path: Path) -> None:
    lock = read_lock(locked(tmp_path))
    results = list(map(planned_result, config_of(tmp_path).cases))
    assert list(lock) == sorted(result.case.name for result in results)
    assert all(drift(lock[result.case.name], result, {}) is None for result in results)


def test_a_lock_from_before_the_figure_tflm_does_not_drift_by_it(tmp_path: Path) -> None:
    config, lock = config_of(tmp_path), locked(tmp_path)
    text = re.sub(r"(?m)^tflm = \d+\n", "", lock.read_text("utf-8"))
    assert "tflm" not in text
    lock.write_text(text, "utf-8")
    results = [planned_result(case) for case in config.cases]
    cases = read_lock(lock)
    assert not any(drift(cases[one.case.name], one, {}) for one in results)
    lock.write_text(re.sub(r"(?m)^flash = \d+\n", "", text), "utf-8")
    with pytest.raises(UserError, match="corrupt"):
        read_lock(lock)


def test_the_lock_is_the_same_every_time(tmp_path: Path) -> None:
    assert locked(tmp_path).read_bytes() == locked(tmp_path).read_bytes()


class NewConv(NamedTuple):
    """The convolution of a later mbv2, which has more fields."""

    kernel: Sides
    stride: Sides = (1, 1)
    padding_mode: str = "zeros"
    padding: Sides | str = (0, 0)
    dilation: Sides = (1, 1)
    groups: int = 1
    bias: bool = False
    arguments: str = ""
    transposed: bool = False


class NewOp(NamedTuple):
    """The operation of a later mbv2, which has more fields."""

    kind: Kind
    function: str
    attributes: object
    inputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    sparsity: float = 0.0
    path: str = ""
    type: str = ""
    params: int = 0
    trainable_params: int = 0
    buffers: int = 0
    macs: int = 0
    note: str | None = None


GRAPH = plan_of(NetworkSpec()).graph
LINES = list(graph_lines(GRAPH))


def lines_with(op: Any, index: int = 0) -> list[str]:
    ops = list(GRAPH.ops)
    ops[index] = op
    return list(graph_lines(replace(GRAPH, ops=tuple(ops))))


def test_a_new_field_at_its_default_changes_no_digest() -> None:
    conv = NewConv(**GRAPH.ops[0].attributes._asdict())
    op = NewOp(**{**GRAPH.ops[0]._asdict(), "attributes": conv})
    assert lines_with(op) == LINES
    assert lines_with(op._replace(note="x")) != LINES
    assert lines_with(op._replace(attributes=conv._replace(transposed=True))) != LINES


def changed(record: Any, name: str) -> Any:
    return record._replace(**{name: "changed"})


def test_every_field_of_an_operation_is_in_the_digest() -> None:
    for index, op in enumerate(GRAPH.ops):
        for name in set(Op._fields) - {"kind", "attributes"}:
            assert lines_with(changed(op, name), index) != LINES
        assert lines_with(op._replace(kind=Kind.UNKNOWN), index) != LINES
        for name in op.attributes._fields:
            attributes = changed(op.attributes, name)
            assert lines_with(op._replace(attributes=attributes), index) != LINES


def test_every_field_of_a_scope_is_in_the_digest() -> None:
    for index, scope in enumerate(GRAPH.scopes):
        for name in Scope._fields:
            scopes = list(GRAPH.scopes)
            scopes[index] = changed(scope, name)
            assert list(graph_lines(replace(GRAPH, scopes=tuple(scopes)))) != LINES


def test_the_digest_of_a_graph_stays_from_version_to_version() -> None:
    """If this fails, every lock drifts: count up ``GRAPH_VERSION``, or keep the digest."""
    assert digest(plan_of(BlockSpec())) == "v1:sha256:124e5faceca117255e7d54bd658527df"
    assert digest(plan_of(NetworkSpec())) == "v1:sha256:8226ee3d77168c89329f289b72d007bb"


@given(network_specs(), input_specs)
def test_a_lock_has_every_graded_figure(spec: NetworkSpec, input_: InputSpec) -> None:
    request = Request("network", spec, input_)
    expected = Expectations.model_validate({"peak_rule": "eager"})
    case = Case("a", request, RunSpec.model_validate({"dtype": "float16"}), expected)
    result = planned_result(case)
    (locked_case,) = parse_lock(lock_text([result]), "mbv2.lock").values()
    plan = result.model
    assert plan
    counting = Counting(rule="eager", dtype="float16")
    assert locked_case.figures == {
        figure.name: figure.value(GraphInModel(plan.graph), counting) for figure in graded_figures()
    }
    assert (locked_case.peak_rule, locked_case.peak_dtype) == ("eager", "float16")
    assert isinstance(locked_case, LockedCase)
    assert locked_case.model == plan
    assert list(locked_case.stages) == list(dict.fromkeys(s.stage for s in plan.graph.segments))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version = 4\n", "has version 4, written by a newer mbv2"),
        (
            "version = 1\n[case.a]\nparams = 3\n",
            "has version 1, written by an earlier mbv2; run mbv2 lock to write it anew",
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
        report = outcomes_of_config(config, config.cases, planned_result, config.path)
    except UserError:
        return True
    return bool(report.removed) or any(
        outcome.drift or outcome.lock_use is not LockUse.COMPARED for outcome in report.outcomes
    )


def same_content(whole: bytes, damaged: bytes) -> bool:
    """Return whether both are the same TOML: the same values, of the same types.

    A lock without modules means the same in the version of locks with modules.
    """
    try:
        read = tomllib.loads(damaged.decode())
    except ValueError:
        return False
    if read.get("version") == VERSION and type(read["version"]) is int:
        read["version"] = tomllib.loads(whole.decode())["version"]
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
import io, os, signal
from mbv2cli.__main__ import main

class Halfway(io.FileIO):
    def write(self, content):
        super().write(content[: len(content) // 2])
        print("half", flush=True)
        signal.pause()

os.fdopen = Halfway
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
    (left,) = tmp_path.glob(".mbv2-*.unfinished")
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
    left = set(tmp_path.iterdir()) - {path, config.path}
    assert left <= set(tmp_path.glob(".mbv2-*.unfinished"))


def test_two_writers_leave_one_whole_lock(tmp_path: Path) -> None:
    path = locked(tmp_path)
    text = path.read_text("utf-8")
    command = [sys.executable, "-m", "mbv2cli", "lock", "-q"]
    writers = [subprocess.Popen(command, cwd=tmp_path) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert path.read_text("utf-8") == text
    assert {one.name for one in tmp_path.iterdir()} == {"mbv2.toml", "mbv2.lock"}
