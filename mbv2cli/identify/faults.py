"""Where the steps of an observed graph differ from those of a planned graph, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import takewhile
from typing import Any, Final, NamedTuple, TypeAlias

from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import Conv
from mbv2cli.identify.steps import BOTH_SIDES, ONE_SIDED, Signature, Step, StepKind, Steps

_FIELDS: Final[Mapping[StepKind, tuple[str, ...]]] = {
    StepKind.CONV: (
        *("output channels", "kernel", "stride", "dilation", "groups", "bias", "padding"),
    ),
    StepKind.NORM: ("function", "affine parameters", "statistics of the batch", "epsilon"),
    StepKind.ACT: ("activation", "parameter"),
    StepKind.ADD: ("operation", "factor"),
    StepKind.POOL: ("pooling",),
    StepKind.LINEAR: ("outputs", "bias"),
    StepKind.OTHER: ("operation", "channels"),
}
"""What the parts of a signature are called."""

_OF_ALL: Final = ("epsilon ", f"padding {ONE_SIDED}", f"padding {BOTH_SIDES}")
"""How the differences start that a whole network has, as its codebase has it."""


class Fault(NamedTuple):
    """A difference: its place in the observed module, and what is other there."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


def faults(planned: Steps, observed: Steps) -> tuple[Fault, ...]:
    """Return the differences in forward order; () if the steps are equal."""
    alignment = _Alignment(planned, observed)
    found = list(_told_once(list(alignment.faults())))
    told = _strides_told_together(alignment, found)
    return (*told, *alignment.of_outputs())


@dataclass(frozen=True)
class _Alignment:
    """The steps of two graphs, laid side by side."""

    planned: Steps
    observed: Steps

    @cached_property
    def codes(self) -> Sequence[_Code]:
        """What to do to the planned steps to get the observed ones, as `difflib` says it."""
        own = [(step.kind, _loose(step)) for step in self.planned.steps]
        seen = [(step.kind, _loose(step)) for step in self.observed.steps]
        return list(_codes(own, seen))

    @cached_property
    def pairs(self) -> Mapping[int, int]:
        """The number of the observed step that stands beside each planned step."""
        pairs = {-1: -1}
        for code, start, stop, from_, to in self.codes:
            if code == "equal" or (code == "replace" and stop - start == to - from_):
                pairs.update(zip(range(start, stop), range(from_, to), strict=True))
        return pairs

    @cached_property
    def paired(self) -> frozenset[int]:
        """The numbers of the observed steps that stand beside a planned step."""
        return frozenset(self.pairs.values())

    def faults(self) -> Iterator[Fault]:
        """Yield the differences in forward order."""
        for code, start, stop, from_, to in self.codes:
            if code == "equal":
                for number, other in zip(range(start, stop), range(from_, to), strict=True):
                    yield from self._of_pair(number, other)
                    yield from self._of_inputs(number, other)
                    yield from self._of_params(number, other)
                continue
            yield from self._of_stretch(range(start, stop), range(from_, to))

    def _of_stretch(self, planned: range, observed: range) -> Iterator[Fault]:
        """Yield the differences of a stretch: steps of one kind stand beside each other."""
        own = [self.planned.steps[number].kind for number in planned]
        seen = [self.observed.steps[number].kind for number in observed]
        for code, start, stop, from_, to in SequenceMatcher(None, own, seen).get_opcodes():
            if code == "equal":
                for number, other in zip(planned[start:stop], observed[from_:to], strict=True):
                    yield from self._of_pair(number, other)
                continue
            for number in planned[start:stop]:
                yield Fault(self._place_of_planned(number), f"{self._name(number)} is missing")
            for other in observed[from_:to]:
                yield Fault(*self._surplus(other))

    def _of_pair(self, number: int, other: int) -> Iterator[Fault]:
        own, seen = self.planned.steps[number], self.observed.steps[other]
        names = _FIELDS[own.kind]
        for name, one, another in zip(names, own.signature, seen.signature, strict=False):
            if one != another:
                text = f"{name} {_text(another)}, not {_text(one)}"
                yield Fault(self.place(other), text)

    def _of_inputs(self, number: int, other: int) -> Iterator[Fault]:
        wanted = sorted(self.pairs.get(one, -2) for one in self.planned.steps[number].inputs)
        taken = sorted(map(self._before_surplus, self.observed.steps[other].inputs))
        if len(taken) != len(wanted) or any(
            one not in (-2, another) for one, another in zip(wanted, taken, strict=True)
        ):
            values = " and ".join(map(self._result, taken)) or "nothing"
            yield Fault(self.place(other), f"{self._kind_name(other)} takes {values}")

    def _of_params(self, number: int, other: int) -> Iterator[Fault]:
        """Yield a difference in parameters: of weights that another operation has used before."""
        own = self.planned.op_of(self.planned.steps[number]).params
        seen = self.observed.op_of(self.observed.steps[other]).params
        if own != seen:
            yield Fault(self.place(other), f"parameters of its own {seen:,}, not {own:,}")

    def of_outputs(self) -> Iterator[Fault]:
        """Yield a difference in what the models return."""
        wanted = [self.pairs.get(one, -2) for one in self.planned.outputs]
        returned = list(map(self._before_surplus, self.observed.outputs))
        if len(returned) != len(wanted) or any(
            one not in (-2, another) for one, another in zip(wanted, returned, strict=True)
        ):
            values = " and ".join(map(self._result, returned)) or "nothing"
            yield Fault("the model itself", f"returns {values}")

    def _before_surplus(self, other: int) -> int:
        """Return the step whose result goes through steps that are told as one too many."""
        while other not in self.paired and len(self.observed.steps[other].inputs) == 1:
            other = self.observed.steps[other].inputs[0]
        return other

    def _result(self, step: int) -> str:
        if step < 0:
            return "the input"
        return f"the result of {self.place(step)}"

    def _name(self, number: int) -> str:
        """Return what a planned step is: ``the addition``, ``the depthwise convolution``."""
        step = self.planned.steps[number]
        if step.kind is StepKind.CONV:
            return f"the {_conv_name(step)}"
        return f"the {step.kind}"

    def _kind_name(self, other: int) -> str:
        return f"the {self.observed.steps[other].kind}"

    def _surplus(self, other: int) -> tuple[str, str]:
        step = self.observed.steps[other]
        name = _conv_name(step) if step.kind is StepKind.CONV else str(step.kind)
        if step.kind in (StepKind.ACT, StepKind.OTHER):
            name = f"{name} {step.signature[0]}"
        return self.place(other), f"the {name} is one too many"

    def place(self, other: int) -> str:
        """Return the path of an observed step."""
        op = self.observed.op_of(self.observed.steps[other])
        return op.path or "the model itself"

    def _place_of_planned(self, number: int) -> str:
        """Return where a step should be: the path of the observed block around its place."""
        paths = [self.place(other) for other in self._neighbours(number)]
        return _enclosing(self.observed.graph, paths) if paths else "the model itself"

    def _neighbours(self, number: int) -> list[int]:
        """Return the observed steps of the planned segment that a planned step is in."""
        op = self.planned.steps[number].op
        for segment in self.planned.graph.segments:
            if segment.start <= op < segment.stop:
                inside = [
                    other
                    for own, other in self.pairs.items()
                    if own >= 0 and segment.start <= self.planned.steps[own].op < segment.stop
                ]
                if inside:
                    return inside
        before = [other for own, other in self.pairs.items() if 0 <= own < number]
        return before[-1:]


_Code: TypeAlias = tuple[str, int, int, int, int]


def _codes(own: Sequence[object], seen: Sequence[object]) -> Iterator[_Code]:
    """Yield the codes of `difflib`, which compares only what lies between equal ends.

    The time of `difflib` grows with the square of the length where steps repeat.
    """
    start = _equal(own, seen)
    stop = _equal(own[start:][::-1], seen[start:][::-1])
    if start:
        yield "equal", 0, start, 0, start
    inner = own[start : len(own) - stop], seen[start : len(seen) - stop]
    for code, *bounds in SequenceMatcher(None, *inner, autojunk=False).get_opcodes():
        one, two, three, four = (bound + start for bound in bounds)
        yield code, one, two, three, four
    if stop:
        yield "equal", len(own) - stop, len(own), len(seen) - stop, len(seen)


def _equal(one: Sequence[object], other: Sequence[object]) -> int:
    """Return how many items at the start are equal."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _enclosing(graph: Graph, paths: Sequence[str]) -> str:
    """Return the path of the module that runs all ``paths``, such as an inverted residual."""
    parts = _shared([path.split(".") for path in paths])
    around = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    if len(paths) == 1 or not around:
        return ".".join(parts) or "the model itself"
    blocks = {scope.path for scope in graph.scopes if not scope.is_sequential}
    return next((path for path in around if path in blocks), around[0])


def _shared(paths: Sequence[Sequence[str]]) -> Sequence[str]:
    """Return the names that all paths start with."""
    same = takewhile(lambda names: len(set(names)) == 1, zip(*paths, strict=False))
    return [names[0] for names in same]


def _conv_name(step: Step) -> str:
    _channels, kernel, _stride, _dilation, groups, *_ = step.signature
    if groups == "depthwise":
        return "depthwise convolution"
    return "pointwise convolution" if set(_sides(kernel)) == {1} else "convolution"


def _sides(value: Any) -> tuple[int, ...]:
    return tuple(value)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return str(value[0]) if len(set(value)) == 1 else "x".join(map(str, value))
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _loose(step: Step) -> Signature:
    """Return the signature without what a whole network may have otherwise: epsilon and padding."""
    if step.kind is StepKind.NORM:
        return step.signature[:-1]
    if step.kind is StepKind.CONV and step.signature[-1] == ONE_SIDED:
        return (*step.signature[:-1], BOTH_SIDES)
    return step.signature


def _told_once(found: Sequence[Fault]) -> Iterator[Fault]:
    """Yield the faults; an epsilon or a padding that differs throughout is told once."""
    count = Counter(fault.what for fault in found if fault.what.startswith(_OF_ALL))
    told: set[str] = set()
    for fault in found:
        number = count[fault.what]
        if number <= 1:
            yield fault
        elif fault.what not in told:
            told.add(fault.what)
            yield Fault("the model itself", f"{fault.what}, in {number} places")


def _strides_told_together(alignment: _Alignment, found: list[Fault]) -> Iterator[Fault]:
    """Yield the faults; a stride in the expansion instead of the depthwise one is one fault."""
    strided = {
        number: _stride_of(alignment.planned, number) for number in alignment.pairs if number >= 0
    }
    moved: dict[str, str] = {}
    for number, stride in strided.items():
        earlier = _conv_before(alignment.planned, number)
        if stride in (None, (1, 1)) or earlier not in alignment.pairs or earlier < 0:
            continue
        here, there = alignment.pairs[number], alignment.pairs[earlier]
        if (_stride_of(alignment.observed, there), _stride_of(alignment.observed, here)) == (
            stride,
            (1, 1),
        ):
            places = [alignment.place(there), alignment.place(here)]
            for place in places:
                moved[place] = _enclosing(alignment.observed.graph, places)
    told: set[str] = set()
    for fault in found:
        block = moved.get(fault.place)
        if block is None or not fault.what.startswith("stride"):
            yield fault
        elif block not in told:
            told.add(block)
            yield Fault(block, "strides in the expansion, not in the depthwise convolution")


def _stride_of(steps: Steps, number: int) -> tuple[int, ...] | None:
    conv = steps.op_of(steps.steps[number]).attributes
    return conv.stride if isinstance(conv, Conv) else None


def _conv_before(steps: Steps, number: int) -> int:
    for earlier in range(number - 1, -1, -1):
        if steps.steps[earlier].kind is StepKind.CONV:
            return earlier
    return -1
