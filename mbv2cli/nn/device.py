"""Devices and element types: which there are, what they can run, and what fits in memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import cache

import torch
from torch.nn.functional import conv2d

from mbv2cli.errors import Notice, UnusableError, UserError
from mbv2cli.graph.graph import Graph
from mbv2cli.nn.free_memory import Free, free_memory
from mbv2cli.nn.needed_memory import Needed, needed_memory
from mbv2cli.nn.settings import own_settings
from mbv2cli.specs.run import RunSpec
from mbv2cli.specs.units import bytes_text


def resolve_device(name: str) -> torch.device:
    """Return the device of this name; ``auto`` is the first of cuda, mps and cpu that starts.

    Warns with a `Notice` if ``auto`` passes over one. Raises `UserError` that names the devices
    of this machine if it lacks this one or if it does not start.
    """
    if name == "auto":
        return _first_that_starts()
    there = available_devices()
    full_name = f"{name}:0" if name == "cuda" else name
    if full_name not in there:
        kind = name.partition(":")[0]
        lacks = name if any(one.startswith(kind) for one in there) else f"{kind.upper()} device"
        raise UnusableError(
            "device",
            f"{name} cannot be used: this machine has no {lacks}; use {', '.join(there)} or auto",
        )
    fault = _fault_of(full_name)
    if fault:
        raise UnusableError(
            "device",
            f"{name} cannot be used: {full_name} does not start ({fault}); use cpu or auto",
        )
    return torch.device(name)


@cache
def _first_that_starts() -> torch.device:
    there = available_devices()
    faults = {}
    for name in (*(one for one in there if one not in ("cpu", "meta")), "cpu"):
        fault = _fault_of(name)
        if fault is None:
            break
        faults[name] = fault
    for other, fault in faults.items():
        warnings.warn(
            Notice(f"{other} does not start ({fault}); --device auto uses {name}"), stacklevel=2
        )
    return torch.device(name)


@cache
def _fault_of(name: str) -> str | None:
    """Return why a device that the machine counts does not start; None if it starts."""
    if name in ("cpu", "meta"):
        return None
    try:
        torch.ones(1, device=name).add(1).item()
    except Exception as error:  # noqa: BLE001  (drivers and PyTorch raise what they like)
        return str(error).strip().partition("\n")[0] or type(error).__name__
    return None


def available_devices() -> tuple[str, ...]:
    """Return the names of the devices on this machine."""
    cuda = tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    mps = ("mps",) if torch.backends.mps.is_available() else ()
    return ("cpu", *cuda, *mps, "meta")


def resolve_dtype(run: RunSpec, device: torch.device) -> torch.dtype:
    """Return the element type, once the device has run a convolution in it.

    Raises `UserError` if it cannot.
    """
    dtype = _floating_dtype(run)
    if dtype is torch.float32:
        return dtype
    try:
        one = torch.zeros(1, 1, 1, 1, dtype=dtype, device=device)
        conv2d(one, one)
    except (RuntimeError, TypeError):
        raise UnusableError(
            "dtype", f"{run.dtype} cannot be used: the device {device} lacks it; try float32"
        ) from None
    return dtype


def _floating_dtype(run: RunSpec) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, run.dtype)
    if not dtype.is_floating_point:
        raise UnusableError(
            "dtype",
            f"{run.dtype} cannot be used: no forward pass runs in {run.dtype}; use --no-forward, "
            "or a dtype such as float32",
        )
    return dtype


def needed_on_device(
    run: RunSpec, graph: Graph, steps: Iterable[tuple[int, int]], threads: int | None
) -> Needed:
    """Return what the forward pass of ``graph`` needs at most on the device of ``run``.

    ``steps`` has each operation's index and the elements alive while it runs. Raises `UserError`
    if the device or the element type cannot be used.
    """
    device = resolve_device(run.device)
    dtype = _floating_dtype(run)
    with own_settings(threads):
        return needed_memory(graph, steps, dtype, device, torch.get_num_threads())


def refuse_beyond_memory(run: RunSpec, needed: Needed) -> None:
    """Raise `UserError` if this much memory is not free. Allocates nothing."""
    if needed.gpu:
        _refuse(needed.gpu, needed.workspace, _free_on_gpu(resolve_device(run.device)))
    _refuse(needed.host, 0 if needed.gpu else needed.workspace, free_memory())


def _free_on_gpu(device: torch.device) -> Free:
    """Return the free memory of a GPU; PyTorch reuses what it keeps of earlier forward passes."""
    free, _total = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return Free(free + kept, str(device))


def _refuse(needed: int, workspace: int, free: Free) -> None:
    if needed <= free.bytes:
        return
    largest = (
        f", up to {bytes_text(workspace)} of it as the workspace of one convolution,"
        if workspace > needed // 2
        else ""
    )
    raise UserError(
        f"the forward pass needs about {bytes_text(needed)} of memory{largest} and {free.place} "
        f"has {bytes_text(free.bytes)} free; try a smaller size or batch, --no-forward, "
        "or --force to run it all the same"
    )
