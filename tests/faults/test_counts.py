"""The faulty network counts round trips right, and takes the time it is told to."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio
import valkey
import valkey.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.faults import CUT_BEFORE, Proxy
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers

# Values, not annotations: the libraries' types differ between versions and between each other.
SYNC: dict[str, Callable[[int], Any]] = {
    "redis RESP3": lambda port: redis.Redis(port=port, protocol=3),
    "redis RESP2": lambda port: redis.Redis(port=port, protocol=2),
    "valkey": lambda port: valkey.Valkey(port=port),
}
ASYNCIO: dict[str, Callable[[int], Any]] = {
    "redis RESP3": lambda port: redis.asyncio.Redis(port=port, protocol=3),
    "redis RESP2": lambda port: redis.asyncio.Redis(port=port, protocol=2),
    "valkey": lambda port: valkey.asyncio.Valkey(port=port),
}
TRANSACTION = ["MULTI", "RPUSH", "LLEN", "EXEC"]


@pytest.fixture
def proxy(servers: Servers, proxy_to: ProxyTo) -> Proxy:
    return proxy_to(servers.standalone("valkey-9.1").port)


@pytest.fixture
def key(prefix: str) -> str:
    return f"{prefix}list"


@pytest.mark.parametrize("connect", SYNC.values(), ids=SYNC)
def test_a_command_or_a_pipeline_or_a_transaction_is_one_round_trip(
    proxy: Proxy, key: str, connect: Callable[[int], Any]
) -> None:
    with connect(proxy.port) as client:
        with proxy.counting() as plain:
            client.rpush(key, "a")
        with proxy.counting() as piped, client.pipeline(transaction=False) as pipeline:
            pipeline.rpush(key, "b").llen(key).lrange(key, 0, -1).execute()
        with proxy.counting() as transaction, client.pipeline() as pipeline:
            pipeline.rpush(key, "c").llen(key).execute()
    assert (plain.round_trips, plain.commands) == (1, ["RPUSH"])
    assert (piped.round_trips, piped.commands) == (1, ["RPUSH", "LLEN", "LRANGE"])
    assert (transaction.round_trips, transaction.commands) == (1, TRANSACTION)
    assert proxy.commands == plain.commands + piped.commands + transaction.commands
    assert proxy.round_trips == 3


@pytest.mark.parametrize("connect", ASYNCIO.values(), ids=ASYNCIO)
async def test_an_asyncio_client_is_counted_alike(
    proxy: Proxy, key: str, connect: Callable[[int], Any]
) -> None:
    async with connect(proxy.port) as client:
        with proxy.counting() as plain:
            await client.get(f"{key}:absent")
            await client.get(f"{key}:absent")
        with proxy.counting() as transaction:
            async with client.pipeline() as pipeline:
                await pipeline.rpush(key, "c").llen(key).execute()
    assert (plain.round_trips, plain.commands) == (2, ["GET", "GET"])
    assert (transaction.round_trips, transaction.commands) == (1, TRANSACTION)


@pytest.mark.parametrize("connect", SYNC.values(), ids=SYNC)
def test_a_pipeline_too_long_for_one_write_is_one_round_trip(
    proxy: Proxy, key: str, connect: Callable[[int], Any]
) -> None:
    with connect(proxy.port) as client:
        client.rpush(key, "a")
        with proxy.counting() as count, client.pipeline(transaction=False) as pipeline:
            for _ in range(3000):
                pipeline.lrange(key, 0, -1)
            pipeline.rpush(key, "x" * 1_000_000)
            assert pipeline.execute()[-1] == 2
    assert (count.round_trips, len(count.commands)) == (1, 3001)


def test_counting_holds_replies_back_until_pieces_of_a_flight_could_have_come(
    proxy: Proxy, key: str
) -> None:
    with redis.Redis(port=proxy.port) as client, proxy.counting(settle=0.1):
        client.ping()
        times = [time.monotonic()]
        for element in ("in one piece", "in several" * 1000):
            client.rpush(key, element)
            times.append(time.monotonic())
    assert times[1] - times[0] >= 0.005
    assert times[2] - times[1] >= 0.1


def test_a_watched_transaction_counts_each_time_the_client_waits(proxy: Proxy, key: str) -> None:
    client: Any = redis.Redis(port=proxy.port)
    with client, proxy.counting() as count, client.pipeline() as pipeline:
        pipeline.watch(key)
        pipeline.llen(key)
        pipeline.multi()
        pipeline.rpush(key, "a").llen(key).execute()
    assert (count.round_trips, count.commands) == (3, ["WATCH", "LLEN", *TRANSACTION])


def test_what_a_client_sends_on_its_own_account_is_kept_apart(proxy: Proxy) -> None:
    with redis.Redis(port=proxy.port, protocol=3) as client, proxy.counting() as count:
        client.ping()
    assert (count.round_trips, count.commands) == (0, [])
    assert (count.handshake[0], count.handshake[-1]) == ("HELLO", "PING")
    assert proxy.handshake == count.handshake


def test_a_try_again_is_another_round_trip(proxy: Proxy, key: str) -> None:
    proxy.inject(CUT_BEFORE, times=2)
    errors: list[type[Exception]] = [redis.ConnectionError]  # redis-py 5 retries only what is named
    with (
        redis.Redis(port=proxy.port, retry=Retry(NoBackoff(), 3), retry_on_error=errors) as client,
        proxy.counting() as count,
    ):
        client.llen(key)
    assert (count.round_trips, count.commands) == (3, ["LLEN"] * 3)


def test_a_count_ends_with_its_context_and_may_lie_within_another(proxy: Proxy, key: str) -> None:
    with redis.Redis(port=proxy.port) as client:
        with proxy.counting() as outer:
            with proxy.counting() as inner:
                client.llen(key)
            client.lrange(key, 0, -1)
        client.llen(key)
    assert (inner.commands, outer.commands) == (["LLEN"], ["LLEN", "LRANGE"])
    assert proxy.latency == 0


@pytest.mark.parametrize("connect", SYNC.values(), ids=SYNC)
def test_replies_of_several_megabytes_pass_unchanged(
    proxy: Proxy, key: str, connect: Callable[[int], Any]
) -> None:
    elements = [bytes([at % 256]) * 4000 for at in range(2000)]
    with connect(proxy.port) as client:
        client.rpush(key, *elements)
        assert client.lrange(key, 0, -1) == elements


def test_latency_is_added_to_a_flight_and_not_to_each_of_its_commands(
    proxy: Proxy, key: str
) -> None:
    client: Any = redis.Redis(port=proxy.port)
    with client, client.pipeline(transaction=False) as pipeline:
        client.ping()
        proxy.latency = 0.05
        start = time.monotonic()
        client.llen(key)
        assert time.monotonic() - start >= 0.05
        for _ in range(100):
            pipeline.llen(key)
        start = time.monotonic()
        pipeline.execute()
        # Far from a bound on the machine's speed: 100 flights would take 5 s.
        assert 0.05 <= time.monotonic() - start < 100 * 0.05
