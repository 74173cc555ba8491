"""The memory that a forward pass really needs, against what mbv2 predicts.

``python -m tests.nn.forward_memory [COUNT] [SEED]`` runs COUNT random blocks and networks (200),
each in a process of its own, in float32, bfloat16 or float16 and with a batch of 1 to 32. It prints
a row for each and a summary. The prediction must never be below the measured peak. On Linux only.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, get_args

from mbv2cli import plan_of
from mbv2cli.costs.memory import EAGER
from mbv2cli.errors import UserError
from mbv2cli.inspection import Plan
from mbv2cli.specs import RunSpec
from mbv2cli.specs.fields import Activation
from mbv2cli.specs.presets import presets
from mbv2cli.specs.reader import read_request

MOST_BYTES = 2 * 10**9
MOST_MACS = 40 * 10**9

_LAST_OF_FAMILY = sorted({preset.family: name for name, preset in presets().items()}.values())


class Peak(NamedTuple):
    """Bytes of a forward pass: what mbv2 predicts, and what the process really took more."""

    predicted: int
    measured: int


def peak_of(target: str, dtype: str) -> Peak:
    """Run the forward pass of a target in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, "--one", target, dtype],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{target} in {dtype}: {done.stderr[-500:]}")
    return Peak(*json.loads(done.stdout))


def _peak_here(target: str, dtype: str) -> Peak:
    """Run the forward pass in this process, which must not have run another."""
    from mbv2cli.confirm import confirmed_forward, needed_memory

    request = read_request(target)
    plan = plan_of(request.spec, request.input)
    run = RunSpec.model_validate({"device": "cpu", "dtype": dtype})
    predicted = needed_memory(plan, run).host
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the highest amount so far is forgotten
    confirmed_forward(plan, run)
    return Peak(predicted, _status("VmHWM") - before)


def _status(key: str) -> int:
    """Return an amount of memory of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def random_targets(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Yield random targets and element types, which need at most some GB and some seconds."""
    while True:
        make = chance.choice([_random_block, _random_network])
        target = f"{make(chance)},batch={_of_any_size(chance, 1, 32)}"
        dtype = chance.choice(["float32", "bfloat16", "float16"])
        try:
            request = read_request(target)
        except UserError:
            continue
        if _is_small(plan_of(request.spec, request.input)):
            yield target, dtype


def _is_small(plan: Plan) -> bool:
    few = plan.totals.macs < MOST_MACS
    return few and plan.memory(EAGER).peak_bytes("float32") < MOST_BYTES


def _of_any_size(chance: random.Random, low: int, high: int) -> int:
    return round(math.exp(chance.uniform(math.log(low), math.log(high))))


def _random_block(chance: random.Random) -> str:
    in_channels = _of_any_size(chance, 1, 256)
    settings = {
        "in": in_channels,
        "out": chance.choice([in_channels, _of_any_size(chance, 1, 256)]),
        "expand": chance.choice([1, 2, 4, 6, round(chance.uniform(0.7, 8), 2)]),
        "stride": chance.choice([1, 1, 2, 3]),
        "kernel": chance.choice([1, 3, 3, 3, 5, 7, 11]),
        "dilation": chance.choice([1, 1, 1, 2]),
        "size": _of_any_size(chance, 7, 900),
        "type": chance.choice(["inverted", "inverted", "fused", "conv"]),
        **_fields_of_both(chance),
    }
    return _target("block", settings, chance)


def _random_network(chance: random.Random) -> str:
    settings = {
        "width_mult": round(chance.uniform(0.1, 1.6), 2),
        "classes": chance.choice([0, 10, 1000, 1000, 10_000]),
        "in": chance.choice([1, 3, 3, 4]),
        "output_stride": chance.choice([32, 32, 32, 16, 8]),
        "head": chance.choice([0, 1280, 1280, 1280, 2048]),
        "size": _of_any_size(chance, 32, 640),
        **_fields_of_both(chance),
    }
    return _target(chance.choice(["network", "network", *_LAST_OF_FAMILY]), settings, chance)


def _fields_of_both(chance: random.Random) -> dict[str, object]:
    return {
        "shortcut": chance.choice(["identity", "identity", "projection", "none"]),
        "se": chance.choice([0, 0, 0.25, 1]),
        "padding": chance.choice(["torch", "torch", "same"]),
    }


def _target(name: str, settings: Mapping[str, object], chance: random.Random) -> str:
    act = chance.choice(get_args(Activation))
    return f"{name}:{','.join(f'{key}={value}' for key, value in settings.items())},act={act}"


def main(count: int = 200, seed: int = 0) -> None:
    """Print a table of predicted and measured peaks in MiB, and what it comes to."""
    peaks = []
    print("| target | dtype | predicted | measured | predicted / measured |")
    print("| --- | --- | ---: | ---: | ---: |")
    targets = random_targets(random.Random(seed))  # noqa: S311  (no secrets here)
    for target, dtype in (next(targets) for _ in range(count)):
        peak = peak_of(target, dtype)
        peaks.append(peak)
        predicted, measured = (amount / 2**20 for amount in peak)
        ratio = peak.predicted / peak.measured
        print(f"| `{target}` | {dtype} | {predicted:,.1f} | {measured:,.1f} | {ratio:.2f} |")
        sys.stdout.flush()
    ratios = sorted(peak.predicted / peak.measured for peak in peaks)
    below = sum(ratio < 1 for ratio in ratios)
    twice = sum(ratio <= 2 for ratio in ratios)
    print(
        f"\n{count} specs: {below} predictions below the measured peak, {twice} at most twice "
        f"the peak; ratio {ratios[0]:.2f} to {ratios[-1]:.2f}, median {ratios[count // 2]:.2f}"
    )


if __name__ == "__main__":
    if "--one" in sys.argv:
        print(json.dumps(_peak_here(*sys.argv[2:4])))
    else:
        main(*map(int, sys.argv[1:]))
