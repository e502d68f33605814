"""Around a fault everything keeps its order: commands, replies and pushes."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.faults import CUT_BEFORE, CUT_DURING, DROP_REPLY, STALL, Fault, Proxy
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers
from tests.servers.processes import Endpoint, Server, wait_until


@pytest.fixture
def server(servers: Servers) -> Endpoint:
    return servers.standalone("valkey-9.1")


@pytest.fixture
def proxy(server: Endpoint, proxy_to: ProxyTo) -> Proxy:
    return proxy_to(server.port)


@pytest.fixture
def key(prefix: str) -> str:
    return f"{prefix}list"


def once(proxy: Proxy) -> Any:
    """A client that tries once."""
    return redis.Redis(port=proxy.port, retry=Retry(NoBackoff(), 0))


def packed(line: str) -> bytes:
    """A command as it goes over the wire."""
    words = line.split()
    return f"*{len(words)}\r\n".encode() + b"".join(
        f"${len(word)}\r\n{word}\r\n".encode() for word in words
    )


@pytest.mark.parametrize(
    ("fault", "last"), [(CUT_BEFORE, "before"), (CUT_DURING, "before"), (DROP_REPLY, "after")]
)
def test_a_fault_within_a_pipeline_spares_what_went_before(
    proxy: Proxy, server: Endpoint, key: str, fault: Fault, last: str
) -> None:
    proxy.inject(fault, on=lambda command: b"met" in command.arguments)
    with once(proxy) as client, client.pipeline(transaction=False) as pipeline:
        for element in ("before", "met", "after"):
            pipeline.rpush(key, element)
        with pytest.raises(redis.ConnectionError):
            pipeline.execute()
    wait_until(lambda: server.cli("LINDEX", key, -1) == last, f"{last} to be the last element")


def test_what_was_sent_before_a_cut_reaches_even_a_slow_server(
    servers: Servers, proxy_to: ProxyTo, key: str
) -> None:
    # Far more than a server reads at once: it has answered some of it when it reads the rest.
    with Server(servers.engine("valkey-9.1")) as slow:
        proxy = proxy_to(slow.port)
        proxy.inject(CUT_BEFORE, on="LLEN")
        with once(proxy) as client, client.pipeline(transaction=False) as pipeline:
            client.ping()
            slow.pause()
            for number in range(3000):
                pipeline.rpush(key, f"{number}" * 100)
            with pytest.raises(redis.ConnectionError):
                pipeline.llen(key).execute()
        slow.resume()
        wait_until(lambda: slow.cli("LLEN", key) == 3000, "all that was sent to be stored")


def test_a_connection_meets_one_fatal_fault_and_the_next_one_the_next(
    proxy: Proxy, key: str
) -> None:
    proxy.inject(DROP_REPLY, times=2)
    with once(proxy) as client:
        for met in (1, 2):
            pipeline = client.pipeline(transaction=False).rpush(key, "a").rpush(key, "b")
            with pytest.raises(redis.ConnectionError):
                pipeline.execute()
            assert proxy.injected == {DROP_REPLY: met}
        assert client.llen(key) == 4


def test_no_reply_overtakes_a_stalled_one(proxy: Proxy) -> None:
    proxy.inject(STALL)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=0.2) as raw:
        raw.sendall(packed("DBSIZE") * 2)
        with pytest.raises(TimeoutError):
            raw.recv(1)


def test_a_push_is_not_taken_for_the_reply_that_is_due(proxy: Proxy, key: str) -> None:
    # A client is told of its own write to a key it has read, after the reply to that write. If
    # that were taken for the reply to the next command, it would be held back instead.
    proxy.inject(STALL, on="DBSIZE")
    lines = ["HELLO 3", "CLIENT TRACKING ON", f"GET {key}", f"SET {key} a", "DBSIZE"]
    with (
        socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as raw,
        raw.makefile("rb") as stream,
    ):
        raw.sendall(b"".join(map(packed, lines)))
        assert b"invalidate\r\n" in iter(stream.readline, b"")


def test_what_is_sent_while_a_reply_is_due_belongs_to_the_flight(proxy: Proxy, key: str) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as raw:
        raw.sendall(packed("DBSIZE") + packed(f"BLPOP {key} 10"))
        assert raw.recv(1) == b":"  # of DBSIZE; the other takes its time
        raw.sendall(packed("DBSIZE"))
        wait_until(lambda: len(proxy.commands) == 3, "the third command")
    assert (proxy.round_trips, proxy.commands) == (1, ["DBSIZE", "BLPOP", "DBSIZE"])


def test_a_command_that_was_half_sent_when_a_reply_came_belongs_to_the_flight(
    proxy: Proxy,
) -> None:
    half, rest = packed("DBSIZE")[:9], packed("DBSIZE")[9:]
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as raw:
        raw.sendall(packed("DBSIZE") + half)
        assert raw.recv(1) == b":"
        raw.sendall(rest)
        wait_until(lambda: len(proxy.commands) == 2, "the second command")
    assert proxy.round_trips == 1
