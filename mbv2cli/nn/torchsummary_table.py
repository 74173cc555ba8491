"""torchsummary itself, run without its side effects, and its printed table read back."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import StringIO
from typing import Final

import torch
import torchsummary
from torch import Tensor, nn

from mbv2cli.graph.ops import Shape
from mbv2cli.nn.observe import Observer

_ROW: Final = re.compile(r"^ *(\S+-\d+) +\[([-\d, ]+)\] +([\d,]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TorchsummaryRow:
    """A row of torchsummary's table: ``Conv2d-1``, the output shape, the parameters."""

    name: str
    output_shape: Shape
    params: int


@dataclass(frozen=True, slots=True)
class TorchsummaryTable:
    """What torchsummary printed, as text and as data. Sizes are in MB, rounded to 0.01."""

    text: str
    rows: tuple[TorchsummaryRow, ...]
    params: int
    trainable_params: int
    non_trainable_params: int
    input_mb: float
    forward_backward_mb: float
    params_mb: float
    total_mb: float


def run_torchsummary(model: nn.Module, dummy: Tensor, observer: Observer) -> TorchsummaryTable:
    """Return torchsummary's table of one forward pass of ``model``, which ``observer`` watches.

    torchsummary 1.5.1 makes its own input, a float32 batch of two on the CPU: a pre-hook puts
    ``dummy`` in its place, and the random state that it advances is put back. Its hooks, which
    it leaves behind when the forward raises, are always removed.
    """
    batch, *sample_shape = dummy.shape
    printed = StringIO()
    feed = model.register_forward_pre_hook(lambda _module, _args: (dummy,))
    try:
        with (
            torch.random.fork_rng(devices=[]),
            _hooks_restored(model),
            _prints_to(printed),
            observer.watching(),
        ):
            torchsummary.summary(model, tuple(sample_shape), batch_size=batch, device="cpu")
    finally:
        feed.remove()
    return parse_table(printed.getvalue())


@contextmanager
def _prints_to(stream: StringIO) -> Iterator[None]:
    """Let torchsummary alone print to ``stream``: what the model prints is not part of a table."""
    module = sys.modules[torchsummary.summary.__module__]
    vars(module)["print"] = partial(print, file=stream)
    try:
        yield
    finally:
        del vars(module)["print"]


def parse_table(text: str) -> TorchsummaryTable:
    """Read what torchsummary 1.5.1 printed."""
    return TorchsummaryTable(
        text=text,
        rows=tuple(
            TorchsummaryRow(name, tuple(map(int, shape.split(","))), _count(params))
            for name, shape, params in _ROW.findall(text)
        ),
        params=_count(_figure(text, "Total params")),
        trainable_params=_count(_figure(text, "Trainable params")),
        non_trainable_params=_count(_figure(text, "Non-trainable params")),
        input_mb=float(_figure(text, "Input size (MB)")),
        forward_backward_mb=float(_figure(text, "Forward/backward pass size (MB)")),
        params_mb=float(_figure(text, "Params size (MB)")),
        total_mb=float(_figure(text, "Estimated Total Size (MB)")),
    )


@contextmanager
def _hooks_restored(model: nn.Module) -> Iterator[None]:
    hooks_before = {module: list(module._forward_hooks) for module in model.modules()}
    try:
        yield
    finally:
        for module, before in hooks_before.items():
            for hook in [hook for hook in module._forward_hooks if hook not in before]:
                del module._forward_hooks[hook]


def _figure(text: str, title: str) -> str:
    found = re.search(rf"^{re.escape(title)}: (\S+)$", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"torchsummary printed no '{title}'")
    return found.group(1)


def _count(text: str) -> int:
    return int(text.replace(",", ""))
