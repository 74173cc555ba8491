"""A limit on memory while the user's code runs: nobody knows before what a module needs."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

from mbv2cli.nn.free_memory import free_memory


@contextmanager
def memory_limited(device: torch.device) -> Iterator[None]:
    """Let PyTorch fail inside the block where memory ends, before the kernel ends this process.

    Only on Linux, and only on a CPU: a driver of a GPU maps memory that it does not use. The
    limit is afterwards as it was.
    """
    if sys.platform != "linux" or device.type != "cpu":
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    bounds = [one for one in (_all_that_there_is(), *before) if one != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _all_that_there_is() -> int:
    """Return the bytes that this process has and those that it may still take, swap included."""
    with warnings.catch_warnings(action="ignore"):  # some containers have no counts of swapping
        swap = psutil.swap_memory().free
    return int(psutil.Process().memory_info().data + free_memory().bytes + swap)
