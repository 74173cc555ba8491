"""`make bench`: `mbv2 summary` of a torchvision model against torchinfo, interleaved, in one run.

It runs in the environment of `make zoo`, which has torchvision. Prints a table in Markdown: wall
time, and the CPU time of the process, which other programs on the machine change less.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from tests.bench import MBV2, ROUNDS

TORCHINFO: Final = "python -c 'torchvision + torchinfo'"
TORCHINFO_PROGRAM = """
import torchinfo
from torchvision.models import mobilenet_v2
print(torchinfo.summary(mobilenet_v2(), (1, 3, 224, 224), device="cpu"))
"""
COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "python -c 'import torchvision'": (sys.executable, "-c", "import torchvision"),
    TORCHINFO: (sys.executable, "-c", TORCHINFO_PROGRAM),
    "mbv2 summary torchvision.models:mobilenet_v2": (
        *(*MBV2, "summary", "torchvision.models:mobilenet_v2"),
    ),
    "mbv2 identify torchvision.models:mobilenet_v2": (
        *(*MBV2, "identify", "torchvision.models:mobilenet_v2"),
    ),
}


class Time(NamedTuple):
    """Seconds of a process: on the clock, and on the CPUs."""

    wall: float
    cpu: float


def main() -> None:
    """Measure and print."""
    runs: dict[str, list[Time]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS + 1):
        for name, words in COMMANDS.items():
            runs[name].append(time_of(words))
    medians = {name: median(times[1:]) for name, times in runs.items()}  # after a warm-up
    floor = medians[TORCHINFO]
    print("| whole process | wall | CPU | ÷ torchinfo (wall) | ÷ torchinfo (CPU) |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, (wall, cpu) in medians.items():
        print(
            f"| `{name}` | {wall:.2f} s | {cpu:.2f} s | {wall / floor.wall:.2f} "
            f"| {cpu / floor.cpu:.2f} |"
        )


def time_of(words: tuple[str, ...]) -> Time:
    """Return the time that these words take as a process, to success."""
    begun = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with exit code {process.returncode}")
    return Time(time.perf_counter() - begun, usage.ru_utime + usage.ru_stime)


def median(times: list[Time]) -> Time:
    """Return the median of each time."""
    walls, cpus = zip(*times, strict=True)
    return Time(statistics.median(walls), statistics.median(cpus))


if __name__ == "__main__":
    main()
