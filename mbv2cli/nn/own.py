"""One forward pass of a module of the user's own: what was observed, and torchsummary's table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from mbv2cli.errors import UserError
from mbv2cli.graph.graph import Graph
from mbv2cli.nn.device import resolve_device
from mbv2cli.nn.forward import eval_mode, fault_of_machine
from mbv2cli.nn.load import (
    inputs_of,
    load_module,
    random_states_kept,
    sentence_of,
    threads_left,
    users_code,
)
from mbv2cli.nn.memory_limit import memory_limited
from mbv2cli.nn.observe import Observer
from mbv2cli.nn.settings import settings_kept
from mbv2cli.nn.storages import storage_of
from mbv2cli.nn.torchsummary_table import TorchsummaryTable, run_torchsummary
from mbv2cli.nn.uncompiled import is_compiled, uncompiled
from mbv2cli.specs.module import INPUT_DTYPES, ModuleRequest, TensorSpec
from mbv2cli.specs.run import RunSpec


@dataclass(frozen=True, slots=True)
class ModuleRun:
    """A forward pass of a module: where it ran, and what was observed.

    ``table`` is torchsummary's; None where torchsummary cannot run. ``doubt`` says why there is
    no table, or what is wrong in it; "" if the table is right. ``thread`` is the name of a thread
    that the module has left; "" if there is none. ``was_compiled`` says that the pass ran without
    the compiler that the module had. ``other_dtypes`` are those of results that are not of
    ``dtype``, as under autocast.
    """

    device: str
    dtype: str
    graph: Graph
    table: TorchsummaryTable | None
    doubt: str
    thread: str = ""
    was_compiled: bool = False
    other_dtypes: tuple[str, ...] = ()


def run_module(request: ModuleRequest, run: RunSpec) -> ModuleRun:
    """Load the module of ``request`` and run it once on dummy inputs.

    Weights and inputs follow from ``run.seed``. Raises `UserError` if the module cannot be loaded
    or does not run.
    """
    device = resolve_device(run.device)
    before = len(threads_left())
    with users_code(request.source, run.seed), memory_limited(device):
        ran = _run(request, run, device)
    alive = [thread.name for thread in threads_left()[before:] if thread.is_alive()]
    return replace(ran, thread=alive[0]) if alive else ran


def as_module(model: object) -> nn.Module:
    """Return ``model`` if it is a module. Raises `UserError`."""
    if not isinstance(model, nn.Module):
        raise UserError(
            f"a {type(model).__name__} is not a model: give a spec, a torch.nn.Module or a TARGET"
        )
    return model


def run_instance(model: nn.Module, inputs: Sequence[TensorSpec]) -> ModuleRun:
    """Run a module that exists once on dummy inputs, on its own device.

    Nothing of the module, and no setting of PyTorch, changes. Raises `UserError` if it does not
    run.
    """
    first = next(model.parameters(), None)
    device = first.device if first is not None else torch.device("cpu")
    floating = (one.dtype for one in model.parameters() if one.is_floating_point())
    dtype = _name(next(floating, torch.float32))
    specs = [one if one.dtype else one._replace(dtype=dtype) for one in inputs]
    run = RunSpec()
    with settings_kept(), random_states_kept(run.seed):
        return observe_module(model, inputs_of(specs, run, device))


def _run(request: ModuleRequest, run: RunSpec, device: torch.device) -> ModuleRun:
    model = load_module(request.source)
    try:
        model = model.to(device)
        if run.dtype != "float32":
            model = model.to(getattr(torch, run.dtype))
        return observe_module(model, inputs_of(request.inputs, run, device))
    except (RuntimeError, MemoryError) as error:
        if fault := fault_of_machine(error):
            raise UserError(
                f"{request.target}: {fault} on device {device}; try a smaller input"
            ) from None
        raise


def observe_module(model: nn.Module, inputs: Sequence[Tensor]) -> ModuleRun:
    """Run ``model`` once on ``inputs`` in eval mode, without its compiler; note every operation.

    State, modes and hooks of the model and the random state are afterwards as they were. Raises
    `UserError` that names the place if the model raises, or if it runs no operation.
    """
    was_compiled = is_compiled(model)
    with uncompiled(model) as original:
        return replace(_observed(original, inputs), was_compiled=was_compiled)


def _observed(model: nn.Module, inputs: Sequence[Tensor]) -> ModuleRun:
    _refuse_scripts(model)
    with eval_mode(model), torch.no_grad():
        _initialise(model, inputs)
    with eval_mode(model), _state_kept(model), torch.no_grad():
        observer, table, doubt = _through_torchsummary(model, inputs)
        if observer is None:
            observer = _alone(model, inputs)
    graph, dtype = observer.graph(), _dtype(model, inputs)
    if not graph.ops:
        raise UserError(
            f"{type(model).__name__} runs no operation: it returns what it was given, so there is "
            "nothing to inspect; name another module"
        )
    if table is not None:
        doubt = _doubt(model, graph, table)
    others = tuple(name for name in map(_name, observer.dtypes) if name != dtype)
    return ModuleRun(str(inputs[0].device), dtype, graph, table, doubt, other_dtypes=others)


def _refuse_scripts(model: nn.Module) -> None:
    """Raise `UserError` for what TorchScript has made: it runs where no observer sees."""
    for path, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            is_trace = type(module).__name__ in {"TopLevelTracedModule", "TracedModule"}
            raise UserError(
                f"{f'the module {path}' if path else 'the model'} is a "
                f"{'trace' if is_trace else 'script'} of TorchScript, which nobody can look into; "
                "give the module that it was made from"
            )


def _dtype(model: nn.Module, inputs: Sequence[Tensor]) -> str:
    """Return the element type of the activations: that of indices does not tell."""
    floating = (one for one in (*inputs, *model.parameters()) if one.is_floating_point())
    return _name(next(floating, inputs[0]).dtype)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _through_torchsummary(
    model: nn.Module, inputs: Sequence[Tensor]
) -> tuple[Observer | None, TorchsummaryTable | None, str]:
    """Return observer and table of a run through torchsummary, or why torchsummary cannot run."""
    if len(inputs) > 1:
        return None, None, "torchsummary multiplies the sizes of several inputs with each other"
    if inputs[0].dim() < 2:  # noqa: PLR2004  (a batch of something)
        return None, None, "torchsummary needs an input with a batch"
    observer = Observer(model, inputs)
    try:
        table = run_torchsummary(model, inputs[0], observer)
    except Exception as error:  # noqa: BLE001  (torchsummary's or the model's: the next run tells)
        return None, None, f"torchsummary fails: {sentence_of(error)}"
    return observer, table, ""


def _alone(model: nn.Module, inputs: Sequence[Tensor]) -> Observer:
    observer = Observer(model, inputs)
    try:
        with observer.watching():
            model(*inputs)
    except Exception as error:  # noqa: BLE001  (the user's code may raise anything)
        raise _failed(observer.place, error, _advice(model, inputs)) from None
    return observer


def _initialise(model: nn.Module, inputs: Sequence[Tensor]) -> None:
    """Run a model that has lazy parameters: PyTorch gives them their shapes in the first pass."""
    if any(is_lazy(one) for _name, one in _tensors_of(model)):
        try:
            model(*inputs)
        except Exception as error:  # noqa: BLE001  (the user's code may raise anything)
            raise _failed(type(model).__name__, error, _advice(model, inputs)) from None
        left = [name for name, one in _tensors_of(model) if is_lazy(one)]
        if left:
            raise UserError(
                f"{type(model).__name__} has no shape for {left[0]}, because the forward pass does "
                "not use it; leave it out, or give it a shape"
            )


def _tensors_of(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield every parameter and buffer with its path."""
    yield from model.named_parameters()
    yield from model.named_buffers()


def _advice(model: nn.Module, inputs: Sequence[Tensor]) -> str:
    """Return what to try after a failure: inputs of the parameters' type, or another shape."""
    types = [one.dtype for one in model.parameters() if one.is_floating_point()]
    given = {one.dtype for one in inputs if one.is_floating_point()}
    if not types or not given or given & set(types) or _name(types[0]) not in INPUT_DTYPES:
        return "--input gives another input, such as --input 1x3x64x64"
    dtype = types[0]
    typed = ((one, dtype if one.is_floating_point() else one.dtype) for one in inputs)
    specs = (TensorSpec(tuple(one.shape), _name(wanted)) for one, wanted in typed)
    texts = " ".join(f"--input {one.text}" for one in specs)
    return f"the parameters are {_name(dtype)}, so write {texts}"


def _failed(place: str, error: Exception, advice: str) -> Exception:
    """Return the error of a forward pass as a sentence, but for what the machine lacks."""
    if fault_of_machine(error):
        return error
    return UserError(f"the forward pass fails in {place}: {sentence_of(error)}; {advice}")


def _doubt(model: nn.Module, graph: Graph, table: TorchsummaryTable) -> str:
    """Return what is wrong in torchsummary's table; "" if nothing is."""
    params = sum(one.numel() for one in model.parameters())
    if table.params == params:
        return ""
    causes = []
    if any(len(paths) > 1 for paths in _paths_by_call(graph).values()):
        causes.append("it counts a module again at each call")
    if table.params < params:
        causes.append("it does not see parameters outside of a module's weight and bias")
    because = f": {' and '.join(causes)}" if causes else ""
    return f"torchsummary counts {table.params:,} parameters, not {params:,}{because}"


def _paths_by_call(graph: Graph) -> dict[str, list[int]]:
    calls: dict[str, list[int]] = {}
    for index, op in enumerate(graph.ops):
        if op.type:
            calls.setdefault(op.path, []).append(index)
    return calls


@contextmanager
def _state_kept(model: nn.Module) -> Iterator[None]:
    """Put buffers and the random state back: a module may change, resize or replace a buffer.

    A parameter may be replaced or given other memory; what is written into its memory stays.
    """
    owned: list[Any] = [
        one for each in model.modules() for one in (each._buffers, each._parameters)
    ]
    before = [(tensors, dict(tensors)) for tensors in owned]
    values = [(buffer, buffer.clone()) for buffer in model.buffers()]
    memory = [(one, one.detach()) for one in (*model.parameters(), *model.buffers())]
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for tensors, names in before:
            tensors.clear()
            tensors.update(names)
        for one, kept in memory:
            if one.shape != kept.shape or storage_of(one) is not storage_of(kept):
                one.data = kept
        for buffer, value in values:
            buffer.copy_(value)
