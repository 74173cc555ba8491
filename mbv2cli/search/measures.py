"""What each part of a model adds to a figure, by the plan's own rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from mbv2cli.plan.conventions import Convention, count_layer, mac_convention
from mbv2cli.plan.geometry import Geometry, geometries
from mbv2cli.plan.memory import ELEMENT_BYTES, MemoryRule, PartInModel, rule_named
from mbv2cli.plan.plan import totals_of
from mbv2cli.plan.weights import layer_flash_bytes

Amount: TypeAlias = Any
"""An int, or an array of int64 with one for each row: the plan's arithmetic serves both."""


class PlannedPart(NamedTuple):
    """A part of a model in its place; ``jump`` is that of its input, in input pixels."""

    memory: PartInModel
    jump: Amount


class Measure(NamedTuple):
    """What of a part goes into a figure: the parts' sum, or the ``highest`` of them."""

    of: Callable[[PlannedPart], Amount]
    highest: bool = False

    def together(self, amounts: Sequence[Amount]) -> Amount:
        """Return the sum, or the highest, of amounts."""
        return reduce(_higher, amounts) if self.highest else sum(amounts)

    def repeated(self, first: Amount, others: Amount, repeats: Amount) -> Amount:
        """Return the amount of ``repeats`` parts, of which all after the first are alike."""
        if self.highest:
            # no amount is below 0, so that 0 can stand for others that are not there
            return _higher(first, others * (repeats > 1))
        return first + (repeats - 1) * others


@dataclass(frozen=True, slots=True)
class Counting:
    """How MACs and peaks are counted, by the names of convention, rule and element type."""

    convention: str = "conv+linear"
    rule: str = "layerwise"
    dtype: str = "int8"


def measure(figure: str, counting: Counting) -> Measure:
    """Return the measure of a figure of costs."""
    if figure == "macs":
        return _macs(mac_convention(counting.convention))
    if figure == "peak":
        return _peak(rule_named(counting.rule), ELEMENT_BYTES[counting.dtype])
    return _MEASURES[figure]


def whole(figure: str, counting: Counting, of_parts: Amount, own_input: Amount) -> Amount:
    """Return a figure of a model from that of its parts and the elements of its input."""
    if figure == "peak" and rule_named(counting.rule).input_stays:
        return of_parts + own_input * ELEMENT_BYTES[counting.dtype]
    if figure == "receptive_field":
        return of_parts + 1
    return of_parts


def _higher(one: Amount, other: Amount) -> Amount:
    """Return the larger of two; of plain ints exactly, however large."""
    if isinstance(one, int) and isinstance(other, int):
        return max(one, other)
    return np.maximum(one, other)


def _macs(convention: Convention) -> Measure:
    return Measure(lambda part: sum(count_layer(convention, one) for one in part.memory.layers))


def _peak(rule: MemoryRule, element_bytes: int) -> Measure:
    def peak(part: PlannedPart) -> Amount:
        steps = [used for used in rule.of_part(part.memory) if used is not None]
        return (steps[-1] if rule.grows else reduce(_higher, steps)) * element_bytes

    return Measure(peak, highest=not rule.grows)


def _widens(part: PlannedPart) -> Amount:
    """Return how many pixels more the part's output sees than its input."""
    seen = geometries(part.memory.layers, before=Geometry(0, part.jump))[-1]
    return seen.receptive_field if seen else 0


_MEASURES: Final = {
    "params": Measure(lambda part: sum(one.params for one in part.memory.layers)),
    "flash": Measure(lambda part: sum(map(layer_flash_bytes, part.memory.layers))),
    "activations": Measure(lambda part: totals_of(part.memory.layers).activations),
    "layers": Measure(lambda part: sum(not one.is_functional for one in part.memory.layers)),
    "receptive_field": Measure(_widens),
}
