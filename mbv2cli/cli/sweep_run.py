"""Runs a search for `mbv2 sweep`: progress, files, Ctrl-C, verification."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeAlias

from mbv2cli.cli.imports import start_torch
from mbv2cli.cli.output import replaced
from mbv2cli.cli.progress import counted_progress, progress, rated_progress
from mbv2cli.report.sweep.members import member_writer, refuse_other_suffixes
from mbv2cli.report.sweep.plot import draw, refuse_undrawable
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
        self._every = every
        if members:
            refuse_other_suffixes(members)
        if picture:
            refuse_undrawable(picture)

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


def _run(question: Question, run_tasks: Runner, files: Files) -> SweepReport:
    with ExitStack() as stack:
        hand_on: Callable[[Kept], None] = _nowhere
        if files.members:
            stream = stack.enter_context(replaced(files.members))
            writer = member_writer(files.members, question, stream)
            stack.callback(writer.close)
            hand_on = writer.write
        picture = stack.enter_context(replaced(files.picture)) if files.picture else None
        with rated_progress(question.draw.count, "Searching") as watch:
            searched = search(question, run_tasks(question), hand_on, watch)
        report = _report(question, searched)
        if not report.complete:
            raise _InterruptedError(report)
        if files.picture and picture:
            picture.write(draw(report, files.picture.suffix))
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
