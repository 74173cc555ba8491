from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_server
from threading import Thread

import pytest

from mbv2cli import UserError
from mbv2cli.costs.figures import Counting
from mbv2cli.search import cluster
from mbv2cli.search.cluster import on_cluster
from mbv2cli.search.query import Draw, Ordering, Query
from mbv2cli.search.space import read_space

QUERY = Query(read_space("block"), Draw(1), Counting(), (), None, Ordering("macs"), 1)


def reason(address: str) -> str:
    start = time.monotonic()
    with pytest.raises(UserError) as error:
        next(on_cluster(QUERY, address))
    assert time.monotonic() - start < 5
    return str(error.value)


@pytest.mark.parametrize(
    "address",
    [
        *("a..b:1", "tcp://a..b:1", ".a:1", "a.:b:1", ":1", "a", "a:", "a:x", "a:-1", "a:65536"),
        *("a:999999", "tcp://", "", " ", "a b:1", "http://a:1", "a:1/x", "[::1:1", "::1:1"),
        *(f"{'a' * 64}.b:1", "a\n:1", "a:1\n", "\x00:1"),
    ],
)
def test_what_is_no_address_is_refused_at_once(address: str) -> None:
    assert reason(address).startswith("--scheduler must be an address such as tcp://127.0.0.1:8786")


@contextmanager
def server(greeting: bytes | None) -> Iterator[str]:
    """Run a server that says this, and then nothing; None: it says nothing at all."""
    with create_server(("127.0.0.1", 0)) as listening:
        connections = []

        def answer() -> None:
            connection, _ = listening.accept()
            connections.append(connection)
            if greeting is not None:
                connection.sendall(greeting)

        Thread(target=answer, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        for connection in connections:
            connection.close()


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (None, "does not answer within 0.5 seconds"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "it does not answer as a scheduler does"),
        (b"220 mail.example.org ESMTP\r\n", "it does not answer as a scheduler does"),
        (b"\xff" * 64, "it does not answer as a scheduler does"),
        (b"\x00" * 64, "it does not answer as a scheduler does"),
    ],
)
def test_a_server_that_is_no_scheduler_is_refused(
    monkeypatch: pytest.MonkeyPatch, greeting: bytes | None, words: str
) -> None:
    monkeypatch.setattr(cluster, "TIMEOUT", 0.5)
    with server(greeting) as address:
        assert words in reason(address)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "127.0.0.1:0"])
def test_a_port_that_nobody_listens_to_is_told(address: str) -> None:
    assert f"the Dask scheduler at {address} cannot be used" in reason(address)
