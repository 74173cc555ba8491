"""Runs the tasks of a search in several processes of this machine.

Each process has its own pipe. If a process is killed while it writes an answer, the answers of
the others stay whole. The pool of the standard library has one pipe for all.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from socket import socket, socketpair
from subprocess import DEVNULL, Popen
from typing import Final

from mbv2cli.errors import UserError
from mbv2cli.search.interrupts import interrupts_held, raise_interrupt
from mbv2cli.search.partial import PartialResult
from mbv2cli.search.query import Query
from mbv2cli.search.run import (
    AHEAD,
    POLL,
    count_tasks,
)

DEATHS: Final = 3
"""Processes that may die in a row before one of them answers."""


def in_processes(query: Query, jobs: int) -> Generator[PartialResult]:
    """Yield the result of each task, in order, computed by ``jobs`` processes.

    If a process dies, a new one gets its task. Raises `UserError` if too many die.
    """
    tasks = count_tasks(query)
    with interrupts_held():
        workers = _Workers()
        try:
            workers.start(query, min(jobs, tasks))
            for number in range(tasks):
                workers.work_until(number, tasks)
                yield workers.answers.pop(number)
        finally:
            workers.stop()


class _Workers:
    """Processes, the tasks to give out, and the answers that came."""

    def __init__(self) -> None:
        self.answers: dict[int, PartialResult] = {}
        self._workers: list[_Worker] = []
        self._next = 0
        self._undone: deque[int] = deque()
        self._deaths = 0

    def start(self, query: Query, size: int) -> None:
        """Start the processes. Raises `UserError` if the system refuses one of them."""
        for _ in range(size):
            raise_interrupt()
            self._workers.append(_Worker(query))

    def work_until(self, task: int, tasks: int) -> None:
        """Give out tasks, of ``tasks`` in all, and take answers until that of ``task`` came."""
        while task not in self.answers:
            self._give(before=min(tasks, task + AHEAD * len(self._workers)))
            busy = [worker for worker in self._workers if worker.task is not None]
            ready = wait([worker.connection for worker in busy], POLL)
            raise_interrupt()
            for worker in busy:
                if worker.connection in ready:
                    self._take(worker)

    def stop(self) -> None:
        """Kill the processes."""
        for worker in self._workers:
            worker.stop()

    def _give(self, before: int) -> None:
        for worker in self._workers:
            if worker.task is None and (self._undone or self._next < before):
                if not self._undone:
                    self._undone.append(self._next)
                    self._next += 1
                worker.give(self._undone.popleft())

    def _take(self, worker: _Worker) -> None:
        try:
            task, answer = worker.answer()
        except (EOFError, OSError):  # before an answer, or within one
            self._deaths += 1
            if self._deaths > DEATHS:
                raise UserError(
                    "worker processes of the sweep keep dying, perhaps for lack of memory, of "
                    "processes or of open files that are allowed; use fewer --jobs"
                ) from None
            self._undone += worker.restart()
            return
        self._deaths = 0
        if isinstance(answer, Exception):
            raise answer
        self.answers[task] = answer


class _Worker:
    """A process, and the task that it works on."""

    connection: Connection
    task: int | None

    def __init__(self, query: Query) -> None:
        self._query = query
        self._start()

    def give(self, task: int) -> None:
        """Send a task to the process. If the process is dead, `answer` raises."""
        self.task = task
        with suppress(OSError):
            self.connection.send(task)

    def answer(self) -> tuple[int, PartialResult | Exception]:
        """Wait for an answer: a task and its result, or the exception that it raised.

        Raises `EOFError` or `OSError` if the process has died.
        """
        answer: tuple[int, PartialResult | Exception] = self.connection.recv()
        self.task = None
        return answer

    def restart(self) -> list[int]:
        """Start another process in place of this one; return the task that is not done."""
        undone = [self.task] if self.task is not None else []
        self.stop()
        self._start()
        return undone

    def stop(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        self.connection.close()

    def _start(self) -> None:
        self.task = None
        with _start_errors():
            ours, theirs = socketpair()
            self.connection = Connection(ours.detach())
            with theirs, _interrupts_blocked():
                self._process = _worker_process(theirs)
        with suppress(OSError):  # if the process is dead, `answer` raises
            self.connection.send(self._query)


def _worker_process(connection: socket) -> Popen[bytes]:
    """Start a process that answers tasks.

    It is in a session of its own, so that a terminal sends it neither Ctrl-C nor the end of the
    session, and it says nothing: the process that started it tells what went wrong. It loads
    modules from the same places, whatever the folder that it runs in.
    """
    code = f"import sys; sys.path[:] = {sys.path!r}; from mbv2cli.search.worker import work; work()"
    return Popen(  # noqa: S603  (our own code)
        [sys.executable, "-c", code],
        stdin=connection.fileno(),
        stdout=DEVNULL,
        stderr=DEVNULL,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # numpy would start threads for nothing
        start_new_session=True,
    )


@contextmanager
def _start_errors() -> Iterator[None]:
    """Turn what the system refuses when a process starts into `UserError`."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"a process for --jobs cannot start: {error.strerror}; use fewer --jobs, or allow more "
            "processes (ulimit -u) and open files (ulimit -n)"
        ) from None


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block Ctrl-C in the processes that start here: whoever sends it means this process.

    This process gets it after the block.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
