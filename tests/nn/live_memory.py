"""What PyTorch really keeps in memory, measured storage by storage.

``python -m tests.nn.live_memory`` prints the table of the guide `memory`: predicted against
measured, and what the allocator has on top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mbv2cli import BlockSpec, InputSpec, MobileNetV2, NetworkSpec, plan_of
from mbv2cli.costs.memory import EAGER, TRAINING
from mbv2cli.nn.modules import block_module


class _LiveStorages(TorchDispatchMode):
    """Follows by weak references every storage that operations return, the model's own apart."""

    def __init__(self, model: nn.Module, given: Sequence[Tensor]) -> None:
        super().__init__()
        self._own = storages_of(model)
        self._storages: dict[int, tuple[Any, int]] = {}
        for tensor in given:
            self._note(tensor)
        self.peak = 0

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._own:  # views of weights come by
            reference: Any = StorageWeakRef(storage)
            self._storages.setdefault(storage._cdata, (reference, storage.nbytes()))

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        output = operation(*args, **(kwargs or {}))
        self._storages = {
            key: entry for key, entry in self._storages.items() if not entry[0].expired()
        }
        for leaf in tree_leaves(output):
            if isinstance(leaf, Tensor):
                self._note(leaf)
        self.peak = max(self.peak, sum(size for _reference, size in self._storages.values()))
        return output


def storages_of(model: nn.Module) -> set[int]:
    """Return what identifies the storages of parameters and buffers."""
    return {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}


def eager_peak(model: nn.Module, *given: Tensor) -> int:
    """Return the most bytes alive while ``model`` runs, the inputs among them, weights not."""
    with torch.no_grad(), _LiveStorages(model, given) as live:
        model.eval()(*given)
    peak: int = live.peak
    return peak


def saved_for_backward(model: nn.Module, dummy: Tensor) -> int:
    """Return the bytes of the distinct storages that autograd saves, the model's own apart."""
    own = storages_of(model)
    saved = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            saved[storage._cdata] = storage  # kept, so that no other takes its place
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        output = model.train()(dummy)
    del output
    return sum(storage.nbytes() for storage in saved.values())


def allocated_peak(model: nn.Module, dummy: Tensor) -> int:
    """Return the most bytes the CPU allocator holds, as the profiler's memory events tell."""
    with torch.no_grad(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        model.eval()(dummy)
    held = dummy.untyped_storage().nbytes()
    peak = held
    for event in seen.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak


def model_of(spec: BlockSpec | NetworkSpec) -> nn.Module:
    """Return the module of ``spec``."""
    return block_module(spec) if isinstance(spec, BlockSpec) else MobileNetV2(spec)


def main() -> None:
    """Print predicted against measured, in MiB."""
    targets: list[tuple[str, BlockSpec | NetworkSpec, InputSpec]] = [
        ("block", BlockSpec(), InputSpec()),
        ("network", NetworkSpec(), InputSpec()),
        ("network --batch 4", NetworkSpec(), InputSpec(batch=4)),
        (
            "network:width_mult=0.35 --size 96",
            NetworkSpec(width_mult=0.35),
            InputSpec(size=(96, 96)),
        ),
    ]
    measures: list[Callable[[nn.Module, Tensor], int]] = [
        eager_peak,
        allocated_peak,
        saved_for_backward,
    ]
    print("| target | `eager` | measured | allocator | `training` | measured |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, spec, input_ in targets:
        plan = plan_of(spec, input_)
        eager, training = (plan.memory(rule).peak_bytes("float32") for rule in (EAGER, TRAINING))
        live, allocated, saved = (
            measure(model_of(spec), torch.rand(plan.input_shape)) for measure in measures
        )
        extra = f"+{(allocated - live) / 2**10:,.0f} KiB"
        print(f"| `{name}` | {eager:,} | {live:,} | {extra} | {training:,} | {saved:,} |")


if __name__ == "__main__":
    main()
