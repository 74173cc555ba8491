"""Verdicts as text: what was found, what was allowed, what is left."""

from __future__ import annotations

from collections.abc import Sequence

from mbv2cli.checks.cases import CaseResult
from mbv2cli.checks.expectations import pattern_text
from mbv2cli.checks.limits import ShapeVerdict, Unit, Verdict
from mbv2cli.report.bytes_text import binary
from mbv2cli.report.shape_text import compact


def limit_text(verdict: Verdict) -> str:
    """Return the expected shape, or the limit in its unit."""
    if isinstance(verdict, ShapeVerdict):
        return pattern_text(verdict.expected)
    return f"{'>=' if verdict.is_minimum else '<='} {_amount(verdict.limit, verdict.unit)}"


def actual_text(verdict: Verdict) -> str:
    """Return the shape or amount that was found."""
    if isinstance(verdict, ShapeVerdict):
        return compact(verdict.actual) if verdict.actual else "none"
    return _amount(verdict.actual, verdict.unit)


def headroom_text(verdict: Verdict) -> str:
    """Return what is left in percent of the limit; nothing for a shape."""
    if isinstance(verdict, ShapeVerdict):
        return ""
    return f"{verdict.headroom / verdict.limit:+.1%}" if verdict.limit else ""


def broken_text(verdict: Verdict) -> str:
    """Return a broken expectation as a sentence."""
    return f"{verdict.what} is {actual_text(verdict)}, expected {limit_text(verdict)}"


def closing_line(results: Sequence[CaseResult]) -> str:
    """Return how many cases there were and how many of them failed."""
    failed = sum(not result.holds for result in results)
    cases = f"{len(results):,} case{'s' if len(results) != 1 else ''}"
    verdict = f"{failed:,} failed" if failed else "all passed"
    ran = all(result.forward_ran for result in results)
    return f"{cases}: {verdict} ({'plan and forward pass agree' if ran else 'by the plan alone'})"


def _amount(amount: int, unit: Unit) -> str:
    return binary(amount) if unit is Unit.BYTES else f"{amount:,}"
