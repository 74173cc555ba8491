"""The outcome of every case: limits, drift from the lock, and what was not checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mbv2cli.gate.cases import Case, CaseResult
from mbv2cli.gate.config import Config
from mbv2cli.gate.drift import Drift, drift
from mbv2cli.gate.lock import lock_if_any
from mbv2cli.gate.locked import Locked


class LockUse(StrEnum):
    """Whether a case was compared with its lock: not if it was not run."""

    COMPARED = "compared"
    NO_LOCK = "no lock"
    NO_CASE = "no case"
    UNUSED = "unused"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a case, and its drift if it differs from its lock.

    ``requires_lock`` says whether a case without a lock fails.
    """

    result: CaseResult
    drift: Drift | None = None
    lock_use: LockUse = LockUse.UNUSED
    requires_lock: bool = False

    @property
    def lacks_lock(self) -> bool:
        """Whether the case could not be compared with a lock."""
        return self.lock_use in (LockUse.NO_LOCK, LockUse.NO_CASE)

    @property
    def checks_nothing(self) -> bool:
        """Whether the case has no limit and was not compared with a lock."""
        return self.lacks_lock and not self.result.verdicts

    @property
    def holds(self) -> bool:
        """Whether every expectation, the drift, and the demand for a lock hold."""
        return (
            self.result.holds
            and (self.drift is None or self.drift.holds)
            and not (self.requires_lock and self.lacks_lock)
        )


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The outcome of each case.

    ``file`` is the configuration as it is shown, None for limits given as flags. ``removed``
    are the cases that only the lock has: with ``requires_lock`` each of them is a failure.
    """

    outcomes: Sequence[Outcome]
    file: Path | None = None
    lock: Path | None = None
    removed: Sequence[str] = ()
    requires_lock: bool = False

    @property
    def holds(self) -> bool:
        """Whether every case holds, and the lock has no other cases if it is required."""
        return all(outcome.holds for outcome in self.outcomes) and not (
            self.requires_lock and self.removed
        )


def outcomes_of_config(
    config: Config, cases: Iterable[Case], run: Callable[[Case], CaseResult], shown_file: Path
) -> CheckReport:
    """Run some cases of ``config`` one after the other, and compare them with their lock.

    Raises `UserError` if the lock cannot be read.
    """
    locked = lock_if_any(config.lock)
    names = {case.name for case in config.cases}
    return CheckReport(
        [_outcome(config, case, run(case), locked) for case in cases],
        shown_file,
        shown_file.with_name(config.lock.name),
        [name for name in locked or () if name not in names],
        config.requires_lock,
    )


def _outcome(
    config: Config, case: Case, result: CaseResult, locked: Mapping[str, Locked] | None
) -> Outcome:
    if result.failure:
        return Outcome(result, None, LockUse.NOT_RUN, config.requires_lock)
    if locked is None:
        return Outcome(result, None, LockUse.NO_LOCK, config.requires_lock)
    if case.name not in locked:
        return Outcome(result, None, LockUse.NO_CASE, config.requires_lock)
    found = drift(locked[case.name], result, config.tolerance)
    return Outcome(result, found, LockUse.COMPARED, config.requires_lock)
