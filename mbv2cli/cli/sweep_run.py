"""Runs a search for `mbv2 sweep`: progress, files, Ctrl-C, verification."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeAlias, assert_never

from mbv2cli.cli.imports import start_torch
from mbv2cli.cli.output import replaced
from mbv2cli.cli.progress import counted_progress, progress, rated_progress
from mbv2cli.report.formats import PlainFormat
from mbv2cli.report.sweep.member_files import member_format
from mbv2cli.report.sweep.member_rows import MemberRows
from mbv2cli.report.sweep.plot import draw, plot_format, refuse_without_matplotlib
from mbv2cli.report.sweep.report import SweepReport
from mbv2cli.search.found import Found, Kept, front_in_order
from mbv2cli.search.options import MAX_LISTED
from mbv2cli.search.processes import in_processes
from mbv2cli.search.quantiles import quantiles
from mbv2cli.search.question import CLOUD, Keep, Question
from mbv2cli.search.runners import in_this_process
from mbv2cli.search.sample import of_lowest_hashes
from mbv2cli.search.search import Searched, search
from mbv2cli.search.winners import Winner, verify, winners

Runner: TypeAlias = Callable[[Question], Generator[Found]]


class Files:
    """Where members and the picture go. Raises `UserError` for an end of a name we do not know."""

    def __init__(self, members: Path | None, picture: Path | None, *, every: bool) -> None:
        self.members = members
        self.picture = picture
        self.member_format = member_format(members) if members else None
        self.plot_format = plot_format(picture) if picture else None
        self._every = every
        if picture:
            refuse_without_matplotlib()

    @property
    def keep(self) -> Keep:
        """Which members are to be handed on."""
        if self.members is None:
            return Keep.NONE
        return Keep.BUILDABLE if self._every else Keep.FEASIBLE


class _InterruptedError(Exception):
    """Ctrl-C, with what had been found by then."""

    def __init__(self, report: SweepReport) -> None:
        super().__init__()
        self.report = report


def runner(jobs: int, scheduler: str | None) -> Runner:
    """Return what runs the tasks: this process, several, or a cluster."""
    if scheduler is not None:
        from mbv2cli.search.cluster import on_cluster

        return partial(on_cluster, address=scheduler)
    return in_this_process if jobs == 1 else partial(in_processes, jobs=jobs)


def run(question: Question, run_tasks: Runner, files: Files) -> SweepReport:
    """Search, name the winners, verify them, and write the files: all of that or no file."""
    try:
        return _run(question, run_tasks, files)
    except _InterruptedError as interrupted:
        for path in (files.members, files.picture):
            if path:
                print(f"mbv2: interrupted, {path} is not written", file=sys.stderr)  # noqa: T201
        return interrupted.report


def render(report: SweepReport, face: PlainFormat) -> str:
    """Return the report in a format."""
    match face:
        case PlainFormat.TABLE:
            from mbv2cli.report.sweep import as_text

            return as_text.render(report)
        case PlainFormat.JSON:
            from mbv2cli.report.sweep import as_json

            return as_json.render(report)
        case _:
            assert_never(face)


def _run(question: Question, run_tasks: Runner, files: Files) -> SweepReport:
    with ExitStack() as stack:
        hand_on: Callable[[Kept], None] = _nowhere
        if files.members and files.member_format:
            stream = stack.enter_context(replaced(files.members))
            writer = files.member_format.writer(MemberRows(question), stream)
            stack.callback(writer.close)
            hand_on = writer.write
        picture = stack.enter_context(replaced(files.picture)) if files.picture else None
        with rated_progress(question.draw.count, "Searching") as watch:
            searched = search(question, run_tasks(question), hand_on, watch)
        report = _report(question, searched)
        if not report.complete:
            raise _InterruptedError(report)
        if picture and files.plot_format:
            picture.write(draw(report, files.plot_format))
        return report


def _nowhere(_kept: Kept) -> None:
    """Let members go that nobody asked to keep."""


def _report(question: Question, searched: Searched) -> SweepReport:
    found = searched.found
    top = winners(question, found.best)
    in_order = front_in_order(question, found.front)
    front = winners(question, in_order.first(MAX_LISTED))
    verified = 0
    if question.verified and searched.complete:
        random = winners(question, of_lowest_hashes(found.sampled, question.verified))
        verified = _verified([*top, *front, *random])
    return SweepReport(
        question=question,
        found=found,
        complete=searched.complete,
        top=tuple(top),
        front=tuple(front),
        cloud=of_lowest_hashes(found.sampled, CLOUD),
        quantiles=quantiles(question, found.sampled) if question.cdf else (),
        verified=verified,
    )


def _verified(members: list[Winner]) -> int:
    """Build each member once and run it; return how many there are."""
    different = list({member.target: member for member in members}.values())
    with progress("Loading torch"):
        start_torch()
    verify(counted_progress(different, "Verifying"))
    return len(different)
