"""The drift of a case from its lock, and the tolerance for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from mbv2cli.costs.figures import Better, graded_figures
from mbv2cli.errors import UserError, nearest
from mbv2cli.gate.cases import Case, CaseResult
from mbv2cli.gate.comparison import LayerPair, first_difference
from mbv2cli.gate.lock import LockedCase
from mbv2cli.graph.ops import Shape
from mbv2cli.inspection import Plan
from mbv2cli.specs.units import Unit, read_bytes, read_count

_PERCENT: Final = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ?%")


@dataclass(frozen=True, slots=True)
class Allowance:
    """The growth that is allowed: percent of the locked figure, and an amount."""

    percent: Decimal = Decimal(0)
    amount: int = 0

    def allows(self, before: int, after: int) -> bool:
        """Return whether ``after`` is at most this much above ``before``."""
        return after <= before + before * self.percent / 100 + self.amount


def read_tolerance(value: object, place: str) -> Mapping[str, Allowance]:
    """Read ``"2%"``, an amount such as ``"10k"``, or a table of them by figure.

    Figures of which less is better can have a tolerance. Raises `UserError`.
    """
    names = [figure.name for figure in graded_figures() if figure.better is Better.SMALLER]
    if not isinstance(value, dict):
        return dict.fromkeys(names, _read(value, place))
    for key in value:
        if key not in names:
            raise UserError(
                f"{place}.{key} is not a figure with a tolerance "
                f"(the figures are {', '.join(names)}){nearest(key, names)}"
            )
    return {key: _read(one, f"{place}.{key}") for key, one in value.items()}


def _read(value: object, place: str) -> Allowance:
    if isinstance(value, str) and (found := _PERCENT.fullmatch(value.strip())):
        return Allowance(percent=Decimal(found[1]))
    amount: object = None
    for read in (read_bytes, read_count):  # the tolerance may be that of a count or of bytes
        with suppress(ValueError):
            amount = read(value)
    if not isinstance(amount, int) or isinstance(amount, bool) or amount < 0:
        raise UserError(f'{place} must be "2%" or an amount such as "10k" or "4KiB", not {value!r}')
    return Allowance(amount=amount)


class ShapeChange(NamedTuple):
    """The output shape as it is locked and as it is now."""

    what: str
    before: Shape
    after: Shape

    @property
    def changed(self) -> bool:
        """Whether the shapes differ."""
        return self.before != self.after

    @property
    def holds(self) -> bool:
        """Whether the shape is unchanged: there is no tolerance for a shape."""
        return not self.changed


class AmountChange(NamedTuple):
    """A figure as it is locked and as it is now."""

    what: str
    before: int
    after: int
    unit: Unit = Unit.COUNT
    allowance: Allowance | None = None

    @property
    def changed(self) -> bool:
        """Whether the amounts differ."""
        return self.before != self.after

    @property
    def holds(self) -> bool:
        """Whether the amount is unchanged or within its tolerance."""
        return not self.changed or (
            self.allowance is not None and self.allowance.allows(self.before, self.after)
        )


Change = ShapeChange | AmountChange


class Drift(NamedTuple):
    """Every locked figure, and the stages and the first layer that differ from the lock."""

    changes: tuple[Change, ...]
    stages: tuple[str, ...]
    first_layer: LayerPair | None

    @property
    def holds(self) -> bool:
        """Whether figures differ and all of them are within their tolerance."""
        return any(change.changed for change in self.changes) and all(
            change.holds for change in self.changes
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a case, and its drift if it differs from its lock."""

    result: CaseResult
    drift: Drift | None = None

    @property
    def holds(self) -> bool:
        """Whether every expectation and every locked figure holds."""
        return self.result.holds and (self.drift is None or self.drift.holds)


def outcomes(
    cases: Iterable[Case],
    run: Callable[[Case], CaseResult],
    locked: Mapping[str, LockedCase],
    tolerance: Mapping[str, Allowance],
) -> Iterator[Outcome]:
    """Run the cases one after the other; yield the outcome of each."""
    for case in cases:
        result = run(case)
        lock = locked.get(case.name)
        yield Outcome(result, drift(lock, result, tolerance) if lock else None)


def drift(
    locked: LockedCase, result: CaseResult, tolerance: Mapping[str, Allowance]
) -> Drift | None:
    """Return how ``result`` differs from ``locked``; None if nothing differs."""
    now = LockedCase.of(result)
    if now.same_as(locked):
        return None
    amounts = (
        AmountChange(
            figure.name,
            locked.figures[figure.name],
            now.figures[figure.name],
            figure.unit,
            tolerance.get(figure.name),
        )
        for figure in graded_figures()
    )
    shape = ShapeChange("output", locked.output, now.output)
    stages = tuple(
        name
        for name in dict.fromkeys([*locked.stages, *now.stages])
        if locked.stages.get(name) != now.stages.get(name)
    )
    return Drift((shape, *amounts), stages, _first_layer(locked, result.plan))


def _first_layer(locked: LockedCase, plan: Plan) -> LayerPair | None:
    try:
        before = locked.plan()
    except (UserError, ValueError):  # the lock was edited: its spec is not a model
        return LayerPair(None, plan.layers[0])
    return first_difference(before, plan)
