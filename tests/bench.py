"""`make bench`: mbv2 against its floors and its peers, interleaved, in one run.

Prints three tables in Markdown: whole processes, one call inside a running process, and searches
of growing size on one core.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

ROUNDS: Final = 9
BARE: Final = "python -c 'typer + rich'"
TORCH: Final = "python -c 'import torch'"

BARE_PROGRAM = """
import typer
from rich.console import Console
from rich.table import Table
app = typer.Typer()
@app.command()
def main() -> None:
    table = Table("Layer", "Params")
    table.add_row("Conv2d-1", "54")
    Console().print(table)
app()
"""

REFERENCE_SCRIPT = """
import torch
from torch import nn
from torchsummary import summary

class Block(nn.Module):
    def __init__(self, inp, out, stride, expand):
        super().__init__()
        hidden = inp * expand
        self.shortcut = stride == 1 and inp == out
        self.conv = nn.Sequential(
            nn.Conv2d(inp, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden), nn.ReLU(),
            nn.Conv2d(hidden, out, 1, bias=False), nn.BatchNorm2d(out),
        )
    def forward(self, x):
        return x + self.conv(x) if self.shortcut else self.conv(x)

model = Block(3, 64, 1, 6)
print(model(torch.rand(1, 3, 224, 224)).shape)
summary(model, (3, 224, 224), device="cpu")
"""

MODEL = "from mbv2cli import MobileNetV2\nmodel = MobileNetV2().eval()\n"
PEERS: Final[Mapping[str, str]] = {
    "torchsummary": "import torchsummary\n"
    + MODEL
    + "torchsummary.summary(model, (3, 224, 224), device='cpu')",
    "torchinfo": "import torchinfo\n"
    + MODEL
    + "print(torchinfo.summary(model, (1, 3, 224, 224), device='cpu'))",
    "ptflops": "import ptflops\n"
    + MODEL
    + "print(ptflops.get_model_complexity_info(model, (3, 224, 224)))",
    "fvcore": "import torch\nfrom fvcore.nn import FlopCountAnalysis, flop_count_table\n"
    + MODEL
    + "print(flop_count_table(FlopCountAnalysis(model, torch.rand(1, 3, 224, 224))))",
    "thop": "import thop, torch\n"
    + MODEL
    + "print(thop.profile(model, (torch.rand(1, 3, 224, 224),)))",
}

ONE_CASE = """forward = false
[case.edge]
target = "network"
output = "1x1000"
max_params = "9M"
max_peak = "30MiB"
"""
THOUSAND_CASES = f"""{ONE_CASE}
width_mult = {[round(0.3 + 0.02 * step, 2) for step in range(50)]}
size = {[96 + 8 * step for step in range(20)]}
"""

SPACE = """width_mult = [0.35, 0.5, 0.75, 1.0]
size = "96:224:16"
stages = [
    {t = 1, c = [8, 16, 24]},
    {t = [3, 4, 6], c = [16, 24, 32], n = [1, 2, 3, 4], s = 2, k = [3, 5, 7]},
    {t = [3, 4, 6], c = [24, 32, 40], n = [1, 2, 3, 4], s = 2, k = [3, 5, 7]},
    {t = [3, 4, 6], c = [48, 64, 80], n = [1, 2, 3, 4], s = 2, k = [3, 5, 7]},
    {t = [3, 4, 6], c = [64, 96, 112], n = [1, 2, 3, 4], s = 1, k = [3, 5, 7]},
    {t = [3, 4, 6], c = [112, 160, 192], n = [1, 2, 3, 4], s = 2, k = [3, 5, 7]},
    {t = [3, 4, 6], c = [240, 320, 400], n = [1, 2, 3, 4], s = 1, k = [3, 5, 7]},
]
"""
LIMITS: Final = (
    *("--max-params", "3M", "--max-macs", "300M", "--max-peak", "1MiB", "--dtype", "int8"),
)
SEARCHES: Final = (10**5, 10**6, 10**7, 10**8)

MBV2: Final = (sys.executable, "-m", "mbv2cli")
PROCESSES: Final[Mapping[str, tuple[str, ...]]] = {
    TORCH: (sys.executable, "-c", "import torch"),
    BARE: (sys.executable, "-c", BARE_PROGRAM),
    "reference script (block + torchsummary)": (sys.executable, "-c", REFERENCE_SCRIPT),
    "mbv2 summary": (*MBV2, "summary"),
    "mbv2 summary network": (*MBV2, "summary", "network"),
    "mbv2 summary network --no-forward": (*MBV2, "summary", "network", "--no-forward"),
    "mbv2 summary network --no-forward --format json": (
        *(*MBV2, "summary", "network", "--no-forward", "--format", "json"),
    ),
    "mbv2 --help": (*MBV2, "--help"),
    "mbv2 --version": (*MBV2, "--version"),
    "mbv2 explain": (*MBV2, "explain"),
    "mbv2 counts network": (*MBV2, "counts", "network"),
    "mbv2 memory network": (*MBV2, "memory", "network"),
    "mbv2 presets": (*MBV2, "presets"),
    "mbv2 cliffs network": (*MBV2, "cliffs", "network"),
    **{f"{name} script (network)": (sys.executable, "-c", code) for name, code in PEERS.items()},
}


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        commands = {**PROCESSES, **checks(Path(folder))}
        processes = medians(
            {name: once(process(words)) for name, words in commands.items()}, ROUNDS
        )
    fastest_peer = min(processes[f"{name} script (network)"] for name in PEERS)
    print("| whole process | median | ÷ import torch | ÷ bare Typer + rich | fastest peer ÷ it |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, seconds in processes.items():
        print(
            f"| `{name}` | {seconds * 1000:,.0f} ms | {seconds / processes[TORCH]:.2f} "
            f"| {seconds / processes[BARE]:.2f} | {fastest_peer / seconds:.1f} |"
        )
    print_busy(busy())
    found = searches()  # before torch is loaded here: a process starts out as large as its parent
    calls = medians({name: steadily(call) for name, call in in_process().items()}, 15)
    plan = calls["mbv2: plan of the network"]
    print("\n| in a running process | median | ÷ mbv2's plan |\n| --- | ---: | ---: |")
    for name, seconds in calls.items():
        print(f"| {name} | {seconds * 1000:,.2f} ms | {seconds / plan:,.0f} |")
    print_searches(found, calls["torchinfo"])


def busy() -> dict[str, float]:
    """Measure forward passes while every core is kept busy, as on a machine that runs CI."""
    loop = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(loop) for _ in os.sched_getaffinity(0)]
    try:
        names = (TORCH, "mbv2 summary", "mbv2 summary network")
        return medians({name: once(process(PROCESSES[name])) for name in names}, ROUNDS)
    finally:
        for other in others:
            other.kill()
            other.wait()


def print_busy(found: Mapping[str, float]) -> None:
    """Print them beside `import torch` under the same load."""
    print("\n| whole process, every core busy | median | ÷ import torch |\n| --- | ---: | ---: |")
    for name, seconds in found.items():
        print(f"| `{name}` | {seconds * 1000:,.0f} ms | {seconds / found[TORCH]:.2f} |")


class Search(NamedTuple):
    """A search of so many members: its seconds after the start, and its peak bytes."""

    members: int
    process_seconds: float
    seconds: float
    peak_bytes: int


def searches() -> list[Search]:
    """Measure `mbv2 sweep` on one core, for more and more members of a space of 10^14.

    Parameters, MACs and layerwise int8 peak of each are held against limits. The start is what a
    search of one member takes.
    """
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # the searches inherit it
    with tempfile.TemporaryDirectory() as folder:
        space = Path(folder) / "space.toml"
        space.write_text(SPACE)
        start = statistics.median(search(space, 1)[0] for _ in range(ROUNDS))
        measured = [(count, *search(space, count)) for count in SEARCHES]
    os.sched_setaffinity(0, cores)
    return [Search(count, whole, whole - start, peak) for count, whole, peak in measured]


def print_searches(found: Sequence[Search], torchinfo: float) -> None:
    """Print them beside the seconds that torchinfo takes for a network in a running process."""
    print(
        "\n| networks searched | whole process | after the start: networks a second "
        "| ns a network | × torchinfo's rate | peak memory |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for one in found:
        each = one.seconds / one.members
        print(
            f"| {one.members:,} | {one.process_seconds:.2f} s | {1 / each:,.0f} "
            f"| {each * 1e9:,.0f} | {torchinfo / each:,.0f} | {one.peak_bytes / 10**6:.0f} MB |"
        )


def search(space: Path, count: int) -> tuple[float, int]:
    """Search so many members in a process of its own; return its seconds and peak bytes."""
    words = (*MBV2, "sweep", "--space", str(space), "--sample", str(count), *LIMITS, "--quiet")
    begun = time.perf_counter()
    process = subprocess.Popen(words)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"a search ended with exit code {process.returncode}")
    return time.perf_counter() - begun, usage.ru_maxrss * 1024


def checks(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the commands that check one case and a thousand."""
    commands: dict[str, tuple[str, ...]] = {}
    for name, text in (("1 case", ONE_CASE), ("1,000 cases", THOUSAND_CASES)):
        config = folder / f"{len(text)}.toml"
        config.write_text(text)
        commands[f"mbv2 check ({name}, no forward)"] = (*MBV2, "check", "--config", str(config))
    return commands


def process(words: tuple[str, ...]) -> Callable[[], object]:
    """Return a call that runs these words as a process, to success."""
    return lambda: subprocess.run(words, capture_output=True, check=True)


def in_process() -> dict[str, Callable[[], object]]:
    """Return the same question, asked of each tool in this process."""
    import ptflops
    import torch
    import torchinfo
    from fvcore.nn import FlopCountAnalysis

    from mbv2cli import MobileNetV2, NetworkSpec, plan_of

    spec = NetworkSpec()
    model = MobileNetV2(spec).eval()
    shape = (1, 3, 224, 224)
    dummy = torch.rand(shape)
    return {
        "mbv2: plan of the network": lambda: plan_of(spec).totals,
        "torchinfo": lambda: torchinfo.summary(model, shape, device="cpu", verbose=0),
        "ptflops": lambda: ptflops.get_model_complexity_info(
            model, shape[1:], print_per_layer_stat=False
        ),
        "fvcore": lambda: (
            FlopCountAnalysis(model, dummy).unsupported_ops_warnings(enabled=False).total()
        ),
    }


def steadily(call: Callable[[], object], seconds: float = 0.05) -> Callable[[], float]:
    """Return a measurement of ``call`` in its steady state: repeated for about ``seconds``."""
    timer = timeit.Timer(call)
    timer.timeit(3)
    number = max(1, round(seconds / timer.timeit(1)))
    return lambda: timer.timeit(number) / number


def once(run: Callable[[], object]) -> Callable[[], float]:
    """Return a measurement of a single run."""
    return lambda: timeit.timeit(run, number=1)


def medians(measures: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Return each one's median seconds, measured once a round in turn, after a warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds + 1):
        for name, measure in measures.items():
            seconds[name].append(measure())
    return {name: statistics.median(runs[1:]) for name, runs in seconds.items()}


if __name__ == "__main__":
    main()
