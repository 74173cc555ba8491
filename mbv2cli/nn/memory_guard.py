"""Says no before a forward pass would exhaust the memory."""

from __future__ import annotations

from math import prod

import torch

from mbv2cli.errors import UserError
from mbv2cli.graph.ops import Shape
from mbv2cli.nn.device import free_bytes, resolve_device
from mbv2cli.specs.run import RunSpec
from mbv2cli.specs.units import bytes_text


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
