"""The operations of a graph that make a network what it is, whoever wrote the module.

Codebases write the same network in other ways: a dropout, an identity or a reshape more; global
pooling as a mean; padding as an operation of its own; linear layers of pooled values as 1×1
convolutions; activations written out. Here they are the same steps. What says nothing about
structure (the dropout before the classifier, weights that no operation uses) is a remark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import (
    Act,
    Arithmetic,
    Conv,
    Dropout,
    Kind,
    Linear,
    Norm,
    Op,
    Pad,
    Pool,
    Rearrangement,
    Shape,
    tensorflow_padding,
)
from mbv2cli.identify.written_out import written_out
from mbv2cli.shown import first_three

_INPUT: Final = -1
"""The number of the step that is the input of the model."""

BOTH_SIDES: Final = "same"
"""PyTorch's usual padding: equal on both sides."""

ONE_SIDED: Final = "one-sided"
"""TensorFlow's padding of a strided convolution."""

Signature: TypeAlias = tuple[object, ...]


class StepKind(StrEnum):
    """What a step does."""

    CONV = "convolution"
    NORM = "BatchNorm"
    ACT = "activation"
    ADD = "addition"
    POOL = "global pooling"
    LINEAR = "linear layer"
    OTHER = "operation"


class Step(NamedTuple):
    """An operation in the terms of the network.

    ``signature`` has all that is compared of it. ``inputs`` are the numbers of the steps whose
    results it takes. ``op`` is the index of the operation in its graph.
    """

    kind: StepKind
    signature: Signature
    inputs: tuple[int, ...]
    op: int


@dataclass(frozen=True)
class Steps:
    """The steps of a graph in forward order, and what is not structure.

    ``outputs`` are the numbers of the steps whose results the model returns. ``dropout`` is the
    probability before the classifier; ``remarks`` are sentences on the rest.
    """

    graph: Graph
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    dropout: float
    remarks: tuple[str, ...]

    def op_of(self, step: Step) -> Op:
        """Return the operation of a step."""
        return self.graph.ops[step.op]


def steps_of(graph: Graph) -> Steps:
    """Return the steps of a graph."""
    reader = _Reader(graph)
    for index, op in enumerate(graph.ops):
        reader.read(index, op)
    outputs = tuple(reader.step_of.get(value, _INPUT) for value in graph.outputs)
    if _is_pooled_too(reader.steps, outputs):
        outputs = tuple(one for one in outputs if one != len(reader.steps) - 1)
        reader.steps.pop()
        reader.remarks.append("the global pooling of the result, which is returned too")
    if graph.unused:
        what = "parameters and buffers that no operation uses"
        reader.remarks.append(f"{what} ({first_three(graph.unused)})")
    remarks = tuple(reader.remarks)
    return Steps(graph, tuple(reader.steps), outputs, reader.dropout, remarks)


def _is_pooled_too(steps: Sequence[Step], outputs: Sequence[int]) -> bool:
    """Return whether the last step pools what is an output itself, as Hugging Face's model does."""
    last = len(steps) - 1
    is_pooling = last >= 0 and steps[last].kind is StepKind.POOL
    return is_pooling and last in outputs and steps[last].inputs[0] in outputs


_COPIES: Final = frozenset(("identity", "contiguous", "clone"))
"""Functions that change no number, and not the order of the numbers."""

_TYPES: Final = frozenset(("to", "float", "type_as"))
"""Functions that change no number of a value that has the type already."""

_SHAPES: Final = frozenset(("flatten", "reshape", "view", "squeeze", "unsqueeze", "unflatten"))
"""Functions that change no number, but may change the sides of the feature map."""

_REPEATS: Final = ("expand", "expand_as")
"""Functions that repeat a pixel."""


@dataclass
class _Reader:
    graph: Graph
    dropout: float = 0.0
    steps: list[Step] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    step_of: dict[int, int] = field(default_factory=dict)
    padded: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def read(self, index: int, op: Op) -> None:
        """Add the step of an operation, or let its value stand for that of its input."""
        value = self.graph.value_of(index)
        if self._is_nothing(value, op):
            self.step_of[value] = self._step(op.inputs[0])
            if op.inputs[0] in self.padded:
                self.padded[value] = self.padded[op.inputs[0]]
            return
        if op.kind is Kind.PAD and self._is_of_convs(value) and (sides := _sides_of(op)):
            self.step_of[value] = self._step(op.inputs[0])
            self.padded[value] = sides
            return
        kind, signature = self._signature(op)
        inputs = tuple(map(self._step, op.inputs))
        self.steps.append(Step(kind, signature, inputs, index))
        self._fold(index)
        self.step_of[value] = len(self.steps) - 1

    def _fold(self, index: int) -> None:
        """Replace the last steps by the activation that they write out, if they do."""
        found = written_out(self.steps, self.graph.ops)
        if found is None:
            return
        inner = self.steps[len(self.steps) - found.steps : -1]
        if all(self._uses[self.graph.value_of(step.op)] == 1 for step in inner):
            del self.steps[len(self.steps) - found.steps :]
            step = Step(StepKind.ACT, (found.function, None), (found.source,), index)
            self.steps.append(step)

    @cached_property
    def _uses(self) -> Counter[int]:
        """How often operations and the caller take each value."""
        taken = Counter(value for op in self.graph.ops for value in op.inputs)
        return taken + Counter(self.graph.outputs)

    def _step(self, value: int) -> int:
        return self.step_of.get(value, _INPUT)

    def _is_of_convs(self, value: int) -> bool:
        """Return whether convolutions alone take a value."""
        takers = [op for op in self.graph.ops if value in op.inputs]
        return value not in self.graph.outputs and all(op.kind is Kind.CONV for op in takers)

    def _is_nothing(self, value: int, op: Op) -> bool:
        """Return whether the value of an operation stands for that of its input."""
        if isinstance(op.attributes, Dropout):
            p, is_training = op.attributes.p, op.attributes.training
            is_ours = not is_training and self._is_before_classifier(value)
            self.dropout = p if is_ours else self.dropout
            return is_ours or not p
        if op.function in _REPEATS:
            # one pixel, which a product repeats anyway; a parameter has no input
            return bool(op.input_shapes) and op.input_shapes[0][2:] == (1, 1)
        return _keeps_numbers(op)

    def _is_before_classifier(self, value: int) -> bool:
        """Return whether the last linear layers take a value, and nothing else takes it."""
        same, found = {value}, False
        for later in range(value + 1, len(self.graph.input_shapes) + len(self.graph.ops)):
            op = self.graph.ops[later - len(self.graph.input_shapes)]
            is_taker = not same.isdisjoint(op.inputs)
            if op.multiplies:
                if not is_taker or op.output_shape[2:] not in ((), (1, 1)):
                    return False
                found = True
            elif is_taker:
                if not _keeps_numbers(op):
                    return False
                same.add(later)
        return found

    def _signature(self, op: Op) -> tuple[StepKind, Signature]:
        """Return the kind of the step and all that is compared of it."""
        found: tuple[StepKind, Signature] = StepKind.OTHER, (op.function, *op.output_shape[1:2])
        match op.attributes:
            case Conv() as conv if self._is_linear(op, conv):
                found = StepKind.LINEAR, (op.output_shape[1], conv.bias)
            case Conv() as conv:
                found = StepKind.CONV, self._conv(op, conv)
            case Norm() as norm:
                signature = (op.function, norm.affine, norm.batch_statistics, norm.eps)
                found = StepKind.NORM, signature
            case Act() as act:
                found = StepKind.ACT, (op.function, act.parameter)
            case Linear() as linear:
                found = StepKind.LINEAR, (op.output_shape[-1], linear.bias)
            case _ if _is_global_average(op):
                found = StepKind.POOL, ("average",)
            case _ if op.kind is Kind.ADD and len(op.inputs) > 1:
                found = StepKind.ADD, (op.function, _factor(op))
        return found

    def _is_linear(self, op: Op, conv: Conv) -> bool:
        """Return whether a 1×1 convolution works on one pooled pixel, as a linear layer does."""
        if not op.inputs:
            return False
        one, before = (1, 1), self._step(op.inputs[0])
        while before >= 0 and self.steps[before].kind is StepKind.ACT:
            before = self.steps[before].inputs[0]
        is_pooled = before >= 0 and self.steps[before].kind in (StepKind.POOL, StepKind.LINEAR)
        return (
            is_pooled
            and conv.groups == 1
            and conv.kernel == one
            and op.input_shapes[0][2:] == one == op.output_shape[2:]
        )

    def _conv(self, op: Op, conv: Conv) -> Signature:
        channels = op.input_shapes[0][1] if len(op.input_shapes[0]) > 1 else 0
        groups = "depthwise" if conv.groups == channels > 1 else conv.groups
        return (
            op.output_shape[1],
            conv.kernel,
            conv.stride,
            conv.dilation,
            groups,
            conv.bias,
            self._padding(op, conv),
        )

    def _padding(self, op: Op, conv: Conv) -> str:
        """Return PyTorch's usual padding or TensorFlow's, by name; else the elements on each side.

        Where both are equal, it is PyTorch's.
        """
        added = self.padded.get(op.inputs[0], ()) if op.inputs else ()
        own = conv.padding if isinstance(conv.padding, tuple) else None
        if own is None:
            return BOTH_SIDES if conv.padding == "same" else "0"
        pairs = list(zip(added[::2], added[1::2], strict=True))[::-1] or [(0, 0)] * len(own)
        wanted = [d * (k - 1) for d, k in zip(conv.dilation, conv.kernel, strict=True)]
        if len(pairs) != len(own):
            return f"{own} after {pairs}"
        sides = [(side + start, side + end) for side, (start, end) in zip(own, pairs, strict=True)]
        if all(start == end == want // 2 for (start, end), want in zip(sides, wanted, strict=True)):
            return BOTH_SIDES
        if sides == [*_tensorflow_sides(op, conv, pairs)]:
            return ONE_SIDED
        return "x".join(str(start) if start == end else f"({start}, {end})" for start, end in sides)


def _factor(op: Op) -> float:
    """Return the factor of the second value of an addition."""
    number = op.attributes.number if isinstance(op.attributes, Arithmetic) else None
    return 1 if number is None else number


def _tensorflow_sides(
    op: Op, conv: Conv, added: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield the elements that TensorFlow's padding adds before and after each dimension."""
    every = zip(op.input_shapes[0][2:], added, conv.kernel, conv.stride, conv.dilation, strict=True)
    for side, pair, kernel, stride, dilation in every:
        total = tensorflow_padding(side - sum(pair), kernel, stride, dilation)
        yield total // 2, total - total // 2


def _sides_of(op: Op) -> tuple[int, ...]:
    """Return the sides of a padding with zeros, last dimension first; () for any other."""
    pad = op.attributes
    if not isinstance(pad, Pad) or pad.mode != "constant" or pad.value or min(pad.sides) < 0:
        return ()
    return pad.sides


def _keeps_numbers(op: Op) -> bool:
    """Return whether the result is the input, but for sides of one element."""
    if not op.input_shapes:
        return False
    if op.function in _TYPES:
        return isinstance(op.attributes, Rearrangement)  # the type was that one already
    if op.function in _SHAPES:
        return _longer_sides(op.output_shape) == _longer_sides(op.input_shapes[0])
    return op.function in _COPIES


def _longer_sides(shape: Shape) -> list[int]:
    return [side for side in shape if side != 1]


def _is_global_average(op: Op) -> bool:
    before, after = op.input_shapes[0] if op.input_shapes else (), op.output_shape
    if len(before) != 4 or after[:2] != before[:2] or set(after[2:]) > {1}:  # noqa: PLR2004  (an image)
        return False
    if op.function == "avg_pool2d":
        match op.attributes:
            case Pool(kernel=kernel, padding=padding):
                return kernel == before[2:] and not any(padding or ())
    return op.function in ("mean", "adaptive_avg_pool2d")


def taken_by(steps: tuple[Step, ...]) -> dict[int, list[int]]:
    """Return for each step the steps that take its result; -1 is the input of the model."""
    takers: dict[int, list[int]] = {number: [] for number in range(-1, len(steps))}
    for number, step in enumerate(steps):
        for value in dict.fromkeys(step.inputs):
            takers[value].append(number)
    return takers


def chain_after(
    steps: tuple[Step, ...], takers: dict[int, list[int]], number: int
) -> Iterator[tuple[int, Step]]:
    """Yield the norm and activation that follow a step, as long as nothing else takes a result."""
    while len(takers[number]) == 1:
        number = takers[number][0]
        if steps[number].kind not in (StepKind.NORM, StepKind.ACT):
            return
        yield number, steps[number]
