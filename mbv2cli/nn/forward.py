"""The dummy forward pass: build, run once, note every operation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mbv2cli.errors import DisagreementError, UserError
from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import Shape
from mbv2cli.nn.device import resolve_device, resolve_dtype
from mbv2cli.nn.modules import InvertedResidual, MobileNetV2
from mbv2cli.nn.observe import Observer
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
    number of threads, None for torch's own. The global random state and the number of threads
    are left as they were. Raises `UserError` if device or memory do not suffice, and
    `DisagreementError` if the module fails.
    """
    device = resolve_device(run.device)
    dtype = resolve_dtype(run, device)
    try:
        with _threads(threads), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(run.seed)
            model = _build(spec, device, dtype)
            return observe(model, _dummy_input(input_shape, device, dtype))
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise UserError(
                f"device {device} ran out of memory; try a smaller size or batch, or --no-forward"
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
            model = InvertedResidual(spec) if isinstance(spec, BlockSpec) else MobileNetV2(spec)
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
def _threads(count: int | None) -> Iterator[None]:
    """Run on so many threads: more than one wait for each other where other programs run."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory does not suffice."""
    cause = error.__cause__ if isinstance(error, FailedForwardError) else error
    return isinstance(cause, torch.OutOfMemoryError | MemoryError) or any(
        words in str(error) for words in ("allocate memory", "out of memory", "overflow")
    )
