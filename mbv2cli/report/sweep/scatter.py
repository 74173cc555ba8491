"""The members of a search as an SVG picture of a page: each member of the front can be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, takewhile
from math import ceil, floor, log2, log10
from typing import Final, NamedTuple

from mbv2cli.report.html.skeleton import shown_text
from mbv2cli.report.sweep.plot import axis_text, bound_text, points
from mbv2cli.report.sweep.report import SweepReport
from mbv2cli.report.sweep.text import figure_columns, front_figures
from mbv2cli.search.figures import figure_named
from mbv2cli.search.members import Members
from mbv2cli.search.partial import front_in_order
from mbv2cli.search.winners import Winner
from mbv2cli.specs.units import Unit, amount_text, short_text

READABLE: Final = 200
"""Most members of a front that have a text of their own."""

_WIDTH, _HEIGHT = 760, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 24, 44, 52
_SIGN, _LINE = 8, 16
"""The widest sign on average, and the height of a line."""

_DECADE: Final = 10
"""An axis is logarithmic if its figures differ by more than this factor."""

_TICKS: Final = 7
"""About the number of ticks of an axis."""


class _Scale(NamedTuple):
    """From the figures of an axis to places between ``start`` and ``end``."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool
    unit: Unit

    def place(self, amount: float) -> float:
        """Return the place of an amount."""
        low, high, here = (
            map(log2, (self.low, self.high, amount))
            if self.is_log
            else (self.low, self.high, amount)
        )
        return round(self.start + (here - low) / (high - low) * (self.end - self.start), 1)

    def shows(self, amount: float) -> bool:
        """Return whether an amount lies on the axis."""
        return self.low <= amount <= self.high

    def ticks(self) -> list[float]:
        """Return amounts that are easy to read."""
        amounts = self._powers() if self.is_log else self._steps()
        return [one for one in amounts if self.shows(one)]

    def _powers(self) -> list[float]:
        if self.unit is Unit.BYTES:
            first, last = floor(log2(self.low)), ceil(log2(self.high))
            return [2.0**power for power in range(first, last + 1, 1 + (last - first) // _TICKS)]
        decades = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
        factors = (1, 2, 5) if len(decades) <= _TICKS // 2 else (1,)
        return [factor * 10.0**power for power in decades for factor in factors]

    def _steps(self) -> list[float]:
        least = (self.high - self.low) / _TICKS
        if self.unit is Unit.BYTES:
            step = 2.0 ** ceil(log2(least))
        else:
            power = 10.0 ** floor(log10(least))
            step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least)
        first = ceil(self.low / step)
        multiples = (number * step for number in count(first))
        return list(takewhile(lambda one: one <= self.high, multiples))


def scatter(report: SweepReport) -> str:
    """Return the picture: members that fit and that do not, the limits, and the front."""
    front = front_in_order(report.query, report.result.front).first(len(report.front))
    groups = (report.result.others, report.cloud, report.result.best.first(1), front)
    of_groups = [[one.tolist() for one in points(report, members)] for members in groups]
    if not any(len(members) for members in groups):
        return ""
    x, y = (
        _scale(report, axis, [amount for group in of_groups for amount in group[axis]])
        for axis in (0, 1)
    )
    parts = [
        *_axes(report, x, y),
        *_limits(report, x, y),
        *_dots("others", x, y, of_groups[0]),
        *_dots("fits", x, y, of_groups[1]),
        *_dots("best", x, y, of_groups[2]),
        *_dots("front", x, y, [axis[READABLE:] for axis in of_groups[3]]),
        *_readable(report, x, y, of_groups[3]),
        *_legend(report, groups),
    ]
    label = "Members of the space: MACs, memory or other figures of each, and the Pareto front"
    body = "\n".join(parts)
    return (
        f'<figure>\n<svg class="scatter" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" role="group" aria-label="{label}">\n{body}\n</svg>\n</figure>'
    )


def _scale(report: SweepReport, axis: int, amounts: Sequence[float]) -> _Scale:
    figure = figure_named(report.query.plotted[axis])
    limits = [one.limit for one in report.query.bounds if one.figure == figure.name]
    low, high = min(amounts), max(amounts)
    # a limit far away would press all members into a corner
    near = [one for one in limits if low / 2 <= one <= 2 * high]
    low, high = min(low, *near, high), max(high, *near, low)
    is_log = low > 0 and high > _DECADE * low
    if is_log:
        low, high = low / 1.1, high * 1.1
    else:
        room = (high - low or abs(high) or 1) / 20
        low, high = low - room, high + room
    ends = (_LEFT, _WIDTH - _RIGHT) if axis == 0 else (_HEIGHT - _BOTTOM, _TOP)
    return _Scale(low, high, *ends, is_log, figure.unit)


def _axes(report: SweepReport, x: _Scale, y: _Scale) -> Iterator[str]:
    """Yield grid lines, the text of each tick, and what each axis shows."""
    for tick in x.ticks():
        place = x.place(tick)
        yield f'<path class="grid" d="M{place} {y.start}V{y.end}"/>'
        yield _text(place, y.start + 18, short_text(tick, x.unit), "middle")
    for tick in y.ticks():
        place = y.place(tick)
        yield f'<path class="grid" d="M{x.start} {place}H{x.end}"/>'
        yield _text(x.start - 8, place + 4, short_text(tick, y.unit), "end")
    names = [axis_text(report, figure_named(name)) for name in report.query.plotted]
    yield _text((x.start + x.end) / 2, _HEIGHT - 8, names[0], "middle")
    middle = (y.start + y.end) / 2
    yield (
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">'
        f"{shown_text(names[1])}</text>"
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{shown_text(text)}</text>'


def _limits(report: SweepReport, x: _Scale, y: _Scale) -> Iterator[str]:
    """Yield the line of each limit, and its text on the side of the members that fail it."""
    names = report.query.plotted
    for bound in report.query.bounds:
        text = bound_text(bound)
        if bound.figure == names[0] and x.shows(bound.limit):
            place = x.place(bound.limit)
            yield f'<path class="limit" d="M{place} {y.start}V{y.end}"/>'
            fits_right = place + _SIGN * len(text) <= _WIDTH
            fits_left = place - _SIGN * len(text) >= 0
            is_right = fits_right and not (bound.is_minimum and fits_left)
            yield _text(place, y.end - 4, text, "start" if is_right else "end")
        elif bound.figure == names[1] and y.shows(bound.limit):
            place = y.place(bound.limit)
            yield f'<path class="limit" d="M{x.start} {place}H{x.end}"/>'
            is_above = place - _LINE >= y.end and not bound.is_minimum
            yield _text(x.end, place - 4 if is_above else place + _LINE - 3, text, "end")


def _dots(name: str, x: _Scale, y: _Scale, amounts: Sequence[Sequence[float]]) -> Iterator[str]:
    """Yield one path with a dot for each member: its round ends alone are seen."""
    places = zip(map(x.place, amounts[0]), map(y.place, amounts[1]), strict=True)
    dots = "".join(f"M{across:g} {down:g}h0" for across, down in dict.fromkeys(places))
    if dots:
        yield f'<path class="dots {name}" d="{dots}"/>'


def _readable(
    report: SweepReport, x: _Scale, y: _Scale, amounts: Sequence[Sequence[float]]
) -> Iterator[str]:
    """Yield the members of the front, each with its text. The Tab key reaches the first."""
    names = figure_columns(front_figures(report))
    places = list(zip(map(x.place, amounts[0]), map(y.place, amounts[1]), strict=True))[:READABLE]
    here = Counter(places)
    for number, (member, place) in enumerate(zip(report.front, places, strict=False)):
        more = f"; {here[place] - 1} more members are here" if here[place] > 1 else ""
        text = shown_text(f"{member_text(member, names)}{more}")
        across, down = place
        yield (
            f'<g class="point" role="img" tabindex="{0 if number == 0 else -1}" '
            f'aria-label="{text}"><title>{text}</title>'
            f'<circle cx="{across:g}" cy="{down:g}" r="5"/></g>'
        )


def member_text(member: Winner, names: Iterable[str]) -> str:
    """Return a member and its figures on a line."""
    figures = (
        f"{name} {amount_text(member.figures[name], figure_named(name).unit)}" for name in names
    )
    return f"{member.target}: {', '.join(figures)}"


def _legend(report: SweepReport, groups: Sequence[Members]) -> Iterator[str]:
    """Yield a dot and a text for each group that has members, from left to right."""
    names = ("others", "fits", "best", "front")
    texts = ("fail a limit", "fit", f"best by {report.order_text}", "Pareto front")
    left = _LEFT
    for name, text, members in zip(names, texts, groups, strict=True):
        if len(members):
            yield f'<path class="dots {name}" d="M{left} 14h0"/>'
            yield _text(left + 10, 18, text, "start")
            left += 30 + _SIGN * len(text)
