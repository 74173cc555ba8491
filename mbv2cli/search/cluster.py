"""Runs the tasks of a search on a Dask cluster that is already there."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from mbv2cli.errors import UserError
from mbv2cli.search.found import Found
from mbv2cli.search.interrupts import POLL, interrupts_held, raise_interrupt
from mbv2cli.search.question import Question
from mbv2cli.search.runners import AHEAD
from mbv2cli.search.task import count_tasks, search_task
from mbv2cli.version import __version__

PATIENCE: Final = 10
"""Seconds that a scheduler may take to answer, and to have a worker."""


_EXAMPLE: Final = "tcp://127.0.0.1:8786"
_ADDRESS: Final = re.compile(r"(tcp://)?([\w.-]+|\[[\da-fA-F:.]+\]):\d{1,5}")


def on_cluster(question: Question, address: str) -> Generator[Found]:
    """Yield what each task finds, in order, worked out by the workers of a Dask scheduler.

    Dask gives the tasks of a worker that dies to others. What is not needed any more when this
    ends, however it ends, is cancelled. Raises `UserError` where the cluster cannot be used.
    """
    _refuse_no_address(address)
    with _mistakes_told(address), _client(address) as client:
        client.submit(_refuse_other_version, __version__, pure=False).result()
        with interrupts_held():
            yield from _results(client, question)


def _results(client: Any, question: Question) -> Generator[Found]:
    waiting: deque[Any] = deque()
    numbers = iter(range(count_tasks(question)))
    try:
        while True:
            ahead = AHEAD * max(1, sum(client.nthreads().values()))
            while len(waiting) < ahead and (number := next(numbers, None)) is not None:
                # the question goes along: data that workers hold for others dies with them
                waiting.append(client.submit(search_task, question, number, pure=False))
            if not waiting:
                return
            _wait_for(waiting[0])
            yield waiting[0].result()
            waiting.popleft()
    finally:
        client.cancel(list(waiting))


def _wait_for(future: Any) -> None:
    """Wait until a task is done, however it ended. Raises `KeyboardInterrupt`."""
    while True:
        raise_interrupt()
        with suppress(TimeoutError):
            future.exception(timeout=POLL)
            return


def _refuse_no_address(address: str) -> None:
    """Raise `UserError` for what a client would take long to refuse."""
    if not _ADDRESS.fullmatch(address):
        raise UserError(f"--scheduler must be an address such as {_EXAMPLE}, not '{address}'")


@contextmanager
def _client(address: str) -> Iterator[Any]:
    """Connect to the scheduler, silently, and wait until it has a worker."""
    try:
        from distributed import Client
    except ImportError:
        raise UserError(
            "--scheduler needs Dask; install it with pip install 'mbv2[cluster]'"
        ) from None
    logging.disable()  # Dask tells of workers that die: it is mended, and no user's concern
    client = Client(address, timeout=PATIENCE, set_as_default=False)
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
        yield client
    finally:
        client.close()


@contextmanager
def _mistakes_told(address: str) -> Iterator[None]:
    """Turn what Dask raises into `UserError`."""
    from concurrent.futures import CancelledError

    try:
        yield
    except ImportError as error:
        raise UserError(
            f"the workers of {address} cannot run mbv2 ({error}); install mbv2 {__version__} there"
        ) from None
    except (OSError, ValueError, CancelledError) as error:  # a time-out is an OSError
        raise UserError(
            f"the Dask scheduler at {address} cannot be used: {_reason(error)}; give the address "
            f"that it prints when it starts, such as {_EXAMPLE}"
        ) from None
    except Exception as error:
        if type(error).__name__ != "KilledWorker":  # to catch it by type needs Dask
            raise
        raise UserError(
            f"a task of the sweep killed several workers of {address}, perhaps for lack of memory"
        ) from None


def _reason(error: BaseException) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _refuse_other_version(version: str) -> None:
    """Raise `UserError` on a worker that has another mbv2: it may count otherwise."""
    if version != __version__:
        raise UserError(
            f"the workers have mbv2 {__version__}, and this is {version}; install the same on both"
        )
