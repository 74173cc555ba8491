"""Runs the tasks of a search in several processes of this machine.

Each has a pipe of its own: one that is killed while it answers leaves the answers of the others
whole, which the standard library's pool, with one pipe for all, cannot promise.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Final

from mbv2cli.errors import UserError
from mbv2cli.search.found import Found
from mbv2cli.search.interrupts import POLL, interrupts_held, raise_interrupt
from mbv2cli.search.question import Question
from mbv2cli.search.runners import AHEAD
from mbv2cli.search.task import count_tasks, search_task

DEATHS: Final = 3
"""Processes that may die, one after the other, before any of them answers."""


def in_processes(question: Question, jobs: int) -> Generator[Found]:
    """Yield what each task finds, in order, worked out by so many processes.

    The task of a process that dies is given to a new one. Raises `UserError` where that goes on.
    """
    tasks = count_tasks(question)
    with interrupts_held():
        crew = _Crew(question, min(jobs, tasks))
        try:
            for wanted in range(tasks):
                crew.work_until(wanted, tasks)
                yield crew.answers.pop(wanted)
        finally:
            crew.stop()


class _Crew:
    """Workers, the tasks that are to be given out, and the answers that came."""

    def __init__(self, question: Question, size: int) -> None:
        self.answers: dict[int, Found] = {}
        self._workers = [_Worker(question) for _ in range(size)]
        self._given = 0
        self._again: deque[int] = deque()
        self._deaths = 0

    def work_until(self, wanted: int, tasks: int) -> None:
        """Give out tasks and take answers until that of ``wanted`` is there."""
        while wanted not in self.answers:
            self._give(before=min(tasks, wanted + AHEAD * len(self._workers)))
            busy = [worker for worker in self._workers if worker.task is not None]
            ready = wait([worker.connection for worker in busy], POLL)
            raise_interrupt()
            for worker in busy:
                if worker.connection in ready:
                    self._take(worker)

    def stop(self) -> None:
        """End the workers, whatever they do."""
        for worker in self._workers:
            worker.stop()

    def _give(self, before: int) -> None:
        for worker in self._workers:
            if worker.task is None and (self._again or self._given < before):
                if not self._again:
                    self._again.append(self._given)
                    self._given += 1
                worker.give(self._again.popleft())

    def _take(self, worker: _Worker) -> None:
        try:
            task, answer = worker.answer()
        except (EOFError, OSError):  # at the end of an answer, or within
            self._deaths += 1
            if self._deaths > DEATHS:
                raise UserError(
                    "processes of the sweep die, perhaps for lack of memory; try fewer --jobs"
                ) from None
            self._again += worker.restart()
            return
        self._deaths = 0
        if isinstance(answer, Exception):
            raise answer
        self.answers[task] = answer


class _Worker:
    """A process, and the task that it works on."""

    connection: Connection
    task: int | None

    def __init__(self, question: Question) -> None:
        self._question = question
        self._start()

    def give(self, task: int) -> None:
        """Let the process work on a task; if it is dead, its answer will tell."""
        self.task = task
        with suppress(OSError):
            self.connection.send(task)

    def answer(self) -> tuple[int, Found | Exception]:
        """Wait for the answer: the task and what it found, or what went wrong.

        Raises `EOFError` or `OSError` where the process has died.
        """
        answer: tuple[int, Found | Exception] = self.connection.recv()
        self.task = None
        return answer

    def restart(self) -> list[int]:
        """Start another process in place of this one; return the task that is left undone."""
        undone = [self.task] if self.task is not None else []
        self.stop()
        self._start()
        return undone

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self.connection.close()

    def _start(self) -> None:
        context = get_context("spawn")
        self.task = None
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, self._question), daemon=True)
        with _interrupts_blocked():
            self._process.start()
        theirs.close()  # so that the pipe ends with the process


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start processes that never see Ctrl-C, which a terminal sends to all at once.

    This process gets it after the block.
    """
    resource_tracker.ensure_running()  # starts a process too, and ends all blocking
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def _work(connection: Connection, question: Question) -> None:
    """Answer tasks until there are no more."""
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        try:
            answer: Found | Exception = search_task(question, task)
        except Exception as error:  # noqa: BLE001  (raised again by the process that waits)
            answer = error
        connection.send((task, answer))
