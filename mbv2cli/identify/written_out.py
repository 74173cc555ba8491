"""Activations that a module writes out, such as ``x * relu6(x + 3) / 6``, which is a hardswish."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose
from typing import TYPE_CHECKING, Final, NamedTuple

from mbv2cli.graph.ops import Arithmetic, Op

if TYPE_CHECKING:
    from mbv2cli.identify.steps import Step

_SCALED: Final = {"hardsigmoid": "hardswish", "sigmoid": "silu"}
"""What the product of a value and its activation is."""

_SHIFT, _SCALE = 3.0, 6.0


class WrittenOut(NamedTuple):
    """An activation, the number of the step that it takes, and how many steps write it out."""

    function: str
    source: int
    steps: int


def written_out(steps: Sequence[Step], ops: Sequence[Op]) -> WrittenOut | None:
    """Return the activation that the last steps write out; None if they write out none."""
    last = len(steps) - 1
    if steps[last].inputs == (last - 1,) and _is_scaled(steps[last], ops):
        one, two = (_shifted(steps, ops, number) for number in (last - 1, last - 2))
        if one is not None:
            return WrittenOut("hardsigmoid", one, 3)
        if two is not None and _product(steps, last - 1) == {two, last - 2}:
            return WrittenOut("hardswish", two, 4)
    if last - 1 in _product(steps, last):
        inner = steps[last - 1]
        name = _SCALED.get(str(inner.signature[0]))
        if name and _product(steps, last) == {*inner.inputs, last - 1}:
            return WrittenOut(name, inner.inputs[0], 2)
    return None


def _shifted(steps: Sequence[Step], ops: Sequence[Op], number: int) -> int | None:
    """Return the step x of ``relu6(x + 3)``, whose relu6 has a number."""
    if number < 1 or steps[number].signature[0] != "relu6" or steps[number].inputs != (number - 1,):
        return None
    shift = steps[number - 1]
    is_shift = shift.signature[0] == "add" and _number(shift, ops) == _SHIFT
    return shift.inputs[0] if is_shift and len(shift.inputs) == 1 else None


def _is_scaled(step: Step, ops: Sequence[Op]) -> bool:
    """Return whether a step divides a value by 6."""
    number = _number(step, ops)
    if number is None:
        return False
    scale = {"div": number, "mul": 1 / number if number else 0.0}.get(str(step.signature[0]), 0.0)
    return isclose(scale, _SCALE, rel_tol=1e-3)


def _product(steps: Sequence[Step], number: int) -> set[int]:
    """Return the two steps that a product takes; none for any other step."""
    is_product = number >= 0 and steps[number].signature[0] == "mul"
    return set(steps[number].inputs) if is_product and len(steps[number].inputs) > 1 else set()


def _number(step: Step, ops: Sequence[Op]) -> float | None:
    how = ops[step.op].attributes
    return how.number if isinstance(how, Arithmetic) and not how.arguments else None
