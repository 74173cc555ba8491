"""Runs the tasks of a search on a running Dask cluster."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from mbv2cli.errors import UserError
from mbv2cli.search.partial import PartialResult
from mbv2cli.search.query import Query
from mbv2cli.search.run import (
    AHEAD,
    POLL,
    count_tasks,
    interrupts_held,
    raise_interrupt,
    search_task,
)
from mbv2cli.version import __version__

TIMEOUT: Final = 10
"""Seconds for the scheduler to answer, and again for the first worker to connect to it."""

_EXAMPLE: Final = "tcp://127.0.0.1:8786"
_ADDRESS: Final = re.compile(r"(tcp://)?([\w.-]+|\[[\da-fA-F:.]+\]):\d{1,5}")


def on_cluster(query: Query, address: str) -> Generator[PartialResult]:
    """Yield the result of each task, in order, computed by the workers of a Dask scheduler.

    If a worker dies, Dask gives its tasks to others. At the end, also after an exception, tasks
    whose results are not needed are cancelled. Raises `UserError` if the cluster cannot be used,
    and `ImportError` without Dask.
    """
    if not _ADDRESS.fullmatch(address):  # Dask would take long to refuse it
        raise UserError(f"--scheduler must be an address such as {_EXAMPLE}, not '{address}'")
    import distributed  # noqa: F401  (here an error is one of the package, not of the cluster)

    with _user_errors(address), _client(address) as client:
        client.submit(_refuse_other_version, __version__, pure=False).result()
        with interrupts_held():
            yield from _results(client, query)


def _results(client: Any, query: Query) -> Generator[PartialResult]:
    waiting: deque[Any] = deque()
    numbers = iter(range(count_tasks(query)))
    try:
        while True:
            ahead = AHEAD * max(1, sum(client.nthreads().values()))
            while len(waiting) < ahead and (number := next(numbers, None)) is not None:
                # each task carries the query: data that is scattered to a worker dies with it
                waiting.append(client.submit(search_task, query, number, pure=False))
            if not waiting:
                return
            _wait_for(waiting[0])
            yield waiting[0].result()
            waiting.popleft()
    finally:
        client.cancel(list(waiting))


def _wait_for(future: Any) -> None:
    """Wait until a task has ended in any way. Raises `KeyboardInterrupt`."""
    while True:
        raise_interrupt()
        with suppress(TimeoutError):
            future.exception(timeout=POLL)
            return


@contextmanager
def _client(address: str) -> Iterator[Any]:
    """Connect to the scheduler, silently, and wait until it has a worker."""
    from distributed import Client

    logging.disable()  # Dask logs each worker that dies, though it repeats the worker's tasks
    client = Client(address, timeout=TIMEOUT, set_as_default=False)
    try:
        client.wait_for_workers(1, timeout=TIMEOUT)
        yield client
    finally:
        client.close()


@contextmanager
def _user_errors(address: str) -> Iterator[None]:
    """Turn exceptions of Dask into `UserError`."""
    from concurrent.futures import CancelledError

    try:
        yield
    except ImportError as error:
        raise UserError(
            f"the workers of {address} cannot run mbv2 ({error}); install mbv2 {__version__} there"
        ) from None
    except (OSError, ValueError, CancelledError) as error:  # TimeoutError is an OSError
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
    """Raise `UserError` on a worker with another mbv2: its figures may be different."""
    if version != __version__:
        raise UserError(
            f"the workers have mbv2 {__version__}, this machine has {version}; install the same "
            "version on both"
        )
