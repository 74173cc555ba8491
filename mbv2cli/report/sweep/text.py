"""A search for people: what was tried, why members failed, the best, the front."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from mbv2cli.costs.figures import PEAK, Counting
from mbv2cli.report.page import BAD, BOLD, GOOD, WARNING, Block, Column, Line, Page, Table, page
from mbv2cli.report.sweep.report import SweepReport
from mbv2cli.report.text import compact
from mbv2cli.search.figures import WHOLE, figure_named
from mbv2cli.search.misses import Change, Miss, Misses
from mbv2cli.search.query import REPORTED, Bound
from mbv2cli.search.where import Where
from mbv2cli.search.winners import Winner
from mbv2cli.specs.units import Unit, amount_text, amount_texts, count_text

_TARGET_BESIDE: Final = 80
"""A target stands beside its figures if they take no more columns together, else below them."""

_LISTED_FRONT: Final = 50
"""Most members of a front that are listed."""

_LISTED_PARTS: Final = 3
"""Most parts of a figure that are listed."""

_COLUMNS: Final = ("macs", "params", "peak", "flash")
"""The figures that are shown of every member, in their order."""

_INDENT: Final = "    "


def as_table(report: SweepReport) -> Page:
    """Return the results."""
    return page(_blocks(report))


def _blocks(report: SweepReport) -> Iterator[Block]:
    yield space_line(report)
    yield Line()
    yield from counts(report)
    if report.misses:
        yield Line()
        yield from misses(report)
    if report.quantiles:
        yield Line()
        yield from _distribution(report)
    if report.top:
        yield Line()
        yield Line(top_heading(report), BOLD, _INDENT)
        yield _table(report.top, top_figures(report))
    if report.query.front:
        yield Line()
        yield from _front(report)
    if report.verified:
        yield Line()
        yield verified_line(report)


def top_heading(report: SweepReport) -> str:
    """Return what the first members are sorted by, and how their peak is counted."""
    return f"Top {len(report.top)} by {report.order_text} ({_peak(report.query.counting)})"


def verified_line(report: SweepReport) -> Line:
    """Return how many members were built and run."""
    text = (
        f"Verified: {_members(report.verified)} built and run; sweep, plan and forward pass agree."
    )
    return Line(text, GOOD, _INDENT)


def space_line(report: SweepReport) -> Line:
    """Return the size of the space, and how many values each field has."""
    space = report.query.space
    choices = ", ".join(f"{axis.name} {len(axis.values)}" for axis in space.varied)
    text = f"Space: {_members(space.size)} of {space.base}" + (f" ({choices})" if choices else "")
    return Line(text, "", _INDENT)


def counts(report: SweepReport) -> Iterator[Line]:
    """Yield how many members were tried and fit, why others do not, and what is counted."""
    query, result = report.query, report.result
    if not report.complete:
        text = f"Interrupted after {result.tried:,} of {query.draw.count:,} members."
        yield Line(text, WARNING, _INDENT)
    drawn = "" if query.draw.seed is None else f" drawn with seed {query.draw.seed}"
    text = f"Tried {result.tried:,}{drawn}: {result.feasible:,} feasible"
    yield Line(text, BOLD if result.feasible else BAD, _INDENT)
    reasons = [(result.tried - result.buildable, "cannot be built", "")]
    most = max(result.failed, default=0)
    for condition, failed in zip(query.conditions, result.failed, strict=True):
        style = WARNING if failed == most > 0 else ""
        reasons.append((failed, f"fail {condition_line(condition, query.counting)}", style))
    if not reasons[0][0]:
        del reasons[0]
    width = max((len(f"{count:,}") for count, *_ in reasons), default=0)
    for count, text, style in reasons:
        yield Line(f"{_INDENT}{count:>{width},} {text}", style, _INDENT * 2)
    yield Line(
        f"MACs: {query.counting.convention}. {_peak(query.counting).capitalize()}. "
        "Flash: int8 weights, int32 biases.",
        "",
        _INDENT,
    )
    for bound in query.bounds:
        if bound.figure in query.whole and not bound.is_minimum:
            text = (
                f"{bound.figure} is never below the layerwise int8 peak. Where this peak keeps the "
                f"limit, {bound.figure} is exact; the other members fail."
            )
            yield Line(text, "", _INDENT)


def _peak(counting: Counting) -> str:
    return f"peak: {counting.rule}, {counting.dtype}"


def condition_line(condition: Bound | Where, counting: Counting) -> str:
    """Return a condition as people read it: bytes with a unit, a peak with its rule."""
    if isinstance(condition, Where):
        return condition.text
    return _limit(condition, amount_text(condition.limit, _unit(condition.figure)), counting)


def _limit(bound: Bound, limit: str, counting: Counting) -> str:
    by = f" ({counting.rule}, {counting.dtype})" if bound.figure == PEAK.name else ""
    return f"{bound.figure} {'>=' if bound.is_minimum else '<='} {limit}{by}"


def misses(report: SweepReport) -> Iterator[Line]:
    """Yield why no member fits, if none does: a heading and the reasons."""
    if report.misses:
        yield Line("Why no member fits", BOLD)
        yield from _misses(report.misses, report.query.counting)


def _misses(misses: Misses, counting: Counting) -> Iterator[Line]:
    """Yield each limit with the nearest member, then the limits together."""
    for miss in misses.limits:
        yield from _miss(miss, counting)
    for one, other in misses.exclusive:
        both = f"{condition_line(one, counting)} and {condition_line(other, counting)}"
        yield Line(f"No member keeps both {both}.", WARNING, _INDENT)
    if misses.nearest:
        yield Line(
            "Each limit has members that keep it. The nearest member to all limits breaks a limit "
            f"by a factor of {misses.factor:,.2f}:",
            "",
            _INDENT,
        )
        yield _target(misses.nearest)


def _miss(miss: Miss, counting: Counting) -> Iterator[Line]:
    amounts = (
        miss.bound.limit,
        miss.amount,
        *(change.amount for change in miss.changes),
        *(part.amount for part in miss.parts),
    )
    limit, amount, *others = amount_texts(amounts, _unit(miss.bound.figure))
    condition = _limit(miss.bound, limit, counting)
    if miss.met:
        extreme = "largest" if miss.bound.is_minimum else "smallest"
        text = f"{condition}: {_members(miss.met)} keep it. The {extreme} is {amount}:"
        yield Line(text, "", _INDENT)
        yield _target(miss.member)
        return
    yield Line(f"{condition}: no member keeps it. The nearest is {amount}:", WARNING, _INDENT)
    yield _target(miss.member)
    after, parts = others[: len(miss.changes)], others[len(miss.changes) :]
    yield from _causes(miss, amount, parts)
    if not miss.tried:
        text = f"{miss.bound.figure} is not known: no rule for an operation. No change was tried."
        yield Line(_INDENT + text, "", _INDENT)
    elif not miss.changes:
        text = f"No single change of {_alternatives(miss.tried)} is enough."
        yield Line(_INDENT + text, "", _INDENT)
    for change, text in zip(miss.changes, after, strict=True):
        yield Line(f"{_INDENT}Enough: {_change(change)}, with {text}{_rest(change)}.", "", _INDENT)
    if miss.left_out:
        text = f"Not every value of {_alternatives(miss.left_out)} was tried: that takes too long."
        yield Line(_INDENT + text, "", _INDENT)


def _causes(miss: Miss, amount: str, parts: Sequence[str]) -> Iterator[Line]:
    """Yield the largest parts of a sum, or the layer behind a peak."""
    listed = zip(miss.parts[:_LISTED_PARTS], parts, strict=False)
    texts = [f"{part.name} {text} ({part.share:.0%})" for part, text in listed]
    if len(miss.parts) > 1:
        text = f"Largest parts of {amount}: {', '.join(texts)}."
        yield Line(_INDENT + text, "", _INDENT)
    if miss.culprit:
        layer = miss.culprit
        name = f"{layer.path} ({layer.role})" if layer.path else layer.role
        shapes = f"{compact(layer.input_shape)} -> {compact(layer.output_shape)}"
        yield Line(f"{_INDENT}The peak is at {name}, {shapes}.", "", _INDENT)


def _change(change: Change) -> str:
    return f"{change.field} {change.before} -> {change.after}"


def _rest(change: Change) -> str:
    return "; then every limit holds" if change.fits else "; other limits do not hold"


def _alternatives(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def _distribution(report: SweepReport) -> Iterator[Block]:
    of = f"{report.result.feasible:,} feasible members"
    if report.sample_of_quantiles < report.result.feasible:
        of = f"a sample of {report.sample_of_quantiles:,} of {of}"
    peak = _peak(report.query.counting)
    yield Line(f"Distribution of {of}, each figure by itself ({peak})", BOLD, _INDENT)
    names = dict.fromkeys((*_COLUMNS, *REPORTED))
    amounts = {name: [one.figures[name] for one in report.quantiles] for name in names}
    percents = [f"{one.percent} %" for one in report.quantiles]
    columns = [_figure_column(name, amounts[name], rank) for rank, name in enumerate(names, 1)]
    yield Table([Column("percent", percents, is_number=True), *columns])


def _front(report: SweepReport) -> Iterator[Block]:
    yield Line(front_heading(report), BOLD, _INDENT)
    listed = listed_front(report)
    if listed:
        yield _table(listed, front_figures(report))
    yield from unlisted(report)


def front_heading(report: SweepReport) -> str:
    """Return the figures of the front, its size, and how the peak is counted."""
    words = [f"{'most' if one.descending else 'least'} {one.figure}" for one in report.query.front]
    size, peak = report.front_size, _peak(report.query.counting)
    return f"Pareto front, {', '.join(words)}: {_members(size)} ({peak})"


def top_figures(report: SweepReport) -> list[str]:
    """Return the figures that the first members are listed with, beside the usual ones."""
    return [report.query.order.figure, *report.query.whole]


def front_figures(report: SweepReport) -> list[str]:
    """Return the figures that the front is listed with, beside the usual ones."""
    return [*(ordering.figure for ordering in report.query.front), *report.query.whole]


def listed_front(report: SweepReport) -> Sequence[Winner]:
    """Return the members of the front that are listed."""
    return report.front[:_LISTED_FRONT]


def unlisted(report: SweepReport) -> Iterator[Line]:
    """Yield how many members of the front are not listed, if there are any."""
    more = report.front_size - len(listed_front(report))
    if more:
        text = f"{more:,} more are not listed (--format json lists up to 1,000)."
        yield Line(text, "", _INDENT)


def _table(winners: Sequence[Winner], figures: Sequence[str]) -> Table:
    """Return a row for each member. Its target is in the row or, if it is long, below."""
    names = figure_columns(figures)
    ranked = list(dict.fromkeys((*(name for name in figures if name in names), *names)))
    columns = [
        _figure_column(name, [one.figures[name] for one in winners], ranked.index(name))
        for name in names
    ]
    targets = Column("target", [one.target for one in winners])
    if sum(column.width + 1 for column in columns) + targets.width <= _TARGET_BESIDE:
        return Table([*columns, targets])
    return Table(columns, notes={row: [_target(one)] for row, one in enumerate(winners)})


def figure_columns(figures: Sequence[str]) -> list[str]:
    """Return the figures that a table of members has, ``figures`` among them."""
    known = (*REPORTED, *WHOLE)
    return list(dict.fromkeys((*_COLUMNS, *(name for name in figures if name in known))))


def _figure_column(name: str, amounts: Sequence[int], rank: int) -> Column:
    return Column(name, amount_texts(amounts, _unit(name)), is_number=True, rank=rank)


def _target(member: Winner) -> Line:
    return Line(_INDENT + member.target)


def _unit(figure: str) -> Unit:
    return figure_named(figure).unit


def _members(count: int) -> str:
    return f"{count_text(count)} member{'s' if count != 1 else ''}"
