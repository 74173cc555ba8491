"""A search for people: what was tried, why members failed, the best, the front."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from mbv2cli.report.sweep.report import SweepReport
from mbv2cli.search.figures import figure_named
from mbv2cli.search.query import Bound
from mbv2cli.search.space import Space
from mbv2cli.search.where import Where
from mbv2cli.search.winners import Winner
from mbv2cli.specs.units import amount_text

WIDTH: Final = 80

_LISTED_FRONT: Final = 50
"""Most members of a front that are listed."""

_COLUMNS: Final = ("macs", "params", "peak", "flash")


def as_table(report: SweepReport) -> str:
    """Return the findings in at most 80 columns; only targets may be longer."""
    return "".join(f"{line.rstrip()}\n" for line in _lines(report))


def _lines(report: SweepReport) -> Iterator[str]:
    yield from _space_lines(report.query.space)
    yield ""
    yield from _counts(report)
    if report.quantiles:
        yield ""
        yield from _quantiles(report)
    if report.top:
        yield ""
        yield f"Top {len(report.top)} by {report.order_text}"
        yield from _table(report.top, report.query.order.figure)
    if report.query.front:
        yield ""
        yield from _front(report)
    if report.verified:
        yield ""
        yield (
            f"Verified: {_members(report.verified)} built and run; "
            "sweep, plan and forward pass agree."
        )


def _space_lines(space: Space) -> Iterator[str]:
    choices = ", ".join(f"{axis.name} {len(axis.values)}" for axis in space.varied)
    text = f"Space: {_members(space.size)} of {space.base}" + (f" ({choices})" if choices else "")
    yield from textwrap.wrap(text, WIDTH, subsequent_indent="    ")


def _counts(report: SweepReport) -> Iterator[str]:
    query, result = report.query, report.result
    if not report.complete:
        yield f"Interrupted after {result.tried:,} of {query.draw.count:,} members."
    counting = query.counting
    drawn = "" if query.draw.seed is None else f" drawn with seed {query.draw.seed}"
    yield f"Tried {result.tried:,}{drawn}: {result.feasible:,} feasible"
    unbuildable = result.tried - result.buildable
    if unbuildable:
        yield f"  {unbuildable:>15,} cannot be built"
    for condition, failed in zip(query.conditions, result.failed, strict=True):
        yield f"  {failed:>15,} fail {_condition(condition)}"
    yield (
        f"MACs: {counting.convention}. Peak: {counting.rule}, {counting.dtype}. "
        "Flash: int8 weights, int32 biases."
    )


def _condition(condition: Bound | Where) -> str:
    if isinstance(condition, Where):
        return condition.text
    limit = amount_text(condition.limit, figure_named(condition.figure).unit)
    return f"{condition.figure} {'>=' if condition.is_minimum else '<='} {limit}"


def _quantiles(report: SweepReport) -> Iterator[str]:
    of = f"{report.result.feasible:,} feasible members"
    if report.sample_of_quantiles < report.result.feasible:
        of = f"a sample of {report.sample_of_quantiles:,} of {of}"
    yield f"Distribution of {of}, each figure by itself"
    rows = [["", *_COLUMNS]]
    for one in report.quantiles:
        cells = (_amount(name, getattr(one, name)) for name in _COLUMNS)
        rows.append([f"{one.percent}%", *cells])
    yield from _aligned(rows)


def _front(report: SweepReport) -> Iterator[str]:
    orderings = report.query.front
    words = [f"{'most' if one.descending else 'least'} {one.figure}" for one in orderings]
    size = report.front_size
    yield f"Pareto front, {', '.join(words)}: {_members(size)}"
    listed = report.front[:_LISTED_FRONT]
    yield from _table(listed, *(ordering.figure for ordering in orderings))
    if size > len(listed):
        yield f"… and {size - len(listed):,} more (--format json lists up to 1,000)"


def _table(winners: Sequence[Winner], *figures: str) -> Iterator[str]:
    """Yield a line for each member, with its target, or with the target on a line of its own."""
    if not winners:
        return
    more = (name for name in figures if name in winners[0].figures and name not in _COLUMNS)
    columns = [*_COLUMNS, *dict.fromkeys(more)]
    cells = ([_amount(name, one.figures[name]) for name in columns] for one in winners)
    heading, *rows = _aligned([columns, *cells])
    widest = max(len(one.target) for one in winners)
    if len(heading) + 2 + widest <= WIDTH:
        yield f"{heading}  target"
        yield from (f"{row}  {one.target}" for row, one in zip(rows, winners, strict=True))
        return
    yield heading
    for row, one in zip(rows, winners, strict=True):
        yield row
        yield f"    {one.target}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows whose cells are aligned on the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  " + "  ".join(cells)


def _amount(name: str, amount: int) -> str:
    return amount_text(amount, figure_named(name).unit)


def _members(count: int) -> str:
    return f"{count:,} member{'s' if count != 1 else ''}"
