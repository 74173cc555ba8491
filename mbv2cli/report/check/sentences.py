"""What `mbv2 check` reports, and its figures as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mbv2cli.gate.comparison import LayerPair
from mbv2cli.gate.drift import Change, Drift, Outcome, ShapeChange
from mbv2cli.gate.limits import ShapeVerdict, Verdict, pattern_text
from mbv2cli.graph.rows import Layer
from mbv2cli.report.text import compact
from mbv2cli.specs.units import amount_text


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The outcome of each case, and the file that the cases were read from, if any."""

    outcomes: Sequence[Outcome]
    file: Path | None


def limit_text(verdict: Verdict) -> str:
    """Return the expected shape, or the limit in its unit."""
    if isinstance(verdict, ShapeVerdict):
        return pattern_text(verdict.expected)
    return f"{'>=' if verdict.is_minimum else '<='} {amount_text(verdict.limit, verdict.unit)}"


def actual_text(verdict: Verdict) -> str:
    """Return the shape or amount that was found."""
    if isinstance(verdict, ShapeVerdict):
        return compact(verdict.actual) if verdict.actual else "none"
    return amount_text(verdict.actual, verdict.unit)


def headroom_text(verdict: Verdict) -> str:
    """Return the headroom in percent of the limit, or nothing for a shape."""
    if isinstance(verdict, ShapeVerdict):
        return ""
    return f"{verdict.headroom / verdict.limit:+.1%}" if verdict.limit else ""


def broken_text(verdict: Verdict) -> str:
    """Return a broken expectation as a sentence."""
    return f"{verdict.what} is {actual_text(verdict)}, expected {limit_text(verdict)}"


def closing_line(report: CheckReport) -> str:
    """Return how many cases there were and how many of them failed."""
    outcomes = report.outcomes
    failed = sum(not outcome.holds for outcome in outcomes)
    cases = f"{len(outcomes):,} case{'s' if len(outcomes) != 1 else ''}"
    verdict = f"{failed:,} failed" if failed else "all passed"
    ran = all(outcome.result.forward_ran for outcome in outcomes)
    return f"{cases}: {verdict} ({'plan and forward pass agree' if ran else 'by the plan alone'})"


def change_text(change: Change) -> str:
    """Return a locked figure before and now: ``1,568 -> 1,104``, or ``1,568, unchanged``."""
    if isinstance(change, ShapeChange):
        before, after = compact(change.before), compact(change.after)
    else:
        before, after = (
            amount_text(change.before, change.unit),
            amount_text(change.after, change.unit),
        )
    return f"{before} -> {after}" if change.changed else f"{after}, unchanged"


def growth_text(change: Change) -> str:
    """Return the change of a figure in percent, or nothing for a shape."""
    if isinstance(change, ShapeChange) or not (change.changed and change.before):
        return ""
    return f"{(change.after - change.before) / change.before:+.1%}"


def first_layer_lines(drift: Drift) -> tuple[str, ...]:
    """Return the first layer that differs, then a line for each of its fields that do."""
    if drift.first_layer is None:
        return ("no layer differs: the lock was edited, or mbv2 counts differently now",)
    before, after = drift.first_layer.before, drift.first_layer.after
    where = f" (in {', '.join(drift.stages)})" if drift.stages else ""
    head = f"first layer that differs{where}:"
    if before and after and before.path == after.path:
        return (f"{head} {_named(before)}", *_field_lines(drift.first_layer))
    return (f"{head} {_whole_text(before)} -> {_whole_text(after)}",)


def failures(outcome: Outcome) -> Iterator[str]:
    """Yield a sentence for each broken expectation and each drift beyond its tolerance.

    With a drift, the output shape is among them even if it is unchanged, because a cost is judged
    by what it buys.
    """
    for verdict in outcome.result.verdicts:
        if not verdict.holds:
            yield broken_text(verdict)
    if outcome.drift and not outcome.drift.holds:
        for change in outcome.drift.changes:
            if not change.holds or isinstance(change, ShapeChange):
                yield f"locked {change.what}: {change_text(change)} {growth_text(change)}".rstrip()
        head, *fields = first_layer_lines(outcome.drift)
        yield ": ".join(filter(None, (head, ", ".join(fields))))


def _named(layer: Layer) -> str:
    return f"{layer.name or layer.type} {layer.path}".rstrip()


def _field_lines(pair: LayerPair) -> Iterator[str]:
    for change in pair.changes:
        old, new = _value_text(change.before), _value_text(change.after)
        if old != new and change.name != "trainable_params":  # changes as params does
            yield f"{change.name} {old} -> {new}"


def _value_text(value: object) -> str:
    if isinstance(value, tuple):
        return compact(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "none" if value is None else str(value)


def _whole_text(layer: Layer | None) -> str:
    if layer is None:
        return "none"
    return f"{_named(layer)} {compact(layer.output_shape)} ({layer.params:,} params)"
