"""Runs a search for `mbv2 sweep`: progress, files, Ctrl-C, verification."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeAlias

from mbv2cli.cli.files import outputs
from mbv2cli.cli.imports import start_matplotlib, start_torch
from mbv2cli.cli.progress import counted_progress, progress, rated_progress
from mbv2cli.cli.streams import warn
from mbv2cli.report.formats import Renderer
from mbv2cli.report.sweep.members import member_writer, refuse_other_suffixes
from mbv2cli.report.sweep.plot import draw
from mbv2cli.report.sweep.report import SweepReport
from mbv2cli.search.grid import grid_of
from mbv2cli.search.members import sample_of
from mbv2cli.search.misses import misses
from mbv2cli.search.partial import Kept, PartialResult, front_in_order, quantiles
from mbv2cli.search.processes import in_processes
from mbv2cli.search.query import CLOUD, MAX_LISTED, Keep, Query
from mbv2cli.search.run import SearchResult, in_this_process, search
from mbv2cli.search.winners import Winner, verify, winners

Runner: TypeAlias = Callable[[Query], Generator[PartialResult]]


class Files:
    """The files for members, for a picture and for a page in a format.

    Raises `UserError` for an unknown suffix.
    """

    def __init__(
        self, members: Path | None, picture: Path | None, page: Path | None, *, every: bool
    ) -> None:
        self.members = members
        self.picture = picture
        self.page = page
        self._every = every
        if members:
            refuse_other_suffixes(members)
        if picture:
            start_matplotlib(picture, "--plot")

    @property
    def keep(self) -> Keep:
        """Which members the search emits."""
        if self.members is None:
            return Keep.NONE
        return Keep.BUILDABLE if self._every else Keep.FEASIBLE


class _InterruptedError(Exception):
    """Ctrl-C, with a report of the results so far."""

    def __init__(self, report: SweepReport) -> None:
        super().__init__()
        self.report = report


def runner(jobs: int, scheduler: str | None) -> Runner:
    """Return the function that runs the tasks: here, in several processes or on a cluster."""
    if scheduler is not None:
        from mbv2cli.search.cluster import on_cluster

        return partial(on_cluster, address=scheduler)
    return in_this_process if jobs == 1 else partial(in_processes, jobs=jobs)


def run(query: Query, run_tasks: Runner, files: Files, render: Renderer) -> SweepReport:
    """Search, verify members and write the files. After an error or Ctrl-C, write no file.

    ``render`` makes the text of the page.
    """
    try:
        return _run(query, run_tasks, files, render)
    except _InterruptedError as interrupted:
        for path in (files.members, files.picture, files.page):
            if path:
                warn(f"interrupted, {path} is not written")
        return interrupted.report


def _run(query: Query, run_tasks: Runner, files: Files, render: Renderer) -> SweepReport:
    with ExitStack() as stack:
        opened = stack.enter_context(outputs())
        emit: Callable[[Kept], None] = _drop
        if files.members:
            writer = member_writer(files.members, query, opened(files.members))
            stack.callback(writer.close)
            emit = writer.write
        picture = opened(files.picture) if files.picture else None
        page = opened(files.page) if files.page else None
        with rated_progress(query.draw.count, "Searching") as on_progress:
            searched = search(query, run_tasks(query), emit, on_progress)
        report = _report(query, searched)
        if not report.complete:
            raise _InterruptedError(report)
        if files.picture and picture:
            picture.write(draw(report, files.picture.suffix))
        if page:
            page.write(str(render(report)).encode())
        return report


def _drop(_kept: Kept) -> None:
    """Write no members."""


def _report(query: Query, searched: SearchResult) -> SweepReport:
    result = searched.result
    top = winners(query, result.best)
    in_order = front_in_order(query, result.front)
    front = winners(query, in_order.first(MAX_LISTED))
    verified = 0
    if query.verified and searched.complete:
        random = winners(query, sample_of(result.sampled, query.verified))
        verified = _verified([*top, *front, *random])
    return SweepReport(
        query=query,
        result=result,
        complete=searched.complete,
        top=tuple(top),
        front=tuple(front),
        cloud=sample_of(result.sampled, CLOUD),
        quantiles=quantiles(query, result.sampled) if query.cdf else (),
        verified=verified,
        misses=misses(query, result) if searched.complete else None,
        grid=grid_of(query) if query.grid and searched.complete else None,
    )


def _verified(members: list[Winner]) -> int:
    """Build each member once and run its forward pass; return the number of members."""
    different = list({member.target: member for member in members}.values())
    with progress("Loading torch"):
        start_torch()
    verify(counted_progress(different, "Verifying"))
    return len(different)
