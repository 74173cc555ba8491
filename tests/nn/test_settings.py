"""The settings of PyTorch in the program around mbv2 do not matter, and stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import torch

from mbv2cli import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.nn.forward import forward
from mbv2cli.nn.settings import own_settings
from mbv2cli.specs import RunSpec
from mbv2cli.testing import check


@contextmanager
def default_device() -> Iterator[None]:
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def default_dtype() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(mode=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(mode=False)


SETTINGS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "default device": default_device,
    "a device around": lambda: torch.device("meta"),
    "default dtype": default_dtype,
    "deterministic": deterministic,
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
}


def state() -> tuple[object, ...]:
    return (
        torch.empty(0).device,
        torch.get_default_dtype(),
        torch.get_deterministic_debug_mode(),
        torch.is_inference_mode_enabled(),
        torch.is_grad_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_num_threads(),
    )


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_forward_pass_under_a_setting(setting: str, device: str) -> None:
    run, shape = RunSpec(device=device), (1, 3, 16, 16)
    plain = forward(BlockSpec(), shape, run, threads=1)
    with SETTINGS[setting]():
        before = state()
        assert forward(BlockSpec(), shape, run, threads=1) == plain
        assert state() == before


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_check_under_a_setting(setting: str, dtype: str) -> None:
    spec, input_ = NetworkSpec(width_mult=0.1), InputSpec(size=(32, 32))
    with SETTINGS[setting]():
        before = state()
        check(spec, input_, expect="1x1000", forward=True, dtype=dtype)
        assert state() == before


@pytest.mark.parametrize("setting", SETTINGS)
def test_what_the_block_makes_is_plain(setting: str) -> None:
    with SETTINGS[setting](), own_settings(threads=1):
        made = torch.nn.functional.conv2d(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1))
        assert (made.dtype, made.device.type) == (torch.float32, "cpu")
        assert not torch.are_deterministic_algorithms_enabled()


def test_settings_stay_when_the_forward_pass_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.nn.BatchNorm2d, "forward", None)
    with default_dtype(), torch.device("meta"):
        before = state()
        with pytest.raises(Exception, match="fails"):
            forward(BlockSpec(), (1, 3, 8, 8), RunSpec(device="cpu"), threads=1)
        assert state() == before
