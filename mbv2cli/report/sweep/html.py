"""A search as a page for a browser: the front to read off, and sliders over a small grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, Final

from mbv2cli.report.html.skeleton import (
    FRAME,
    MOST_BYTES,
    HtmlPage,
    Section,
    page_text,
    paragraphs,
    shown_text,
)
from mbv2cli.report.html.table import (
    Cell,
    Heading,
    Row,
    Table,
    first_rows,
    plain_table,
    sortable_table,
)
from mbv2cli.report.page import Line
from mbv2cli.report.sweep.report import SweepReport
from mbv2cli.report.sweep.scatter import READABLE, scatter
from mbv2cli.report.sweep.text import (
    condition_line,
    counts,
    figure_columns,
    front_figures,
    front_heading,
    listed_front,
    misses,
    space_line,
    top_figures,
    top_heading,
    unlisted,
    verified_line,
)
from mbv2cli.search.figures import figure_named
from mbv2cli.search.grid import MAX_GRID, Grid
from mbv2cli.search.query import REPORTED
from mbv2cli.search.space import Axis
from mbv2cli.search.winners import Winner
from mbv2cli.shown import escaped, shown
from mbv2cli.specs.fields import written
from mbv2cli.specs.units import amount_texts, count_text

_FITS: Final = "fits"
_NOT_BUILT: Final = "cannot be built"


def as_html(report: SweepReport, command: str) -> str:
    """Return the counts, the picture, the members and the sliders. ``command`` makes the page."""
    verified = [verified_line(report)] if report.verified else []
    page = HtmlPage(
        f"Sweep of {report.query.space.base}",
        (space_line(report), *counts(report), *verified),
        (*_before(report), *_after(report)),
        _grid_data(report, report.grid) if report.grid else None,
    )
    room = MOST_BYTES - len(page_text(page, command)) - FRAME
    sections = (*_before(report), *_best(report, room), *_after(report))
    return page_text(page._replace(sections=sections), command)


def _before(report: SweepReport) -> Iterator[Section]:
    if report.misses:
        heading, *reasons = misses(report)
        yield Section(heading.text, paragraphs(reasons))
    picture = scatter(report)
    if picture:
        yield Section("Picture", picture + _read_out(report))
    if report.query.front:
        front = listed_front(report)
        table = sortable_table(_members(front_heading(report), front, front_figures(report)))
        yield Section("Pareto front", f"{table}\n{paragraphs(unlisted(report))}")


def _best(report: SweepReport, room: int) -> Iterator[Section]:
    """Yield the members in order, as many as take at most ``room`` bytes."""
    if report.top:
        table = _members(top_heading(report), report.top, top_figures(report))
        yield Section("Members", first_rows(table, room))


def _after(report: SweepReport) -> Iterator[Section]:
    if report.quantiles:
        yield Section("Distribution", plain_table(_distribution(report)))
    yield Section("Sliders", _sliders(report))


def _read_out(report: SweepReport) -> str:
    """Return where the script writes the member of the front that is pointed at."""
    if not report.front:
        return ""
    most = (
        f" The first {READABLE} members of it have a text." if report.front_size > READABLE else ""
    )
    text = (
        "Point at a member of the front to read it, or press Tab to reach the front and the arrow "
        f"keys to move along it.{most}"
    )
    return f'\n<p id="read-out" role="status">{shown_text(text)}</p>'


def _members(caption: str, members: Sequence[Winner], figures: Sequence[str]) -> Table:
    names = figure_columns(figures)
    amounts = [[one.figures[name] for one in members] for name in names]
    cells = [
        map(Cell, amount_texts(column, figure_named(name).unit), column)
        for name, column in zip(names, amounts, strict=True)
    ]
    targets = [Cell(one.target) for one in members]
    return Table(
        caption,
        [Heading("target", is_code=True), *(Heading(name, is_number=True) for name in names)],
        [Row(row) for row in zip(targets, *cells, strict=True)],
    )


def _distribution(report: SweepReport) -> Table:
    of = f"{report.sample_of_quantiles:,} of {report.result.feasible:,} feasible members"
    columns = [
        amount_texts([one.figures[name] for one in report.quantiles], figure_named(name).unit)
        for name in REPORTED
    ]
    percents = [f"{one.percent} %" for one in report.quantiles]
    return Table(
        f"Distribution of {of}, each figure by itself",
        [Heading("percent"), *(Heading(name, is_number=True) for name in REPORTED)],
        [Row(list(map(Cell, row))) for row in zip(percents, *columns, strict=True)],
    )


def _sliders(report: SweepReport) -> str:
    """Return a slider for each axis and a table for the member, or why there are none."""
    query = report.query
    if report.grid is None:
        return paragraphs([Line(_no_grid(report))])
    if not query.space.varied:
        return paragraphs([Line("There are no sliders: no field has several values.")])
    sliders = "\n".join(
        f'<div class="slider"><label for="axis-{number}">{shown_text(axis.name)}</label>'
        f'<input type="range" id="axis-{number}" min="0" max="{len(axis.values) - 1}" step="1" '
        f'value="0"><output for="axis-{number}"></output></div>'
        for number, axis in enumerate(query.space.varied)
    )
    rows = "".join(
        f'<tr><th scope="row">{name}</th><td class="n" data-figure="{number}"></td></tr>'
        for number, name in enumerate(query.reported)
    )
    return (
        "<noscript><p>The sliders need JavaScript. The tables above do not.</p></noscript>\n"
        f'<div id="sliders" hidden>\n{sliders}\n'
        '<p id="member" role="status" aria-live="polite"></p>\n'
        f'<table class="plain"><caption>Figures of this member, from the sweep</caption>\n'
        f"<tbody>{rows}</tbody></table>\n</div>"
    )


def _no_grid(report: SweepReport) -> str:
    query = report.query
    if query.draw.seed is not None:
        return "There are no sliders: a sample was searched, and sliders show every member."
    if not report.complete:
        return "There are no sliders: the search was interrupted."
    return (
        f"There are no sliders: the space has {count_text(query.space.size)} members, and sliders "
        f"show at most {MAX_GRID:,}."
    )


def _grid_data(report: SweepReport, grid: Grid) -> dict[str, Any]:
    """Return what the sliders show: texts alone, so that the script works out nothing.

    Members are in the order of the space: the last axis varies fastest. ``fields`` has the parts
    of a target, ``idles`` the numbers of those that some members leave out, and ``idle`` the
    number of these of each member. ``states`` has the sentences about members, and ``state`` the
    number of the sentence of each member.
    """
    space = report.query.space
    choices = (range(len(axis.values)) for axis in space.varied)
    idle = [space.idle_axes(digits) for digits in product(*choices)]
    idles = list(dict.fromkeys(idle))
    states = [_state(report, grid, member) for member in range(len(grid.exist))]
    different = list(dict.fromkeys(states))
    numbers = {state: number for number, state in enumerate(different)}
    return {
        "base": escaped(space.base),
        "fields": [list(map(escaped, texts)) for texts in space.fields],
        "idles": idles,
        "idle": [idles.index(one) for one in idle],
        "axes": [_value_texts(axis) for axis in space.varied],
        "start": next(iter(report.result.best), [0] * len(space.varied)),
        "states": different,
        "state": [numbers[state] for state in states],
        "exist": list(map(int, grid.exist)),
        "figures": [_figure_texts(grid, name) for name in report.query.reported],
    }


def _figure_texts(grid: Grid, name: str) -> list[str]:
    """Return a figure of each member; "" where the member cannot be built."""
    known = zip(grid.exist, grid.figures[name], strict=True)
    amounts = iter(amount_texts([one for exists, one in known if exists], figure_named(name).unit))
    return [next(amounts) if exists else "" for exists in grid.exist]


def _value_texts(axis: Axis) -> list[str]:
    return [shown(written(value)) for value in axis.values]


def _state(report: SweepReport, grid: Grid, member: int) -> str:
    if not grid.exist[member]:
        return _NOT_BUILT
    query = report.query
    failed = [
        condition_line(condition, query.counting)
        for condition, met in zip(query.conditions, grid.met, strict=True)
        if not met[member]
    ]
    return f"fails {', '.join(map(shown, failed))}" if failed else _FITS
