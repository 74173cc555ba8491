"""What containers and limits leave free, on trees of files as the kernel writes them."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import psutil
import pytest

from mbv2cli import UserError
from mbv2cli.nn import free_memory
from mbv2cli.nn.free_memory import Free, free_in_container, refuse_below_torch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cgroups are Linux's")

V1_NO_LIMIT = "9223372036854771712"
V2 = "30 23 0:26 {top} {mount} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "32 31 0:32 {top} {mount} rw,nosuid - cgroup cgroup rw,memory\n"
V1_CPU = "33 31 0:33 / {mount} rw - cgroup cgroup rw,cpu,cpuacct\n"


def v2_group(
    directory: Path, limit: object = "max", used: int = 0, cache: int = 0, high: object = "max"
) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "memory.max").write_text(f"{limit}\n")
    (directory / "memory.high").write_text(f"{high}\n")
    (directory / "memory.current").write_text(f"{used}\n")
    (directory / "memory.stat").write_text(f"anon {used - cache}\ninactive_file {cache}\n")


def v1_group(
    directory: Path,
    limit: object = V1_NO_LIMIT,
    used: int = 0,
    cache: int = 0,
    above: object = V1_NO_LIMIT,
) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (directory / "memory.usage_in_bytes").write_text(f"{used}\n")
    (directory / "memory.stat").write_text(
        f"inactive_file 1\nhierarchical_memory_limit {above}\ntotal_inactive_file {cache}\n"
    )


@pytest.fixture
def process(tmp_path: Path) -> Path:
    """A directory as /proc/self, and beside it the place of a mount: ``sys``."""
    directory = tmp_path / "self"
    directory.mkdir()
    return directory


def free_of(process: Path, cgroup: str, *mounts: str, top: str = "/") -> int | None:
    (process / "cgroup").write_text(cgroup)
    mount = process.parent / "sys"
    (process / "mountinfo").write_text("".join(one.format(top=top, mount=mount) for one in mounts))
    return free_in_container(process)


@pytest.mark.parametrize(
    ("groups", "free"),
    [
        ([{"limit": 1000, "used": 300}], 700),
        ([{"limit": 1000, "used": 300, "cache": 100}], 800),
        ([{"limit": "max", "used": 300}], None),
        ([{"high": 600, "limit": 1000, "used": 100}], 500),
        ([{"limit": 1000, "used": 1500}], 0),
        ([{"limit": 1000, "used": 100}, {"limit": "max", "used": 50}], 900),
        ([{"limit": 1000, "used": 800}, {"limit": 500, "used": 50}], 200),
        ([{"limit": 1000, "used": 100}, {"limit": 500, "used": 50}, {"limit": "max"}], 450),
    ],
    ids=["one", "cache", "max", "high", "beyond", "parent", "full parent", "middle of three"],
)
@pytest.mark.parametrize("inside", ["whole tree", "own namespace", "bind mount"])
def test_the_tightest_group_of_version_2(
    groups: list[dict[str, int]], free: int | None, inside: str, process: Path
) -> None:
    directory = process.parent / "sys"
    if inside == "whole tree":
        directory = directory / "outer.slice"
    for group in groups:
        v2_group(directory, **group)
        directory = directory / "inner.scope"
    steps = "/inner.scope" * (len(groups) - 1)
    path, top = {
        "whole tree": (f"/outer.slice{steps}", "/"),
        "own namespace": (steps or "/", "/"),
        "bind mount": (f"/docker/f00{steps}", "/docker/f00"),
    }[inside]
    assert free_of(process, f"0::{path}\n", V2, top=top) == free


@pytest.mark.parametrize(
    ("groups", "free"),
    [
        ([{"limit": 1000, "used": 300, "cache": 100}], 800),
        ([{}, {"limit": 1000, "used": 300}], 700),
        ([{"limit": 1000, "used": 900}, {"limit": 5000, "used": 100}], 100),
        ([{"used": 100, "above": 400}], 300),
    ],
    ids=["one", "nested", "full parent", "a limit out of sight"],
)
def test_the_tightest_group_of_version_1(
    groups: list[dict[str, int]], free: int, process: Path
) -> None:
    directory = process.parent / "sys"
    for group in groups:
        v1_group(directory, **group)
        directory = directory / "inner"
    path = "/inner" * (len(groups) - 1) or "/"
    cgroup = f"9:name=systemd:/x\n4:memory:{path}\n1:cpu,cpuacct:/y\n"
    assert free_of(process, cgroup, V1) == free


def test_a_group_of_version_1_without_a_limit_leaves_more_than_any_machine_has(
    process: Path,
) -> None:
    v1_group(process.parent / "sys", used=1000)
    free = free_of(process, "4:memory:/\n", V1)
    assert free is not None
    assert free > 2**62


def test_both_versions_are_mounted_and_one_counts_memory(process: Path) -> None:
    v1_group(process.parent / "sys/one", limit=1000, used=100)
    (process.parent / "sys/two").mkdir()
    mounts = (V1.replace("{mount}", "{mount}/one"), V2.replace("{mount}", "{mount}/two"))
    assert free_of(process, "4:memory:/\n0::/\n", *mounts) == 900


@pytest.mark.parametrize(
    ("cgroup", "mounts"),
    [
        ("", (V2,)),
        ("0::/\n", ()),
        ("0::/gone (deleted)\n", (V2,)),
        ("nonsense\n\n::\n", (V2, "nonsense\n", "a b c - cgroup2\n")),
        ("3:cpu,cpuacct:/\n", (V1_CPU,)),
    ],
)
def test_files_that_are_not_there(cgroup: str, mounts: tuple[str, ...], process: Path) -> None:
    assert free_of(process, cgroup, *mounts) is None


def test_no_proc_at_all(tmp_path: Path) -> None:
    assert free_in_container(tmp_path / "nowhere") is None


@pytest.mark.parametrize("path", ["/../outside", "/elsewhere", "/f00/../../x"])
def test_a_group_that_the_mount_does_not_show_is_at_its_top(path: str, process: Path) -> None:
    v2_group(process.parent / "sys", limit=1000, used=100)
    assert free_of(process, f"0::{path}\n", V2, top="/f00") == 900


def test_a_mount_with_a_space_in_its_name(process: Path) -> None:
    v2_group(process.parent / "sys/a b", limit=1000, used=100)
    assert free_of(process, "0::/\n", V2.replace("{mount}", r"{mount}/a\040b")) == 900


@pytest.mark.parametrize(
    ("limit", "place"), [(resource.RLIMIT_AS, "-v"), (resource.RLIMIT_DATA, "-d")]
)
def test_the_limits_of_the_process_count(
    limit: int, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mib = 2**20
    used = psutil.Process().memory_info()
    has = used.vms if limit == resource.RLIMIT_AS else used.data
    infinite = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(
        resource, "getrlimit", lambda one: (has + 9 * mib, -1) if one == limit else infinite
    )
    free = free_memory.free_memory()
    assert free.place == f"this process (ulimit {place})"
    assert abs(free.bytes - 9 * mib) < mib


@pytest.mark.parametrize(
    ("place", "enough"), [("the container (cgroup)", 192), ("this process (ulimit -v)", 704)]
)
def test_torch_itself_needs_memory(
    place: str, enough: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Free(2**40, "the machine")
    bounds = [machine, Free(enough * 2**20, place)]
    monkeypatch.setattr(free_memory, "_bounds", lambda: iter(bounds))
    refuse_below_torch()
    bounds[1] = Free(enough * 2**20 - 1, place)
    with pytest.raises(UserError, match=r"PyTorch needs about .* of memory to start and"):
        refuse_below_torch()
