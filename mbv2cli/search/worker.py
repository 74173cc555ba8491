"""What a process of `mbv2 sweep --jobs` runs. It ends with the process that started it."""

from __future__ import annotations

import os
from multiprocessing.connection import Connection
from pickle import loads
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mbv2cli.search.query import Query


def work() -> None:
    """Answer the tasks that come through standard input, a socket, until it ends.

    The first message is a query, each later one the number of a task.
    """
    connection = Connection(0)
    messages: SimpleQueue[bytes] = SimpleQueue()
    # before numpy is imported: the process that started this one may end at any moment
    Thread(target=_read, args=(connection, messages), daemon=True).start()
    from mbv2cli.search.run import search_task

    query: Query = loads(messages.get())  # noqa: S301  (from the process that started this one)
    while True:
        task: int = loads(messages.get())  # noqa: S301
        try:
            answer: object = search_task(query, task)
        except Exception as error:  # noqa: BLE001  (raised again by the process that waits)
            answer = error
        connection.send((task, answer))


def _read(connection: Connection, messages: SimpleQueue[bytes]) -> None:
    """Pass messages on. End this process, whatever it does, when the other end is closed."""
    try:
        while True:
            messages.put(connection.recv_bytes())
    finally:
        os._exit(0)
