"""How a case differs from its lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from mbv2cli.errors import UserError
from mbv2cli.gate.cases import CaseResult
from mbv2cli.gate.comparison import LayerPair
from mbv2cli.gate.lock import LockedCase
from mbv2cli.gate.tolerance import Allowance
from mbv2cli.plan import Plan, Shape
from mbv2cli.specs.units import Unit


class ShapeChange(NamedTuple):
    """The output shape then and now."""

    what: str
    before: Shape
    after: Shape

    @property
    def changed(self) -> bool:
        """Whether they differ."""
        return self.before != self.after

    @property
    def holds(self) -> bool:
        """Whether the change is let pass: a shape may not change."""
        return not self.changed


class AmountChange(NamedTuple):
    """A figure then and now."""

    what: str
    before: int
    after: int
    unit: Unit = Unit.COUNT
    allowance: Allowance | None = None

    @property
    def changed(self) -> bool:
        """Whether they differ."""
        return self.before != self.after

    @property
    def holds(self) -> bool:
        """Whether it is unchanged, or no more than the tolerance above what it was."""
        return not self.changed or (
            self.allowance is not None and self.allowance.allows(self.before, self.after)
        )


Change = ShapeChange | AmountChange


class Drift(NamedTuple):
    """A case beside its lock: every locked figure, the stages and the first layer that differ."""

    changes: tuple[Change, ...]
    stages: tuple[str, ...]
    first_layer: LayerPair | None

    @property
    def holds(self) -> bool:
        """Whether all that differs are figures within their tolerance."""
        return any(change.changed for change in self.changes) and all(
            change.holds for change in self.changes
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case came to, beside its lock if there is one that differs."""

    result: CaseResult
    drift: Drift | None = None

    @property
    def holds(self) -> bool:
        """Whether every expectation does and nothing has drifted too far."""
        return self.result.holds and (self.drift is None or self.drift.holds)


def drift(
    locked: LockedCase, result: CaseResult, tolerance: Mapping[str, Allowance]
) -> Drift | None:
    """Return how ``result`` differs from ``locked``; None where it does not."""
    now = LockedCase.of(result)
    if now == locked:
        return None
    units = {"params": Unit.COUNT, "macs": Unit.COUNT, "peak": Unit.BYTES, "flash": Unit.BYTES}
    amounts = (
        AmountChange(what, getattr(locked, what), getattr(now, what), unit, tolerance.get(what))
        for what, unit in units.items()
    )
    field = AmountChange("receptive_field", locked.receptive_field, now.receptive_field)
    shape = ShapeChange("output", locked.output, now.output)
    stages = tuple(
        name
        for name in dict.fromkeys([*locked.stages, *now.stages])
        if locked.stages.get(name) != now.stages.get(name)
    )
    return Drift((shape, *amounts, field), stages, _first_layer(locked, result.plan))


def _first_layer(locked: LockedCase, plan: Plan) -> LayerPair | None:
    try:
        before = locked.plan().layers
    except (UserError, ValueError):  # edited by hand to what is no model: nothing to compare with
        return LayerPair(None, plan.layers[0])
    for old, new in zip_longest(before, plan.layers):
        if old != new:
            return LayerPair(old, new)
    return None
