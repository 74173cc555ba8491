"""The dummy forward pass: build, run once, note every operation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from mbv2cli.errors import DisagreementError, UserError, text_of
from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import Shape
from mbv2cli.nn.device import resolve_device, resolve_dtype
from mbv2cli.nn.heap import give_back, heap_given_back
from mbv2cli.nn.modules import MobileNetV2, block_module
from mbv2cli.nn.observe import Observer
from mbv2cli.nn.settings import own_settings
from mbv2cli.nn.torchsummary_table import TorchsummaryTable, run_torchsummary
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.run import RunSpec


@dataclass(frozen=True, slots=True)
class ForwardRun:
    """One dummy forward pass: where and how it ran, and what was observed."""

    device: str
    dtype: str
    graph: Graph
    table: TorchsummaryTable

    @property
    def output_shape(self) -> Shape:
        """The shape of the output."""
        return self.graph.output_shape


class FailedForwardError(RuntimeError):
    """The model raised an exception while it was built or ran; the message names the place."""


def forward(
    spec: BlockSpec | NetworkSpec, input_shape: Shape, run: RunSpec, threads: int | None = None
) -> ForwardRun:
    """Build the module of ``spec`` and run it once on a random input of ``input_shape``.

    Weights and input follow from ``run.seed``, on every device the same. ``threads`` is the
    number of threads, None for torch's own. Torch's global settings and random state do not
    matter, and are left as they were. Raises `UserError` if device or memory do not suffice, and
    `DisagreementError` if the module fails.
    """
    device = resolve_device(run.device)
    dtype = resolve_dtype(run, device)
    try:
        with own_settings(threads), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(run.seed)
            model = _build(spec, device, dtype)
            give_back(0)  # of the weights, which were in float32 first
            with heap_given_back(model):
                return observe(model, _dummy_input(input_shape, device, dtype))
    except (RuntimeError, MemoryError) as error:
        fault = fault_of_machine(error)
        if fault:
            others = "or --no-forward" if device.type == "cpu" else "--no-forward or --device cpu"
            raise UserError(
                f"{fault} on device {device}; try a smaller size or batch, {others}"
            ) from None
        if isinstance(error, FailedForwardError):
            raise DisagreementError(str(error)) from error.__cause__
        raise


def observe(model: nn.Module, dummy: Tensor) -> ForwardRun:
    """Run ``model`` once on ``dummy`` through torchsummary; note every operation.

    In eval mode, without gradients. Modes and hooks of the model and the global random state
    are afterwards as they were. Raises `FailedForwardError` if the model raises.
    """
    observer = Observer(model, [dummy])
    try:
        with eval_mode(model), torch.no_grad():
            table = run_torchsummary(model, dummy, observer)
    except Exception as error:
        raise _failed(f"the forward pass fails in {observer.place}", error) from error
    return ForwardRun(
        device=str(dummy.device),
        dtype=str(dummy.dtype).removeprefix("torch."),
        graph=observer.graph(),
        table=table,
    )


def _build(spec: BlockSpec | NetworkSpec, device: torch.device, dtype: torch.dtype) -> nn.Module:
    name = "InvertedResidual" if isinstance(spec, BlockSpec) else "MobileNetV2"
    try:
        with _where_drawn(device):
            model = block_module(spec) if isinstance(spec, BlockSpec) else MobileNetV2(spec)
    except Exception as error:
        raise _failed(f"{name} cannot be built", error) from error
    return model.to(device, dtype)


def _failed(what: str, error: Exception) -> FailedForwardError:
    return FailedForwardError(f"{what}: {str(error).partition(chr(10))[0] or type(error).__name__}")


def _dummy_input(shape: Shape, device: torch.device, dtype: torch.dtype) -> Tensor:
    with _where_drawn(device):
        return torch.rand(shape).to(device, dtype)


def _where_drawn(device: torch.device) -> torch.device:
    """Return the CPU, so that a seed means the same numbers everywhere; on meta there are none."""
    return device if device.type == "meta" else torch.device("cpu")


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Run the block with ``model`` in eval mode; each module's mode is afterwards as it was."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


_OUT_OF_MEMORY: Final = (
    *("allocate memory", "out of memory", "overflow", "ALLOC_FAILED"),
    *("could not create a primitive", "could not create a memory"),  # oneDNN
)
_DEVICE_FAULTS: Final = ("CUDA error", "cuDNN error", "CUBLAS_STATUS", "MPS backend")


def fault_of_machine(error: BaseException) -> str | None:
    """Return what the machine or its device lacks; None if the model itself is at fault."""
    cause = error.__cause__ if isinstance(error, FailedForwardError) else error
    text = text_of(error)
    if isinstance(cause, torch.OutOfMemoryError | MemoryError) or any(
        words in text for words in _OUT_OF_MEMORY
    ):
        return "PyTorch ran out of memory"
    if any(words in text for words in _DEVICE_FAULTS):
        return f"PyTorch fails ({text.partition(chr(10))[0]})"
    return None
