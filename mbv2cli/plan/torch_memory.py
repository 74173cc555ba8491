"""The memory that PyTorch takes, module by module: these rules follow every storage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from math import prod
from typing import Final, NamedTuple

from mbv2cli.plan.layers import Layer, Role, Shape
from mbv2cli.plan.plan import Plan, Timeline
from mbv2cli.specs.network import NetworkSpec

IN_PLACE_ACTIVATIONS: Final = frozenset(
    {"ReLU", "ReLU6", "Hardswish", "SiLU", "LeakyReLU", "Identity"}
)
"""Activations that return the storage of their input."""

_SAVES_ITS_INPUT: Final = frozenset({"Conv2d", "BatchNorm2d", "Linear", "GELU"})

_SAVES_ITS_OUTPUT: Final = frozenset({"ReLU", "LeakyReLU"})

_HOLD_THE_INPUT_OF_ALL: Final = ("", "features")
"""Paths of the modules that run from a network's first layer on: the root and its features."""

_SAVES_A_COPY: Final = frozenset({"ReLU6", "Hardswish", "SiLU"})
"""In place, but the derivative needs the input: autograd clones it first."""


class _Storage(NamedTuple):
    """A piece of memory; tensors that share it share its number."""

    number: int
    elements: int


_INPUT_OF_ALL: Final = _Storage(0, 0)
"""The network's own input, whose elements are counted apart."""


class _Step(NamedTuple):
    """A layer and the storages that it reads and returns."""

    layer: Layer
    input: _Storage
    output: _Storage


def eager(plan: Plan) -> Timeline:
    """Return the live elements when the modules run in eval mode, without gradients.

    Each module's input lives until the module returns, for Python's frames hold it; the
    network's own input is the caller's and stays. BatchNorm has an output of its own.
    """
    own_input = prod(plan.input_shape)
    beside = eager_beside_input(plan.layers, plan.input_shape, is_first=True)
    return tuple(None if live is None else own_input + live for live in beside)


def eager_beside_input(layers: Sequence[Layer], input_shape: Shape, *, is_first: bool) -> Timeline:
    """Return the live elements of ``layers``, those of the network's own input not counted.

    The layers are a network's first, or a part of it.
    """
    start = _INPUT_OF_ALL if is_first else _Storage(1, prod(input_shape))
    held = dict.fromkeys(_HOLD_THE_INPUT_OF_ALL, _INPUT_OF_ALL)
    timeline: list[int | None] = []
    for step in _steps(layers, start, dropout_copies=False):
        if step is None:
            timeline.append(None)
            continue
        held = {path: held.get(path, step.input) for path in _running(step.layer.path)}
        live = dict((step.input, step.output, *held.values()))
        timeline.append(sum(live.values()))
    return tuple(timeline)


def training(plan: Plan) -> Timeline:
    """Return the elements that autograd has saved by then for the backward pass, in train mode.

    Each derivative saves what it needs (PyTorch's ``derivatives.yaml``); parameters are not
    counted. Dropout's mask has the input's dtype, as on a CPU.
    """
    drops = isinstance(plan.spec, NetworkSpec) and plan.spec.dropout > 0
    return saved_for_backward(plan.layers, plan.input_shape, drops=drops)


def saved_for_backward(
    layers: Sequence[Layer], input_shape: Shape, *, drops: bool, input_is_saved: bool = False
) -> Timeline:
    """Return the elements that ``layers``, a network's or a part's, have saved by then."""
    start = _Storage(0, prod(input_shape))
    saved = {start.number} if input_is_saved else set()
    total = 0
    timeline: list[int | None] = []
    for step in _steps(layers, start, dropout_copies=drops):
        if step is None:
            timeline.append(None)
            continue
        new = {number: size for number, size in _saved_storages(step) if number not in saved}
        saved |= new.keys()
        total += sum(new.values()) + _saved_beside(step.layer, drops=drops)
        timeline.append(total)
    return tuple(timeline)


def saves_its_output(layer: Layer) -> bool:
    """Return whether what ``layer`` puts out is saved before the next layer reads it."""
    return layer.type in _SAVES_ITS_OUTPUT


def _steps(
    layers: Iterable[Layer], storage: _Storage, *, dropout_copies: bool
) -> Iterator[_Step | None]:
    """Yield a step for each layer, None for a container; the first reads ``storage``."""
    for number, layer in enumerate(layers, start=storage.number + 1):
        if layer.is_container:
            yield None
            continue
        same = _returns_its_input(layer) or (layer.role is Role.DROPOUT and not dropout_copies)
        output = storage if same else _Storage(number, prod(layer.output_shape))
        yield _Step(layer, storage, output)
        storage = output


def _returns_its_input(layer: Layer) -> bool:
    return layer.role is Role.FLATTEN or layer.type in IN_PLACE_ACTIVATIONS


def _running(path: str) -> list[str]:
    """Return the paths of the module at ``path`` and of those around it, the root's first."""
    return ["", *accumulate(path.split("."), lambda outer, name: f"{outer}.{name}")]


def _saved_storages(step: _Step) -> Iterator[_Storage]:
    if step.layer.type in _SAVES_ITS_INPUT:
        yield step.input
    if saves_its_output(step.layer):
        yield step.output


def _saved_beside(layer: Layer, *, drops: bool) -> int:
    """Return the elements saved that are neither input nor output of a layer."""
    if layer.type in _SAVES_A_COPY:
        return prod(layer.input_shape)
    if layer.role is Role.NORM:  # means and inverse deviations of the batch
        return 2 * layer.output_shape[1]
    if layer.role is Role.DROPOUT and drops:  # its mask
        return prod(layer.output_shape)
    return 0
