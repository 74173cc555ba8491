"""The dummy forward pass: build, run once, note what every module did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mbv2cli.errors import UserError
from mbv2cli.nn.device import resolve_device, resolve_dtype
from mbv2cli.nn.modules import InvertedResidual, MobileNetV2
from mbv2cli.nn.records import ForwardRun, ModuleCall, Shape
from mbv2cli.nn.torchsummary_table import run_torchsummary
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.run import RunSpec


def forward(spec: BlockSpec | NetworkSpec, input_shape: Shape, run: RunSpec) -> ForwardRun:
    """Build the module of ``spec`` and run it once on a random input of ``input_shape``.

    Weights and input follow from ``run.seed``, on every device the same. The global random
    state is left as it was. Raises `UserError` where device or memory do not suffice.
    """
    device = resolve_device(run.device)
    dtype = resolve_dtype(run, device)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(run.seed)
            model = _build(spec, device, dtype)
            dummy = _dummy_input(input_shape, device, dtype)
            return observe(model, dummy)
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        raise UserError(
            f"device {device} ran out of memory; try a smaller size or batch, or --no-forward"
        ) from None


def observe(model: nn.Module, dummy: Tensor) -> ForwardRun:
    """Run ``model`` once on ``dummy`` through torchsummary; note every call of a module.

    In eval mode, without gradients. Modes and hooks of the model and the global random state
    are afterwards as they were.
    """
    calls: list[ModuleCall] = []
    output_shape: list[Shape] = []
    hooks = [
        module.register_forward_hook(_note_call(path, calls))
        for path, module in model.named_modules()
        if path and not isinstance(module, nn.Sequential)
    ]
    hooks.append(
        model.register_forward_hook(
            lambda _module, _args, output: output_shape.append(tuple(output.shape))
        )
    )
    try:
        with _eval_mode(model), torch.no_grad():
            table = run_torchsummary(model, dummy)
    finally:
        for hook in hooks:
            hook.remove()
    return ForwardRun(
        device=str(dummy.device),
        dtype=str(dummy.dtype).removeprefix("torch."),
        output_shape=output_shape[0],
        calls=tuple(calls),
        table=table,
    )


def _build(spec: BlockSpec | NetworkSpec, device: torch.device, dtype: torch.dtype) -> nn.Module:
    with _where_drawn(device):
        model = InvertedResidual(spec) if isinstance(spec, BlockSpec) else MobileNetV2(spec)
    return model.to(device, dtype)


def _dummy_input(shape: Shape, device: torch.device, dtype: torch.dtype) -> Tensor:
    with _where_drawn(device):
        return torch.rand(shape).to(device, dtype)


def _where_drawn(device: torch.device) -> torch.device:
    """Return the CPU, so that a seed means the same numbers everywhere; on meta there are none."""
    return device if device.type == "meta" else torch.device("cpu")


def _note_call(path: str, calls: list[ModuleCall]) -> Any:
    def note(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        params = list(module.parameters(recurse=False))
        calls.append(
            ModuleCall(
                path=path,
                type=type(module).__name__,
                input_shape=tuple(args[0].shape),
                output_shape=tuple(output.shape),
                params=sum(p.numel() for p in params),
                trainable_params=sum(p.numel() for p in params if p.requires_grad),
                buffers=sum(buffer.numel() for buffer in module.buffers(recurse=False)),
                macs=_macs(module, output),
            )
        )

    return note


def _macs(module: nn.Module, output: Tensor) -> int:
    """Return one multiplication for every weight that meets an output element."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        return output.numel() * module.weight[0].numel()
    return 0


@contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        words in str(error) for words in ("allocate memory", "out of memory", "overflow")
    )
