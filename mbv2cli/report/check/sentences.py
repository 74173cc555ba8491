"""What `mbv2 check` tells, as sentences and cells that its formats share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mbv2cli.gate.differences import FigureChange
from mbv2cli.gate.drift import Cause, Drift
from mbv2cli.gate.limits import ShapeVerdict, Verdict, pattern_text
from mbv2cli.gate.outcomes import CheckReport, LockUse, Outcome
from mbv2cli.report.differences import (
    change_text,
    changes_text,
    figure_change_text,
    pair_title,
)
from mbv2cli.report.text import compact
from mbv2cli.specs.units import amount_texts, distance_text, room_text

_LOCK: Final = Path("mbv2.lock")
_CONFIG: Final = Path("mbv2.toml")
_USUAL: Final = ("mbv2.toml", "pyproject.toml")
"""The configurations that are found without `--config`."""
_NOT_TOLERATED: Final = " (a tolerance does not allow another kind, input, memory rule or dtype)"


def limit_text(verdict: Verdict) -> str:
    """Return the expected shape, or the limit in its unit."""
    if isinstance(verdict, ShapeVerdict):
        return pattern_text(verdict.expected)
    limit, _actual = amount_texts((verdict.limit, verdict.actual), verdict.unit)
    return f"{'>=' if verdict.is_minimum else '<='} {limit}"


def actual_text(verdict: Verdict) -> str:
    """Return the shape or amount that was found."""
    if isinstance(verdict, ShapeVerdict):
        return compact(verdict.actual) if verdict.actual else "none"
    _limit, actual = amount_texts((verdict.limit, verdict.actual), verdict.unit)
    return f"at least {actual}" if verdict.uncounted else actual


def headroom_text(verdict: Verdict) -> str:
    """Return the distance to the limit in words, or nothing for a shape."""
    if isinstance(verdict, ShapeVerdict):
        return ""
    if not verdict.is_known and (verdict.is_minimum or verdict.headroom >= 0):
        return "not known"
    distance = distance_text if verdict.is_minimum else room_text
    return distance(verdict.limit, verdict.actual)


def broken_text(verdict: Verdict) -> str:
    """Return a broken expectation as a sentence."""
    distance = headroom_text(verdict)
    return (
        f"{verdict.what} is {actual_text(verdict)}, expected {limit_text(verdict)}"
        f"{f' ({distance})' if distance else ''}{_unknown_text(verdict)}"
    )


def _unknown_text(verdict: Verdict) -> str:
    names = () if isinstance(verdict, ShapeVerdict) else verdict.uncounted
    unknown = f"no rule counts {', '.join(names)}" if names else ""
    told = [one for one in (unknown, verdict.doubt) if one]
    return f": {'; '.join(told)}" if told else ""


def closing_lines(report: CheckReport) -> Iterator[str]:
    """Yield how many cases there were and how many of them failed, then what was not checked."""
    outcomes = report.outcomes
    failed = sum(not outcome.holds for outcome in outcomes)
    cases = f"{len(outcomes):,} case{'s' if len(outcomes) != 1 else ''}"
    verdict = f"{failed:,} failed" if failed else "all passed"
    yield f"{cases}: {verdict}{_how_checked(report)}"
    if any(outcome.lock_use is LockUse.NO_LOCK for outcome in outcomes):
        yield f"drift is not checked: there is no {_lock(report)}; run {_lock_command(report)}"
    lacking = sum(outcome.lock_use is LockUse.NO_CASE for outcome in outcomes)
    if lacking:
        these = f"{lacking:,} case{'s' if lacking != 1 else ''}"
        yield (
            f"drift is not checked for {these}: {_lock(report)} lacks "
            f"{'it' if lacking == 1 else 'them'}; run {_lock_command(report)}"
        )


def _how_checked(report: CheckReport) -> str:
    """Return how each kind of case was checked; what did not run is a failure of its own."""
    results = [outcome.result for outcome in report.outcomes]
    planned = [one.forward_ran for one in results if not one.case.is_module]
    ways = [
        *(["plan and forward pass agree" if all(planned) else "by the plan alone"] * bool(planned)),
        *([f"{'modules: ' * bool(planned)}observed only"] * (len(planned) < len(results))),
    ]
    return f" ({'; '.join(ways)})" if ways else ""


def warnings(report: CheckReport, outcome: Outcome) -> Iterator[str]:
    """Yield a sentence for each thing that was not checked and is no failure."""
    if outcome.checks_nothing and outcome.holds:
        yield (
            "nothing is checked: the case has no limit and no lock; write a limit such as "
            f'max_params = "2M", or run {_lock_command(report)}'
        )
    elif outcome.lock_use is LockUse.NO_CASE and not outcome.requires_lock:
        yield _no_lock(report, outcome)


def tolerance_text(report: CheckReport, drift: Drift) -> str:
    """Return whether a drift is within its tolerance, and what accepts it if not."""
    if drift.holds:
        return "the drift is within the tolerance: no figure got worse by more than it allows"
    why = "beyond the tolerance" if drift.tolerance else "no tolerance is set: every drift fails"
    return f"{why}; run {_lock_command(report)} to accept the drift"


def failures(report: CheckReport, outcome: Outcome) -> Iterator[str]:
    """Yield a sentence for each broken expectation, and for the drift if it fails.

    With a drift, the output shape is among them even if it is unchanged, because a cost is judged
    by what it buys.
    """
    if outcome.result.failure:
        yield outcome.result.failure
    for verdict in outcome.result.verdicts:
        if not verdict.holds:
            yield broken_text(verdict)
    if outcome.requires_lock and outcome.lacks_lock:
        yield f"require_lock is true, and {_no_lock(report, outcome)}"
    found = outcome.drift
    if found and not found.holds:
        yield locked_output_text(found)
        for change in found.found.figures:
            if not found.allows(change):
                yield locked_figure_text(change)
        yield from drift_lines(found)
        yield tolerance_text(report, found)


def removed_text(report: CheckReport, name: str) -> str:
    """Return that only the lock has a case."""
    return (
        f"{_lock(report)} has the case '{name}', which {(report.file or _CONFIG).name} does not "
        f"have; run {_lock_command(report)}"
    )


def _no_lock(report: CheckReport, outcome: Outcome) -> str:
    if outcome.lock_use is LockUse.NO_LOCK:
        return f"there is no {_lock(report)}; run {_lock_command(report)}"
    return f"{_lock(report)} lacks the case; run {_lock_command(report)}"


def _lock(report: CheckReport) -> str:
    return (report.lock or _LOCK).name


def _lock_command(report: CheckReport) -> str:
    """Return the command that writes the lock: ``--config`` where the file is not found alone."""
    file = report.file or _CONFIG
    is_here_or_above = file.parent == Path() or ".." in file.parts
    found_alone = file.name in _USUAL and is_here_or_above
    return "mbv2 lock" if found_alone else f"mbv2 lock --config {file}"


def locked_figure_text(change: FigureChange) -> str:
    """Return a locked figure as a sentence: ``locked params: 1,568 -> 1,104, 29.6 % smaller``."""
    old, new = amount_texts((change.before, change.after), change.unit)
    if not change.changed:
        return f"locked {change.what}: {new}, unchanged"
    return f"locked {change.what}: {old} -> {new}, {figure_change_text(change)}"


def locked_output_text(drift: Drift) -> str:
    """Return the locked output shape, and whether it changed."""
    output = drift.found.output
    if not drift.found.output_differs:
        return f"locked output: {compact(output.after)}, unchanged"
    return f"locked output: {compact(output.before)} -> {compact(output.after)}"


def drift_lines(drift: Drift) -> Iterator[str]:
    """Yield each field that changed, then the first layer that differs, or that none does."""
    if drift.cause is not Cause.CHANGED:
        yield drift.cause.value
        return
    for change in drift.found.fields:
        note = _NOT_TOLERATED if drift.tolerance and change.is_of_measurement else ""
        yield f"changed: {change_text(change)}{note}"
    layers = drift.found.differing_layers
    if not layers:
        yield "every operation is the same"
        return
    first = layers[0]
    fields = changes_text(first)
    stages = f" (in {', '.join(drift.found.stages)})" if drift.found.stages else ""
    yield (
        f"first layer that differs{stages}: {pair_title(first)}{f': {fields}' if fields else ''}"
    )
