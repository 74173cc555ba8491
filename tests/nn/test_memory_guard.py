"""What is refused before a forward pass, and what happens on a machine with too little memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, UserError, plan_of
from mbv2cli.confirm import MOST_ELEMENTS, confirmed_forward, needed_memory, refuse_beyond_memory
from mbv2cli.costs.memory import EAGER
from mbv2cli.nn import device, forward
from mbv2cli.nn import needed_memory as needed
from mbv2cli.nn.free_memory import Free
from mbv2cli.specs import RunSpec
from mbv2cli.specs.reader import read_request
from tests.nn.forward_memory import peak_of
from tests.process import ENVIRONMENT, mbv2_here

MIB = 2**20
CPU = RunSpec(device="cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process its peak")
@pytest.mark.parametrize(
    ("target", "dtype"),
    [
        ("network:size=160,batch=6", "bfloat16"),
        ("block:in=29,out=29,kernel=1,size=160,act=gelu,batch=4", "float32"),
        ("block:in=1,out=1,expand=1,size=1500", "float32"),
        ("block:in=5,out=2,expand=1,kernel=1,size=518,act=hardswish,se=1", "bfloat16"),
    ],
)
def test_the_prediction_is_above_the_peak_and_at_most_twice_as_high(
    target: str, dtype: str
) -> None:
    predicted, measured = peak_of(target, dtype)
    assert measured <= predicted <= 2 * measured


@pytest.mark.parametrize(("dtype", "weights"), [("float32", 4), ("float16", 5), ("float64", 10)])
def test_weights_are_drawn_in_float32_first(dtype: str, weights: int) -> None:
    plan = plan_of(NetworkSpec(classes=50_000), InputSpec(size=(32, 32)))
    run = RunSpec.model_validate({"device": "cpu", "dtype": dtype})
    state = plan.totals.params + plan.totals.buffers
    assert 1 < needed_memory(plan, run).host / (weights * state) < 1.5


def test_each_device_has_its_part() -> None:
    plan = plan_of(NetworkSpec(), InputSpec(batch=8))
    eager = plan.memory(EAGER).peak_bytes("float32")
    state = 4 * (plan.totals.params + plan.totals.buffers)
    batch = 8 * 3 * 224 * 224 * 4
    parts = {}
    for kind in ("cpu", "cuda", "mps", "meta"):
        steps = plan.memory(EAGER).steps
        parts[kind] = needed.needed_memory(
            plan.graph, steps, torch.float32, torch.device(kind), threads=1
        )
    assert parts["cpu"].host > state + eager
    assert parts["cpu"].gpu == parts["mps"].gpu == parts["meta"].gpu == 0
    assert parts["cuda"].gpu > state + eager
    assert parts["cuda"].host > max(state, batch)  # drawn on the CPU
    assert parts["mps"].host > parts["cpu"].host + min(state, batch)  # both in one memory
    assert parts["meta"].host == 2 * 3 * 224 * 224 * 4  # torchsummary's own input


@pytest.mark.parametrize("way", list(needed.Way))
def test_the_workspace_of_each_way(way: needed.Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """For one channel and a kernel of 5: a block of 16 channels, or all windows."""
    monkeypatch.setattr(needed, "_ways", lambda *_: (way,))
    plan = plan_of(BlockSpec.model_validate({"in": 1, "out": 1, "expand": 1, "kernel": 5}))
    values = 224 * 224 * 4
    copies = 30 if way is needed.Way.BLOCKED else 25
    workspace = needed_memory(plan, CPU).workspace
    assert copies * values <= workspace <= (copies + 2) * values


def test_every_way_counts_where_torch_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(BlockSpec.model_validate({"in": 1, "out": 1, "expand": 1, "kernel": 9}))
    monkeypatch.delattr(torch._C, "_select_conv_backend")
    assert needed_memory(plan, CPU).workspace >= 81 * 224 * 224 * 4


def test_what_does_not_fit_is_refused_to_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(BlockSpec())
    bytes_ = needed_memory(plan, CPU).host
    monkeypatch.setattr(device, "free_memory", lambda: Free(bytes_, "the container (cgroup)"))
    refuse_beyond_memory(plan, CPU)
    monkeypatch.setattr(device, "free_memory", lambda: Free(bytes_ - 1, "the container (cgroup)"))
    with pytest.raises(UserError, match=r"needs about .* the container \(cgroup\) has .* free"):
        refuse_beyond_memory(plan, CPU)


def test_a_workspace_that_decides_is_named() -> None:
    request = read_request("block:in=1,out=1,expand=1,size=65536,batch=64")
    plan = plan_of(request.spec, request.input)
    with pytest.raises(UserError, match=r"up to .* of it as the workspace of one convolution"):
        refuse_beyond_memory(plan, CPU)


def test_what_torch_keeps_on_a_gpu_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(
        mem_get_info=lambda _device: (100, 1000),
        memory_reserved=lambda _device: 300,
        memory_allocated=lambda _device: 50,
    )
    monkeypatch.setattr(torch, "cuda", cuda)
    assert device._free_on_gpu(torch.device("cuda:0")) == Free(350, "cuda:0")


@pytest.mark.parametrize(
    ("target", "flags"),
    [
        ("block:size=65536,batch=65536", ("--device", "cpu")),
        ("block:in=65536,out=65536,expand=256", ("--device", "cpu")),
        ("block:in=65536,out=65536,expand=256", ("--device", "cpu", "--force")),
        ("block:size=65536", ("--device", "cpu", "--force", "--batch", "512")),
        ("block:in=65536,size=65536,batch=65536", ("--device", "meta")),
        ("block:in=1,out=65536,expand=256,size=16384,batch=65536", ("--device", "meta")),
        ("block:in=65536,out=65536,expand=256,size=4096", ("--device", "meta", "--batch", "65536")),
    ],
)
def test_a_giant_is_a_mistake_of_the_user(target: str, flags: tuple[str, ...]) -> None:
    result = mbv2_here("summary", target, *flags)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1


def test_more_elements_than_64_bits_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """On meta nothing else stops it: torchsummary's sum of elements passes 2^63 and turns over."""
    stages = [{"t": 1, "c": 65_536, "n": 30, "s": 1}]
    spec = NetworkSpec.model_validate(
        {"stages": stages, "stem": 65_536, "stem_scaling": "fixed", "head": 0, "classes": 0}
        | {"in": 1, "output_stride": 2}
    )
    plan = plan_of(spec, InputSpec(size=(16_384, 16_384), batch=65_536))
    monkeypatch.setattr(forward, "forward", lambda *_: pytest.fail("it ran"))
    with pytest.raises(UserError, match=re.escape(f"PyTorch counts at most {MOST_ELEMENTS:.1e}")):
        confirmed_forward(plan, RunSpec(device="meta"))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried", "out of memory"),
        ("could not create a primitive", "out of memory"),
        ("CUDA out of memory. Tried to allocate 20 GiB", "out of memory"),
        ("CUDA error: an illegal memory access was encountered", "CUDA error: an illegal"),
        ("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED", "cuDNN error"),
    ],
)
def test_a_fault_of_the_machine_is_no_bug_of_mbv2(
    fault: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Any:
        raise RuntimeError(fault)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", fail)
    result = mbv2_here("summary", "block:size=8", "--device", "cpu")
    assert result.code == 2
    assert words in result.stderr


def test_auto_passes_over_a_device_that_does_not_start_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """This PyTorch counts one CUDA device and cannot use it: it has no code for it."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    result = mbv2_here("summary", "block:size=8", "--print", "params")
    assert (result.code, result.stdout) == (0, "1568\n")
    assert result.stderr.startswith("mbv2: cuda:0 does not start (")
    assert result.stderr.endswith("); --device auto uses cpu\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_a_device_that_is_asked_for_must_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    result = mbv2_here("summary", "block:size=8", "--device", name)
    assert result.code == 2
    assert f"--device {name} cannot be used: cuda:0 does not start (" in result.stderr


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A new cgroup inside that of this process, whose members together have 1.5 GB."""
    places = {
        "cgroup2": ("memory.max", lambda line: line.startswith("0::")),
        "cgroup": ("memory.limit_in_bytes", lambda line: ":memory:" in line),
    }
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    groups = Path("/proc/self/cgroup").read_text().splitlines()
    for version, (limit, is_ours) in places.items():
        for mount in (one for one in mounts if f" - {version} " in one):
            for line in filter(is_ours, groups):
                top, directory = mount.split()[3:5]
                own = Path(directory) / line.split(":")[2].removeprefix(top).lstrip("/")
                group = own / f"mbv2-test-{os.getpid()}"
                try:
                    group.mkdir()
                except OSError:
                    continue
                try:
                    (group / limit).write_text("1500000000")
                    yield group
                except OSError:
                    continue
                else:
                    return
                finally:
                    group.rmdir()
    pytest.skip("this process may not make a cgroup with a limit of memory")


@pytest.mark.skipif(sys.platform != "linux", reason="cgroups are Linux's")
def test_a_container_of_one_and_a_half_gb(small_group: Path) -> None:
    join = 'echo $$ > "$0" && exec "$@"'
    words = ["-m", "mbv2cli", "summary", "block:size=2048", "--device", "cpu"]
    done = subprocess.run(
        ["/bin/sh", "-c", join, str(small_group / "cgroup.procs"), sys.executable, *words],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done
    assert "the container (cgroup) has 1," in done.stderr
