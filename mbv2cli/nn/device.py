"""Devices and element types: which there are, what they can run, and what fits in memory."""

from __future__ import annotations

from math import prod

import psutil
import torch
from torch.nn.functional import conv2d

from mbv2cli.errors import UnusableError, UserError
from mbv2cli.graph.ops import Shape
from mbv2cli.specs.run import RunSpec
from mbv2cli.specs.units import bytes_text


def resolve_device(name: str) -> torch.device:
    """Return the device of this name; ``auto`` is cuda, else mps, else cpu.

    Raises `UserError` that names the devices of this machine if it lacks this one.
    """
    there = available_devices()
    if name == "auto":
        return torch.device(next(device for device in ("cuda:0", "mps", "cpu") if device in there))
    if (f"{name}:0" if name == "cuda" else name) not in there:
        kind = name.partition(":")[0]
        lacks = name if any(one.startswith(kind) for one in there) else f"{kind.upper()} device"
        raise UnusableError(
            "device",
            f"{name} cannot be used: this machine has no {lacks}; use {', '.join(there)} or auto",
        )
    return torch.device(name)


def available_devices() -> tuple[str, ...]:
    """Return the names of the devices on this machine."""
    cuda = tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    mps = ("mps",) if torch.backends.mps.is_available() else ()
    return ("cpu", *cuda, *mps, "meta")


def resolve_dtype(run: RunSpec, device: torch.device) -> torch.dtype:
    """Return the element type, once the device has run a convolution in it.

    Raises `UserError` if it cannot.
    """
    dtype: torch.dtype = getattr(torch, run.dtype)
    if dtype is torch.float32:
        return dtype
    if not dtype.is_floating_point:
        raise UnusableError(
            "dtype",
            f"{run.dtype} cannot be used: no forward pass runs in {run.dtype}; use --no-forward, "
            "or a dtype such as float32",
        )
    try:
        one = torch.zeros(1, 1, 1, 1, dtype=dtype, device=device)
        conv2d(one, one)
    except (RuntimeError, TypeError):
        raise UnusableError(
            "dtype", f"{run.dtype} cannot be used: the device {device} lacks it; try float32"
        ) from None
    return dtype


def free_bytes(device: torch.device) -> int:
    """Return the free memory of the device, that of the machine where it has none of its own."""
    if device.type == "cuda":
        free, _total = torch.cuda.mem_get_info(device)
        return int(free)
    return int(psutil.virtual_memory().available)


def refuse_beyond_memory(run: RunSpec, input_shape: Shape, forward_bytes: int) -> None:
    """Raise `UserError` if a forward pass of ``forward_bytes`` does not fit. Allocates nothing.

    On top comes an input that torchsummary draws for itself, always on the CPU.
    """
    device = resolve_device(run.device)
    own_input = _torchsummary_input_bytes(input_shape)
    if device.type == "cpu":
        _refuse(device, forward_bytes + own_input)
        return
    _refuse(torch.device("cpu"), own_input)
    if device.type != "meta":
        _refuse(device, forward_bytes)


def _torchsummary_input_bytes(input_shape: Shape) -> int:
    """Return the size of torchsummary 1.5.1's own input: two samples in float32."""
    return 2 * prod(input_shape[1:]) * torch.float32.itemsize


def _refuse(device: torch.device, needed: int) -> None:
    free = free_bytes(device)
    if needed > free:
        raise UserError(
            f"the forward pass needs about {bytes_text(needed)} of memory and {device} has "
            f"{bytes_text(free)} free; try a smaller size or batch, --no-forward, "
            "or --force to run it all the same"
        )
