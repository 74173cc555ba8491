"""How much memory activations take: named rules, each proved or published.

A rule says which values share storage and how long a storage is needed. Peak, timeline and
culprit then are one function of lifetimes. Sizes are in elements; an element's bytes are those of
the dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate, pairwise
from math import prod
from typing import Any, Final, NamedTuple, TypeAlias

from mbv2cli.graph.graph import Graph, GraphInModel, Lifetime
from mbv2cli.graph.ops import Dropout, Kind, Norm, Op, Pad, Rearrangement, larger
from mbv2cli.graph.rows import Role, roles_of
from mbv2cli.specs.words import DTYPE_SYNONYMS, one_of

ELEMENT_BYTES: Final = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int8": 1}
"""Bytes of one element, by dtype."""

Amount: TypeAlias = Any
"""An int, or an array with one for each candidate of a search."""


class Storage(Enum):
    """Where an operation puts its result."""

    NEW = "a storage of its own"
    SHARED = "the storage of its first input"
    OVERWRITTEN = "the storage of its first input, which it overwrites with another size"


@dataclass(frozen=True, slots=True)
class MemoryRule:
    """A named rule of which storages are needed at a moment.

    ``lifetimes`` gives the storages of a graph and ``is_step`` its moments, operation by
    operation. Where memory only ``grows``, a model's peak is the sum of its segments' peaks; else
    it is the highest of them. ``unknown`` names the operations that the rule does not cover.
    """

    name: str
    counts: str
    source: str
    lifetimes: Callable[[GraphInModel], Sequence[Lifetime]]
    is_step: Callable[[Graph], Sequence[bool]]
    grows: bool = False
    unknown: Callable[[Graph], tuple[str, ...]] = lambda _graph: ()


class Step(NamedTuple):
    """A moment: the index of the operation that runs, and the elements needed meanwhile."""

    op: int
    elements: Amount


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """A graph under a rule: elements at each step, the peak, and the operation that causes it."""

    rule: MemoryRule
    steps: tuple[Step, ...]
    peak: int
    culprit: int
    unknown: tuple[str, ...] = ()

    def peak_bytes(self, dtype: str) -> int:
        """Return the peak in bytes."""
        return self.peak * ELEMENT_BYTES[dtype]


def timeline(rule: MemoryRule, context: GraphInModel) -> tuple[Step, ...]:
    """Return the elements needed at each step of ``rule``."""
    ops = len(context.graph.ops)
    changes: list[Amount] = [0] * (ops + 1)
    for first, last, elements in rule.lifetimes(context):
        start, after = max(first, 0), min(last + 1, ops)
        changes[start] = changes[start] + elements  # += would change an array in its place
        changes[after] = changes[after] - elements
    alive = accumulate(changes)
    is_step = rule.is_step(context.graph)
    return tuple(
        Step(op, elements) for op, elements in enumerate(alive) if op < ops and is_step[op]
    )


def memory_use(rule: MemoryRule, graph: Graph) -> MemoryUse:
    """Return the timeline of ``graph`` under ``rule``, its peak, and the operation behind it.

    That operation is the first at the peak or, where memory only grows, the one that adds most.
    """
    steps = timeline(rule, GraphInModel(graph))
    elements = [step.elements for step in steps]
    peak = max(elements, default=0)
    if rule.grows:
        elements = [after - before for before, after in pairwise([0, *elements])]
    culprit = steps[elements.index(max(elements))].op if steps else 0
    return MemoryUse(rule, steps, peak, culprit, rule.unknown(graph))


def rule_named(name: str) -> MemoryRule:
    """Return the rule of this name. Raises `UserError` if there is none."""
    names = {rule.name: rule for rule in MEMORY_RULES}
    return names[one_of(name, names, "--peak-rule")]


def dtype_named(name: str) -> str:
    """Return the element type of this name. Raises `UserError` if there is none."""
    return one_of(name, ELEMENT_BYTES, "--dtype", DTYPE_SYNONYMS)


def _lifetimes(
    graph: Graph, storages: Sequence[Storage], needed_until: Sequence[int]
) -> list[Lifetime]:
    """Return the lifetimes of a graph's storages.

    ``needed_until`` has, for each value, the last operation that needs it.
    """
    shapes = graph.shapes
    inputs = len(graph.input_shapes)
    open_: list[list[Any]] = [  # first, last, elements of each storage
        [-1, needed_until[value], prod(shapes[value])] for value in range(inputs)
    ]
    storage_of = list(range(inputs))
    done: list[Lifetime] = []
    for index, (op, how) in enumerate(zip(graph.ops, storages, strict=True)):
        value = inputs + index
        last = max(index, needed_until[value])
        if how is Storage.NEW or not op.inputs:
            storage_of.append(len(open_))
            open_.append([index, last, prod(op.output_shape)])
            continue
        storage = open_[storage_of[op.inputs[0]]]
        storage_of.append(storage_of[op.inputs[0]])
        if how is Storage.OVERWRITTEN and storage[1] <= index:
            # the input is not needed any more: from the next operation on, the size is another
            elements = prod(op.output_shape)
            done.append(Lifetime(storage[0], index - 1, storage[2]))
            done.append(Lifetime(index, index, larger(storage[2], elements)))
            storage[:] = [index + 1, last, elements]
        elif how is Storage.OVERWRITTEN:
            storage_of[-1] = len(open_)
            open_.append([index, last, prod(op.output_shape)])
        else:
            storage[1] = max(storage[1], last)
    done += [Lifetime(*storage) for storage in open_]
    return [one for one in done if one.first <= one.last]


def _last_uses(graph: Graph) -> list[int]:
    """Return the last operation that takes each value; -1 for a value that none takes."""
    last = [-1] * len(graph.shapes)
    for index, op in enumerate(graph.ops):
        for value in op.inputs:
            last[value] = index
    return last


# Deployed: BatchNorm and activation are part of the operation before them.

_FUSED: Final = frozenset({Kind.NORM, Kind.ACT, Kind.DROPOUT, Kind.RESHAPE})
_FREE: Final = frozenset({Kind.DROPOUT, Kind.RESHAPE})


def fused(graph: Graph) -> tuple[bool, ...]:
    """Return which operations are, once deployed, part of the operation before them.

    BatchNorm and activation are, if nothing else needs what they take; dropout and reshapes do
    nothing. A padding with zeros is part of the convolution that takes it.
    """
    takers: list[list[Kind]] = [[] for _ in graph.shapes]
    for op in graph.ops:
        for value in op.inputs:
            takers[value].append(op.kind)
    inputs = len(graph.input_shapes)
    return tuple(
        op.kind in _FREE
        or (op.kind is Kind.PAD and takers[value] == [Kind.CONV] and _pads_with_zeros(op))
        or (op.kind in _FUSED and op.inputs[0] >= inputs and len(takers[op.inputs[0]]) == 1)
        for value, op in enumerate(graph.ops, start=inputs)
    )


def _pads_with_zeros(op: Op) -> bool:
    pad = op.attributes
    return isinstance(pad, Pad) and pad.mode == "constant" and not pad.value


def _layerwise(context: GraphInModel) -> list[Lifetime]:
    graph = context.graph
    storages = [Storage.SHARED if one else Storage.NEW for one in fused(graph)]
    return _lifetimes(graph, storages, _last_uses(graph))


def _inplace_depthwise(context: GraphInModel) -> list[Lifetime]:
    graph = context.graph
    storages = [
        Storage.SHARED if one else Storage.OVERWRITTEN if role is Role.DEPTHWISE else Storage.NEW
        for one, role in zip(fused(graph), roles_of(graph), strict=True)
    ]
    return _lifetimes(graph, storages, _last_uses(graph))


def _not_fused(graph: Graph) -> tuple[bool, ...]:
    return tuple(not one for one in fused(graph))


# PyTorch: these rules follow every storage.


def _eager(context: GraphInModel) -> list[Lifetime]:
    graph = context.graph
    if graph.measured is not None:
        return list(graph.measured)
    needed_until = _last_uses(graph)
    for scope in graph.scopes:
        for value in scope.inputs:
            needed_until[value] = max(needed_until[value], scope.stop - 1)
    storages = [Storage.SHARED if _returns_its_input(op) else Storage.NEW for op in graph.ops]
    return _lifetimes(graph, storages, needed_until)


def _returns_its_input(op: Op) -> bool:
    """Return whether the result is in the storage of the first input, in eval mode."""
    match op.attributes:
        case Rearrangement():
            return op.attributes.view
        case Dropout():
            return not (op.attributes.training and op.attributes.p > 0)
        case _:
            return op.inplace or op.function == "identity"


_SAVES_ITS_INPUT: Final = frozenset({"conv2d", "batch_norm", "linear", "gelu", "max_pool2d"})
_SAVES_ITS_OUTPUT: Final = frozenset({"relu", "leaky_relu", "sigmoid", "tanh", "softmax"})
_SAVES_ITS_ARGUMENT: Final = frozenset({"relu6", "hardswish", "silu", "hardsigmoid", "mish", "elu"})
"""The derivative needs the input: if the operation is in place, autograd clones it first."""

_SAVES_NOTHING: Final = frozenset(
    {"add", "sub", "cat", "identity", "flatten", "adaptive_avg_pool2d", "avg_pool2d", "pad"}
)


def saves_its_output(function: str) -> bool:
    """Return whether autograd saves the result of ``function`` before the next operation."""
    return function in _SAVES_ITS_OUTPUT


def _training(context: GraphInModel) -> list[Lifetime]:
    """Return the storages that autograd saves, each from the operation that saves it to the end.

    Each derivative saves what it needs (PyTorch's ``derivatives.yaml``). Dropout's mask has the
    dtype of the input, as on a CPU.
    """
    graph = context.graph
    inputs = len(graph.input_shapes)
    storage_of = list(range(inputs))
    saved = {inputs - 1} if context.input_is_saved else set[int]()
    end = len(graph.ops) - 1
    found: list[Lifetime] = []
    for index, op in enumerate(graph.ops):
        value = inputs + index
        shares = op.inputs and _shares_storage_in_training(op)
        storage_of.append(storage_of[op.inputs[0]] if shares else value)
        elements = _saved_beside(op)
        for one in _saved_values(op, value):
            if storage_of[one] not in saved:
                saved.add(storage_of[one])
                elements = elements + prod(graph.shapes[one])
        found.append(Lifetime(index, end, elements))
    return found


def _shares_storage_in_training(op: Op) -> bool:
    if isinstance(op.attributes, Dropout):
        return op.attributes.p == 0
    return _returns_its_input(op)


def _saved_values(op: Op, output: int) -> tuple[int, ...]:
    function = op.function
    if function in _SAVES_ITS_INPUT or (function in _SAVES_ITS_ARGUMENT and not op.inplace):
        return op.inputs[:1]
    if function in _SAVES_ITS_OUTPUT:
        return (output,)
    return op.inputs if op.kind is Kind.MUL else ()


def _saved_beside(op: Op) -> Amount:
    """Return the elements that autograd saves beside inputs and result."""
    if op.function in _SAVES_ITS_ARGUMENT and op.inplace:
        return prod(op.input_shapes[0])
    if isinstance(op.attributes, Norm):  # means and inverse deviations of the batch
        return 2 * op.output_shape[1]
    if isinstance(op.attributes, Dropout) and op.attributes.p > 0:  # the mask
        return prod(op.output_shape)
    return 0


def _without_derivative(graph: Graph) -> tuple[str, ...]:
    known = _SAVES_ITS_INPUT | _SAVES_ITS_OUTPUT | _SAVES_ITS_ARGUMENT | _SAVES_NOTHING
    free = (Kind.RESHAPE, Kind.DROPOUT, Kind.MUL, Kind.CONSTANT)
    names = (op.function for op in graph.ops if op.kind not in free and op.function not in known)
    return tuple(dict.fromkeys(names))


def _every_op(graph: Graph) -> tuple[bool, ...]:
    return (True,) * len(graph.ops)


LAYERWISE: Final = MemoryRule(
    "layerwise",
    "input and output of the running operation, and the input of an open shortcut",
    "the function count_peak_activation_size of mcunet",
    _layerwise,
    _not_fused,
)
INPLACE_DEPTHWISE: Final = MemoryRule(
    "inplace-depthwise",
    "as layerwise, but a depthwise convolution overwrites its input",
    "the figures of MCUNetV2 and the kernels of TinyEngine",
    _inplace_depthwise,
    _not_fused,
)
EAGER: Final = MemoryRule(
    "eager",
    "tensors that PyTorch keeps during a forward pass without gradients",
    "compared with a forward pass: it keeps the same storages alive",
    _eager,
    _every_op,
)
TRAINING: Final = MemoryRule(
    "training",
    "tensors that autograd saves for the backward pass, without parameters",
    "compared with saved_tensors_hooks of PyTorch: they see the same storages",
    _training,
    _every_op,
    grows=True,
    unknown=_without_derivative,
)

MEMORY_RULES: Final = (LAYERWISE, INPLACE_DEPTHWISE, EAGER, TRAINING)
