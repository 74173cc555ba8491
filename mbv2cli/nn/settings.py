"""PyTorch's global settings, put aside while mbv2 uses PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def own_settings(threads: int | None) -> Iterator[None]:
    """Run the block with PyTorch's defaults, whatever the program around mbv2 has set.

    ``threads`` is the number of threads, None for the number that is set. More than one wait for
    each other where other programs run. All settings are afterwards as they were.
    """
    with ExitStack() as before:
        _keep_threads(before, threads)
        _keep_dtype(before)
        _keep_deterministic(before)
        if torch.empty(0).device.type != "cpu":  # a device around costs a step for each call
            before.enter_context(torch.device("cpu"))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                before.enter_context(torch.autocast(kind, enabled=False))
        yield


@contextmanager
def settings_kept() -> Iterator[None]:
    """Put PyTorch's settings back after the block, whatever the block has set."""
    threads, dtype, device = (
        torch.get_num_threads(),
        torch.get_default_dtype(),
        _default_device(),
    )
    mode, has_gradients = torch.get_deterministic_debug_mode(), torch.is_grad_enabled()
    try:
        yield
    finally:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        if _default_device() != device:  # None is the CPU without a step for each call
            torch.set_default_device(None if device.type == "cpu" else device)
        if torch.get_deterministic_debug_mode() != mode:
            torch.set_deterministic_debug_mode(mode)
        torch.set_grad_enabled(has_gradients)


def _default_device() -> torch.device:
    """Return the default device. torch 2.4 fails once somebody has set it to None, the CPU."""
    try:
        return torch.get_default_device()
    except AttributeError:
        return torch.device("cpu")


def _keep_threads(before: ExitStack, threads: int | None) -> None:
    count = torch.get_num_threads()
    before.callback(torch.set_num_threads, count)
    torch.set_num_threads(threads or count)


def _keep_dtype(before: ExitStack) -> None:
    before.callback(torch.set_default_dtype, torch.get_default_dtype())
    torch.set_default_dtype(torch.float32)


def _keep_deterministic(before: ExitStack) -> None:
    mode = torch.get_deterministic_debug_mode()
    if mode:  # a change imports the compiler of PyTorch
        before.callback(torch.set_deterministic_debug_mode, mode)
        torch.set_deterministic_debug_mode(0)
