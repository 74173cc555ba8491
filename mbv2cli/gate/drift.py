"""The drift of a case from its lock, and the tolerance for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

from mbv2cli.costs.figures import Better, graded_figures
from mbv2cli.errors import UserError, nearest, value_text
from mbv2cli.gate.cases import CaseResult
from mbv2cli.gate.differences import (
    Differences,
    FieldChange,
    FigureChange,
    differences,
    figure_changes,
)
from mbv2cli.gate.locked import Locked, LockedModule, locked_of
from mbv2cli.specs.fields import MAX_AMOUNT
from mbv2cli.specs.units import read_bytes, read_count

_PERCENT: Final = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ?%")


@dataclass(frozen=True, slots=True)
class Allowance:
    """The growth that is allowed: percent of the locked figure, and an amount."""

    percent: Decimal = Decimal(0)
    amount: int = 0

    def allows(self, change: FigureChange) -> bool:
        """Return whether a figure is known to have got worse by at most this much."""
        if change.change is None:
            return False
        worse = change.change if change.figure.better is Better.SMALLER else -change.change
        return worse <= change.before * self.percent / 100 + self.amount


NO_GROWTH: Final = Allowance()


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
    if not isinstance(amount, int) or isinstance(amount, bool) or not 0 <= amount <= MAX_AMOUNT:
        raise UserError(
            f'{place} must be "2%" or an amount such as "10k" or "4KiB", not {value_text(value)}'
        )
    return Allowance(amount=amount)


class Cause(Enum):
    """Why a case differs from its lock."""

    CHANGED = "a field of the case, or the code of a module, changed"
    EDITED = "the lock was edited: nothing of the case differs"
    NOT_A_MODEL = "the lock was edited: what it holds is not a model"
    RECOUNTED = "no field of the case differs: the lock was edited, or mbv2 counts differently now"


@dataclass(frozen=True, slots=True)
class Drift:
    """How a case differs from its lock, and the tolerance for it.

    Without a tolerance every drift fails, also one that changes no figure. With a tolerance a
    drift holds if what is measured is the same (kind, input, memory rule and dtype), the output
    shape is the same, and no figure got worse by more than its tolerance. A figure without a
    tolerance of its own may not get worse. Nor may a figure change that is only known to be at
    least so much. So a larger tolerance never fails what a smaller one
    passes, and a smaller growth never fails where a larger one passes.
    """

    found: Differences
    cause: Cause
    tolerance: Mapping[str, Allowance]

    @property
    def holds(self) -> bool:
        """Whether there is a tolerance and the drift is within it."""
        return (
            bool(self.tolerance)
            and self.cause is not Cause.NOT_A_MODEL
            and all(map(self.allows_field, self.found.fields))
            and self.allows_output
            and all(map(self.allows, self.found.figures))
        )

    def allows(self, change: FigureChange) -> bool:
        """Return whether a figure is unchanged or within its tolerance."""
        return not change.changed or (
            bool(self.tolerance)
            and self.tolerance.get(change.figure.name, NO_GROWTH).allows(change)
        )

    def allows_field(self, change: FieldChange) -> bool:
        """Return whether a field may change: with a tolerance, if it is not of the measurement."""
        return bool(self.tolerance) and not change.is_of_measurement

    @property
    def allows_output(self) -> bool:
        """Whether the output shape is unchanged: there is no tolerance for a shape."""
        return not self.found.output_differs


def drift(locked: Locked, result: CaseResult, tolerance: Mapping[str, Allowance]) -> Drift | None:
    """Return how ``result`` differs from ``locked``; None if nothing differs."""
    now = locked_of(result).without_figures_after(locked)
    if now.same_as(locked):
        return None
    try:
        before = locked.snapshot
    except UserError:
        output = FieldChange("output", locked.output, now.output)
        found = Differences((), output, figure_changes(locked.measured, now.measured), ())
        return Drift(found, Cause.NOT_A_MODEL, tolerance)
    found = differences(before, now.snapshot)
    return Drift(found, _cause(found, locked, now), tolerance)


def _cause(found: Differences, locked: Locked, now: Locked) -> Cause:
    is_other_code = isinstance(now, LockedModule) and bool(found.differing_layers)
    if found.fields or is_other_code:
        return Cause.CHANGED
    same_graph = now.graph == locked.graph
    return Cause.EDITED if same_graph and not found.figures_differ else Cause.RECOUNTED
