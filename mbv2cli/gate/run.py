"""Runs cases and holds them beside the lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from mbv2cli.gate.cases import Case, CaseResult
from mbv2cli.gate.drift import Outcome, drift
from mbv2cli.gate.lock import LockedCase
from mbv2cli.gate.tolerance import Allowance


def outcomes(
    cases: Iterable[Case],
    run: Callable[[Case], CaseResult],
    locked: Mapping[str, LockedCase],
    tolerance: Mapping[str, Allowance],
) -> Iterator[Outcome]:
    """Yield the outcome of each case, run one after the other."""
    for case in cases:
        result = run(case)
        lock = locked.get(case.name)
        yield Outcome(result, drift(lock, result, tolerance) if lock else None)
