"""Whatever runs the tasks of a search, it finds and writes the same."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias
from unittest.mock import Mock

import psutil
import pytest

from mbv2cli import UserError
from mbv2cli.costs.figures import Counting
from mbv2cli.search import processes
from mbv2cli.search.interrupts import interrupts_held, raise_interrupt
from mbv2cli.search.processes import in_processes
from mbv2cli.search.query import Draw, Ordering, Query
from mbv2cli.search.space import read_space_file
from tests.process import ENVIRONMENT, Result, python

SPACE: Final = """
width_mult = [0.35, 0.5, 0.75]
size = "96:160:16"
stages = [
    {t = 1, c = [8, 16]},
    {t = [3, 4, 6], c = [16, 24], n = [1, 2, 3], s = 2, k = [3, 5, 7]},
    {t = [3, 4, 6], c = [32, 40], n = [2, 3, 4], s = 2, k = [3, 5, 7]},
    {t = [3, 4, 6], c = [64, 80], n = [2, 3, 4], s = 2, k = [3, 5, 7]},
    {t = [3, 4, 6], c = [96, 112], n = [2, 3, 4], k = [3, 5, 7]},
    {t = [3, 4, 6], c = [160, 192], n = [2, 3, 4], s = 2, k = [3, 5, 7]},
]
"""
ARGUMENTS: Final = (
    *("--sample", "400k", "--max-macs", "30M", "--max-peak", "400KiB", "--dtype", "int8"),
    *("--where", "15 * params < macs", "--pareto", "peak,-macs", "--sort", "params", "--cdf"),
)
CLUSTER: Final = """
import os, sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs="CRITICAL"
    ) as cluster:
        workers = list(cluster.workers.values())
        print(cluster.scheduler_address, *(worker.pid for worker in workers), flush=True)
        sys.stdin.read()
"""

Alone: TypeAlias = Callable[[str], tuple[Result, bytes]]


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.toml"
    path.write_text(SPACE)
    return path


@contextmanager
def cluster() -> Iterator[tuple[str, int]]:
    """Run a Dask cluster of two workers; give its address and the process of a worker."""
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        address, worker, *_ = process.stdout.readline().split()
        yield address, int(worker)
        process.stdin.close()


def started(space: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mbv2cli", "sweep", "--space", str(space), *ARGUMENTS, *arguments],
        cwd=space.parent,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> Result:
    with process:
        try:
            stdout, stderr = process.communicate(timeout=120)
        finally:
            process.kill()
    return Result(process.returncode, stdout, stderr)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Alone:
    """Return what one process finds, and the file of this kind that it writes: once for all."""

    @cache
    def search(suffix: str) -> tuple[Result, bytes]:
        space = tmp_path_factory.mktemp("alone") / "space.toml"
        space.write_text(SPACE)
        result = ended(started(space, "--output", f"one{suffix}"))
        content = (space.parent / f"one{suffix}").read_bytes()
        assert (result.code, result.stderr) == (0, "")
        assert len(content) > 10**5
        return result, content

    return search


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_two_processes_find_and_write_what_one_does(space: Path, suffix: str, alone: Alone) -> None:
    two = ended(started(space, "--output", f"two{suffix}", "--jobs", "2"))
    assert (two, (space.parent / f"two{suffix}").read_bytes()) == alone(suffix)


def test_a_cluster_finds_and_writes_the_same_though_a_worker_dies(
    space: Path, alone: Alone
) -> None:
    with cluster() as (address, worker):
        whole = ended(started(space, "--output", "whole.csv", "--scheduler", address))
        process = started(space, "--output", "half.csv", "--scheduler", address)
        wait_for_rows(space.parent, process)
        os.kill(worker, signal.SIGKILL)
        half = ended(process)
    assert (whole, (space.parent / "whole.csv").read_bytes()) == alone(".csv")
    assert (half, (space.parent / "half.csv").read_bytes()) == alone(".csv")


def test_a_process_that_dies_is_replaced(space: Path, alone: Alone) -> None:
    process = started(space, "--output", "half.csv", "--jobs", "2")
    wait_for_rows(space.parent, process)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    half = ended(process)
    assert (half, (space.parent / "half.csv").read_bytes()) == alone(".csv")


def wait_for_rows(folder: Path, process: subprocess.Popen[str]) -> None:
    """Wait until the first rows are written, and more are to come."""
    while not any(path.stat().st_size > 10**4 for path in folder.glob(".mbv2-*.unfinished")):
        assert process.poll() is None
        time.sleep(0.01)


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Return the processes that work for this one."""
    children = psutil.Process(process.pid).children()
    return [child.pid for child in children if "mbv2cli.search.worker" in " ".join(child.cmdline())]


@pytest.mark.parametrize("seconds", [0.5, 1.5])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_process_outlives_the_one_that_started_it(
    space: Path, number: signal.Signals, seconds: float
) -> None:
    process = started(space, "--jobs", "2", "--sample", "100M")
    time.sleep(seconds)  # while modules are imported, while processes start, or later
    workers = [psutil.Process(worker) for worker in workers_of(process)]
    process.send_signal(number)
    result = ended(process)
    assert result.stderr == ""
    assert result.code == (130 if number == signal.SIGINT else -number)
    end = time.monotonic() + 1
    while any(map(still_runs, workers)):
        assert time.monotonic() < end


def still_runs(process: psutil.Process) -> bool:
    try:  # nobody waits for the processes of one that is dead
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_processes_that_die_at_once_are_told(
    monkeypatch: pytest.MonkeyPatch, space: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", [str(space.parent)])  # the processes find no mbv2
    with pytest.raises(UserError, match="keep dying, perhaps for lack of memory"):
        list(in_processes(query_of(space), 2))
    assert capfd.readouterr() == ("", "")


def query_of(space: Path) -> Query:
    members = read_space_file(space)
    return Query(members, Draw(10**6, 0), Counting(), (), None, Ordering("macs"), 1)


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.ENOMEM])
def test_a_system_that_starts_no_process_is_told(
    monkeypatch: pytest.MonkeyPatch, space: Path, code: int
) -> None:
    monkeypatch.setattr(processes, "Popen", Mock(side_effect=OSError(code, os.strerror(code))))
    with pytest.raises(UserError, match="use fewer --jobs, or allow more processes") as error:
        list(in_processes(query_of(space), 2))
    assert os.strerror(code) in str(error.value)


def test_too_few_open_files_for_the_processes_are_told(tmp_path: Path) -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "from mbv2cli.__main__ import main; main()"
    )
    arguments = ("sweep", *("--in", "1:4000:1"), *("--out", "1:4000:1"), *("--jobs", "50"))
    result = python("-c", code, *arguments, *("--output", "x.csv"), cwd=tmp_path)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("mbv2: a process for --jobs cannot start: Too many open files")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_tells_what_was_found_so_far(space: Path, jobs: str) -> None:
    process = started(space, "--output", "half.csv", "--jobs", jobs, "--sample", "100M")
    wait_for_rows(space.parent, process)
    process.send_signal(signal.SIGINT)
    result = ended(process)
    assert result.code == 130
    assert result.stderr == "mbv2: interrupted, half.csv is not written\n"
    assert "Interrupted after " in result.stdout
    assert "Top 10 by params" in result.stdout
    assert list(space.parent.iterdir()) == [space]


def test_workers_ignore_ctrl_c_from_their_start_on(space: Path) -> None:
    process = started(space, "--jobs", "2", "--sample", "100M")
    while len(workers_of(process)) < 2:
        time.sleep(0.001)
    workers = workers_of(process)
    end = time.monotonic() + 1
    while time.monotonic() < end:  # from the start of the workers on
        for worker in workers:
            os.kill(worker, signal.SIGINT)
        time.sleep(0.01)
    assert workers_of(process) == workers
    process.send_signal(signal.SIGINT)
    result = ended(process)
    assert (result.code, result.stderr) == (130, "")
    assert "Interrupted after " in result.stdout


def test_ctrl_c_on_a_cluster_cancels_what_is_not_needed(space: Path) -> None:
    with cluster() as (address, _worker):
        process = started(space, "--output", "half.csv", "--scheduler", address, "--sample", "100M")
        wait_for_rows(space.parent, process)
        process.send_signal(signal.SIGINT)
        result = ended(process)
        assert result.code == 130
        assert "Interrupted after " in result.stdout
        assert tasks_left(address) == 0


def tasks_left(address: str) -> int:
    """Return how many tasks the scheduler still knows, once it had time to forget them."""
    code = (
        "import sys, time; from distributed import Client\n"
        "with Client(sys.argv[1], timeout=10) as client:\n"
        "    count = lambda dask_scheduler: len(dask_scheduler.tasks)\n"
        "    left = lambda: client.run_on_scheduler(count)\n"
        "    end = time.monotonic() + 10\n"
        "    while left() and time.monotonic() < end: time.sleep(0.05)\n"
        "    print(left())"
    )
    return int(python("-c", code, address).stdout)


class Presses:
    """Something in whose destructor the user presses Ctrl-C: Python drops what is raised there."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_in_a_destructor_is_not_lost() -> None:
    usual = signal.getsignal(signal.SIGINT)
    with interrupts_held():
        Presses()
        with pytest.raises(KeyboardInterrupt):
            raise_interrupt()
        raise_interrupt()  # once only
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        Presses()
    assert signal.getsignal(signal.SIGINT) is usual


def test_a_second_ctrl_c_is_not_held_back() -> None:
    with interrupts_held():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            raise_interrupt()


def test_a_process_that_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
            raise_interrupt()
    finally:
        signal.signal(signal.SIGINT, usual)
