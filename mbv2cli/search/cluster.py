"""Runs the tasks of a search on a running Dask cluster."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from socket import create_connection
from threading import Thread
from typing import Any, Final

from mbv2cli.errors import UserError
from mbv2cli.search.interrupts import interrupts_held, raise_interrupt
from mbv2cli.search.partial import PartialResult
from mbv2cli.search.query import Query
from mbv2cli.search.run import (
    AHEAD,
    POLL,
    count_tasks,
    search_task,
)
from mbv2cli.version import __version__

TIMEOUT: Final = 5
"""Seconds for the scheduler to answer, and again for the first worker to connect to it."""

MAX_PORT: Final = 65_535

_LONGEST_GREETING: Final = 2**16
"""Bytes. The greeting of Dask has a few hundred."""

_EXAMPLE: Final = "tcp://127.0.0.1:8786"
_HOST: Final = r"(?:[\w-]{1,63}\.)*[\w-]{1,63}\.?|\[[\da-fA-F:.]+\]"
_ADDRESS: Final = re.compile(rf"(?:tcp://)?({_HOST}):(\d{{1,5}})")


def on_cluster(query: Query, address: str) -> Generator[PartialResult]:
    """Yield the result of each task, in order, computed by the workers of a Dask scheduler.

    If a worker dies, Dask gives its tasks to others. At the end, also after an exception, tasks
    whose results are not needed are cancelled. Raises `UserError` if the cluster cannot be used,
    and `ImportError` without Dask.
    """
    found = _ADDRESS.fullmatch(address)
    if not found or int(found[2]) > MAX_PORT:  # Dask would take long to refuse it
        raise UserError(f"--scheduler must be an address such as {_EXAMPLE}, not '{address}'")
    import distributed  # noqa: F401  (here an error is one of the package, not of the cluster)

    with _user_errors(address):
        _refuse_unreachable(found[1].strip("[]"), int(found[2]))
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


def _refuse_unreachable(host: str, port: int) -> None:
    """Raise an exception if no Dask scheduler answers there in time.

    Dask would wait for ever for a server that says nothing, and reads what other servers say. The
    thread is left alone if it looks for the host for too long: nothing ends that.
    """
    answers: SimpleQueue[Exception | None] = SimpleQueue()

    def connect() -> None:
        try:
            _read_greeting(host, port)
            answers.put(None)
        except Exception as error:  # noqa: BLE001  (raised again by the thread that waits)
            answers.put(error)

    Thread(target=connect, daemon=True).start()
    try:
        error = answers.get(timeout=TIMEOUT)
    except Empty:
        raise TimeoutError(f"it does not answer within {TIMEOUT} seconds") from None
    if error:
        raise error


def _read_greeting(host: str, port: int) -> None:
    """Raise `ValueError` if a server does not greet as Dask does: with a length and a message."""
    with create_connection((host, port), TIMEOUT) as connection:
        greeting = connection.makefile("rb").read(8)
    if not 0 < int.from_bytes(greeting, "little") < _LONGEST_GREETING:
        raise ValueError("it does not answer as a scheduler does")


@contextmanager
def _client(address: str) -> Iterator[Any]:
    """Connect to the scheduler, silently, and wait until it has a worker."""
    from distributed import Client

    logging.disable()  # Dask logs each worker that dies, though it repeats the worker's tasks
    try:
        client = Client(address, timeout=TIMEOUT, set_as_default=False)
    except Exception as error:  # noqa: BLE001  (of any type, such as for a wrong setting of Dask)
        raise ValueError(_reason(error)) from None
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
            f"a task of the sweep killed several workers of {address}, perhaps for lack of memory; "
            "give the workers more memory"
        ) from None


def _reason(error: BaseException) -> str:
    told = error.strerror if isinstance(error, OSError) else None
    return " ".join((told or str(error)).split()).rstrip(".") or type(error).__name__


def _refuse_other_version(version: str) -> None:
    """Raise `UserError` on a worker with another mbv2: its figures may be different."""
    if version != __version__:
        raise UserError(
            f"the workers have mbv2 {__version__}, this machine has {version}; install the same "
            "version on both"
        )
