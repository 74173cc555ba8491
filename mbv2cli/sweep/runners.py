"""Where the tasks of a search run. Whatever runs them, their results come in order."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Final

from mbv2cli.errors import UserError
from mbv2cli.sweep.found import Found
from mbv2cli.sweep.question import Question
from mbv2cli.sweep.task import count_tasks, search_task

AHEAD: Final = 2
"""Tasks that each worker is given before their results are needed."""

_DEATHS: Final = 3
"""Times that workers may die, one after the other, over the same task."""


def in_this_process(question: Question) -> Generator[Found]:
    """Yield what each task finds, one after the other."""
    for number in range(count_tasks(question)):
        yield search_task(question, number)


def in_processes(question: Question, jobs: int) -> Generator[Found]:
    """Yield the same, worked out by so many processes of this machine.

    A task whose process dies is given to a new one. Raises `UserError` where that goes on.
    """
    pool = _Pool(jobs)
    waiting: deque[tuple[int, Future[Found]]] = deque()
    numbers = iter(range(count_tasks(question)))
    deaths = 0
    try:
        while True:
            while len(waiting) < jobs * AHEAD and (number := next(numbers, None)) is not None:
                waiting.append((number, pool.submit(question, number)))
            if not waiting:
                return
            try:
                found = waiting[0][1].result()
            except BrokenProcessPool:
                deaths += 1
                if deaths > _DEATHS:
                    raise UserError(
                        "processes of the sweep die, perhaps of too little memory; try fewer --jobs"
                    ) from None
                pool.replace()
                waiting = deque((number, pool.submit(question, number)) for number, _ in waiting)
                continue
            deaths = 0
            waiting.popleft()
            yield found
    finally:
        pool.stop()


class _Pool:
    """Processes that leave Ctrl-C to the one that waits for them."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._executor = self._new()

    def submit(self, question: Question, number: int) -> Future[Found]:
        """Give a task to the next free process."""
        return self._executor.submit(search_task, question, number)

    def replace(self) -> None:
        """Start anew with other processes."""
        self.stop()
        self._executor = self._new()

    def stop(self) -> None:
        """End the processes; what they have not begun is let go."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _new(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._jobs, mp_context=get_context("spawn"), initializer=_ignore_interrupts
        )


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
