"""The faulty network does to a connection what it says."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.faults import (
    CUT_AFTER_PARTIAL_REPLY,
    CUT_BEFORE,
    CUT_DURING,
    DROP_REPLY,
    HOLD,
    REFUSE,
    STALL,
    Fault,
    Injection,
    Proxy,
    delay,
    late,
)
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers
from tests.servers.processes import Endpoint, wait_until

# How often an RPUSH is stored when one try of it meets the fault: by a client that tries again, by
# one that does not. The twos are the defect that a library above such a client has to make good.
CUTS = {
    CUT_BEFORE: (1, 0),
    CUT_DURING: (1, 0),
    DROP_REPLY: (2, 1),
    CUT_AFTER_PARTIAL_REPLY: (2, 1),
}
# Named, because redis-py 5 tries again only for these.
LOST: list[type[Exception]] = [redis.ConnectionError, redis.TimeoutError]

Stored = Callable[[], list[str]]

each_cut = pytest.mark.parametrize("fault", CUTS, ids=lambda fault: fault.name)


@pytest.fixture
def server(servers: Servers) -> Endpoint:
    return servers.standalone("valkey-9.1")


@pytest.fixture
def proxy(server: Endpoint, proxy_to: ProxyTo) -> Proxy:
    return proxy_to(server.port)


@pytest.fixture
def key(prefix: str) -> str:
    return f"{prefix}list"


@pytest.fixture
def stored(server: Endpoint, key: str) -> Stored:
    """What the list holds, asked past the proxy."""
    return lambda: server.cli("LRANGE", key, 0, -1)


def patient(proxy: Proxy) -> Any:
    """A client that tries again: up to 50 times, as the random faults need."""
    return redis.Redis(port=proxy.port, retry=Retry(NoBackoff(), 50), retry_on_error=LOST)


@pytest.fixture
def single(proxy: Proxy) -> Iterator[Any]:
    """A client that tries once, and for 0.2 s."""
    with redis.Redis(port=proxy.port, retry=Retry(NoBackoff(), 0), socket_timeout=0.2) as client:
        yield client


@each_cut
def test_a_client_that_tries_again_may_store_an_append_twice(
    proxy: Proxy, stored: Stored, key: str, fault: Fault
) -> None:
    proxy.inject(fault, on="RPUSH")
    with patient(proxy) as client:
        client.rpush(key, "a")
    assert stored() == ["a"] * CUTS[fault][0]
    assert proxy.injected == {fault: 1}


@each_cut
async def test_so_may_an_asyncio_client(
    proxy: Proxy, stored: Stored, key: str, fault: Fault
) -> None:
    proxy.inject(fault, on="RPUSH")
    retry = AsyncRetry(NoBackoff(), 3)
    client: Any = redis.asyncio.Redis(port=proxy.port, retry=retry, retry_on_error=LOST)
    async with client:
        await client.rpush(key, "a")
    assert stored() == ["a"] * CUTS[fault][0]


@pytest.mark.skipif(int(redis.__version__.split(".")[0]) < 6, reason="redis-py 5 tries once")
def test_so_does_a_client_as_it_comes(proxy: Proxy, stored: Stored, key: str) -> None:
    proxy.inject(DROP_REPLY, on="RPUSH")
    with redis.Redis(port=proxy.port) as client:
        assert client.rpush(key, "a") == 2
    assert stored() == ["a", "a"]


@each_cut
def test_a_client_that_tries_once_learns_of_the_cut(
    proxy: Proxy, single: Any, stored: Stored, key: str, fault: Fault
) -> None:
    proxy.inject(fault, on="RPUSH")
    with pytest.raises(redis.ConnectionError):
        single.rpush(key, "a")
    assert stored() == ["a"] * CUTS[fault][1]


def test_a_dropped_reply_to_exec_stores_the_transaction_twice(
    proxy: Proxy, stored: Stored, key: str
) -> None:
    proxy.inject(DROP_REPLY, on="EXEC")
    with patient(proxy) as client, client.pipeline() as pipeline:
        pipeline.rpush(key, "a").rpush(key, "b").execute()
    assert stored() == ["a", "b", "a", "b"]


def test_a_stalled_reply_outlasts_the_socket_timeout(
    proxy: Proxy, single: Any, stored: Stored, key: str
) -> None:
    proxy.inject(STALL)
    with pytest.raises(redis.TimeoutError):
        single.rpush(key, "a")
    assert stored() == ["a"]
    assert single.rpush(key, "b") == 2


def test_a_delayed_reply_comes_after_its_time(proxy: Proxy, key: str) -> None:
    with patient(proxy) as client:
        client.ping()
        proxy.inject(delay(0.1))
        start = time.monotonic()
        assert client.rpush(key, "a") == 1
        assert time.monotonic() - start >= 0.1


def test_a_late_command_is_executed_though_its_client_gave_up(
    proxy: Proxy, single: Any, stored: Stored, key: str
) -> None:
    proxy.inject(late(0.6))
    with pytest.raises(redis.TimeoutError):
        single.rpush(key, "a")
    wait_until(lambda: stored() == ["a"], "the late command")


def test_the_next_connections_are_refused_and_no_more(proxy: Proxy, single: Any) -> None:
    proxy.inject(REFUSE, times=2)
    for _ in range(2):
        with pytest.raises(redis.ConnectionError):
            single.ping()
    assert single.ping()
    assert proxy.injected == {REFUSE: 2}


def test_a_server_that_is_gone_cuts_and_refuses_until_it_is_back(proxy: Proxy, single: Any) -> None:
    for _ in range(2):  # twice, for the port has to be had again
        assert single.ping()
        with proxy.refusing():
            with pytest.raises(redis.ConnectionError):  # on the connection it has
                single.ping()
            with pytest.raises(redis.ConnectionError, match="refused"):
                single.ping()
    assert single.ping()


def test_a_proxy_to_no_server_closes_the_connection(proxy_to: ProxyTo) -> None:
    nowhere = proxy_to(1)
    with (
        redis.Redis(port=nowhere.port, retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.ConnectionError),
    ):
        client.ping()


def test_a_handshake_is_spared_unless_it_is_named(proxy: Proxy, single: Any, key: str) -> None:
    proxy.inject(CUT_BEFORE)
    assert single.ping()
    with pytest.raises(redis.ConnectionError):
        single.llen(key)
    proxy.inject(CUT_BEFORE, on="client setinfo")
    with pytest.raises(redis.ConnectionError):
        single.ping()
    expected = [Injection(CUT_BEFORE, "LLEN"), Injection(CUT_BEFORE, "CLIENT SETINFO")]
    assert proxy.injections == expected


def injections(proxy: Proxy, key: str, seed: int) -> list[Injection]:
    proxy.chaos(rate=0.2, seed=seed, faults=[*CUTS, REFUSE])
    with patient(proxy) as client:
        for number in range(100):
            client.rpush(key, number)
            client.llen(key)
    return proxy.injections


def test_the_same_seed_and_commands_meet_the_same_faults(
    server: Endpoint, proxy_to: ProxyTo, key: str
) -> None:
    first, again, other = (injections(proxy_to(server.port), key, seed) for seed in (7, 7, 8))
    assert first == again
    assert first != other
    assert {each.fault for each in first} == {*CUTS, REFUSE}


def test_chaos_spares_handshakes_and_ends_with_calm(proxy: Proxy, single: Any, key: str) -> None:
    proxy.chaos(rate=1, seed=0, faults=[CUT_BEFORE])
    assert single.ping()
    with pytest.raises(redis.ConnectionError):
        single.llen(key)
    proxy.calm()
    assert single.llen(key) == 0


def test_a_fault_that_cannot_be_is_refused(proxy: Proxy) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        proxy.inject(STALL, times=0)
    with pytest.raises(ValueError, match="REFUSE is for connections"):
        proxy.inject(REFUSE, on="GET")
    with pytest.raises(ValueError, match="probability"):
        proxy.chaos(rate=5, seed=0, faults=[STALL])
    with pytest.raises(ValueError, match="must wait"):
        delay(0)


def test_a_closed_proxy_leaves_neither_a_thread_nor_an_open_port(server: Endpoint) -> None:
    with Proxy(server.port) as proxy, redis.Redis(port=proxy.port) as client:
        client.ping()
    assert "faulty network" not in [thread.name for thread in threading.enumerate()]
    with (
        redis.Redis(port=proxy.port, retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.ConnectionError, match="refused"),
    ):
        client.ping()


def test_a_link_in_a_process_of_its_own_ends_with_who_started_it(server: Endpoint) -> None:
    command = [sys.executable, "-m", "tests.faults", str(server.port), "--latency", "0.01"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    root = Path(__file__).resolve().parents[2]
    process: Any = subprocess.Popen(command, cwd=root, **pipes)
    with process:
        with redis.Redis(port=int(process.stdout.readline())) as client:
            assert client.ping()
        process.stdin.close()
        assert process.wait(30) == 0


def test_a_held_command_reaches_the_server_when_it_is_released(
    proxy: Proxy, single: Any, stored: Stored, key: str
) -> None:
    proxy.inject(HOLD)
    with pytest.raises(redis.ConnectionError):
        single.rpush(key, "held")
    assert single.rpush(key, "next") == 1
    assert proxy.release() == 1
    assert stored() == ["next", "held"]
    assert proxy.release() == 0
