"""Caches whose server cannot be used: an answer is missing, and the application goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from langchain_google_memorystore_redis import (
    ClientClosedError,
    InvalidArgumentError,
    MemorystoreCache,
    connect,
)
from langchain_google_memorystore_redis._cache import outages
from tests.cache.caches import ANSWER, MODEL, answers
from tests.faults import CUT_BEFORE, ClusterProxy, Proxy
from tests.plugins.clients import Target
from tests.plugins.doors import Door
from tests.plugins.servers import Servers
from tests.servers.processes import Server

OPTIONS: dict[str, Any] = {"socket_timeout": 0.3, "retry": None, "protocol": 2}


@pytest.fixture
def server(servers: Servers) -> Iterator[Server]:
    with Server(servers.engine("valkey-9.1")) as started:
        yield started


@pytest.fixture(params=[False, True], ids=["sync", "thread"])
def door(request: pytest.FixtureRequest, server: Server) -> Iterator[Door]:
    with redis.Redis(port=server.port, **OPTIONS) as client:
        yield Door(client, by_async=request.param, prefix="cache:")


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the policy's clock show a later time."""
    now = time.monotonic()
    monkeypatch.setattr(f"{outages.__name__}.monotonic", lambda: now + seconds)


async def test_a_dead_server_has_no_answers_and_is_asked_again_after_a_second(
    door: Door, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache = answers(door, on_outage="miss")
    await cache.update("prompt", MODEL, ANSWER)
    later(monkeypatch, 0)
    server.kill()
    for _ in range(3):
        assert await cache.lookup("prompt", MODEL) is None
        await cache.update("prompt", MODEL, ANSWER)
    server.restart()
    assert await cache.lookup("prompt", MODEL) is None
    later(monkeypatch, 1.1)
    await cache.update("prompt", MODEL, ANSWER)
    assert await cache.lookup("prompt", MODEL) == ANSWER
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "ConnectionError" in record.getMessage()


async def test_an_outage_is_logged_once_a_minute(
    door: Door, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache = answers(door, on_outage="miss")
    server.kill()
    for seconds, logged in ((0, 1), (30, 1), (59, 1), (65, 2), (100, 2), (130, 3)):
        with monkeypatch.context() as patch:
            later(patch, seconds)
            assert await cache.lookup("prompt", MODEL) is None
        assert len(caplog.records) == logged


async def test_raise_raises_and_asks_each_time(door: Door, server: Server) -> None:
    cache = answers(door, on_outage="raise")
    server.kill()
    for _ in range(2):
        with pytest.raises(redis.ConnectionError):
            await cache.lookup("prompt", MODEL)
        with pytest.raises(redis.ConnectionError):
            await cache.update("prompt", MODEL, ANSWER)
    server.restart()
    assert await cache.lookup("prompt", MODEL) is None


async def test_a_server_that_hangs_costs_one_timeout_a_second(
    proxied_door: Door, proxy: Proxy | ClusterProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = answers(proxied_door, on_outage="miss")
    await cache.update("prompt", MODEL, ANSWER)
    later(monkeypatch, 0)
    proxy.inject(CUT_BEFORE, times=1000, on="EVALSHA")
    assert await cache.lookup("prompt", MODEL) is None
    asked = len(proxy.injections)
    assert asked >= 1
    for _ in range(5):
        assert await cache.lookup("prompt", MODEL) is None
    assert len(proxy.injections) == asked
    proxy.calm()
    later(monkeypatch, 1.1)
    assert await cache.lookup("prompt", MODEL) == ANSWER


async def test_clear_raises_in_an_outage(door: Door, server: Server) -> None:
    cache = answers(door, on_outage="miss")
    server.kill()
    assert await cache.lookup("prompt", MODEL) is None
    with pytest.raises(redis.ConnectionError):
        await cache.clear()


async def test_a_paused_server_is_a_miss(door: Door, server: Server) -> None:
    cache = answers(door, on_outage="miss")
    await cache.update("prompt", MODEL, ANSWER)
    server.pause()
    assert await cache.lookup("prompt", MODEL) is None
    server.resume()


async def test_a_full_server_does_not_store_and_does_not_raise(door: Door, server: Server) -> None:
    cache = answers(door, on_outage="miss")
    server.cli("CONFIG", "SET", "maxmemory", "1")
    await cache.update("prompt", MODEL, ANSWER)
    with pytest.raises(redis.OutOfMemoryError):
        await answers(door, on_outage="raise").update("prompt", MODEL, ANSWER)


async def test_a_replica_does_not_store_and_does_not_raise(door: Door, server: Server) -> None:
    server.cli("REPLICAOF", "127.0.0.1", "1")
    server.cli("CONFIG", "SET", "replica-serve-stale-data", "yes")
    await answers(door, on_outage="miss").update("prompt", MODEL, ANSWER)
    with pytest.raises(redis.exceptions.ReadOnlyError):
        await answers(door, on_outage="raise").update("prompt", MODEL, ANSWER)
    server.cli("CONFIG", "SET", "replica-serve-stale-data", "no")
    assert await answers(door, on_outage="miss").lookup("prompt", MODEL) is None


async def test_missing_rights_and_wrong_credentials_raise(door: Door, server: Server) -> None:
    server.cli("ACL", "SETUSER", "ada", "on", ">pw", "~other:*", "+@all")
    cases = (("pw", redis.exceptions.NoPermissionError), ("no", redis.AuthenticationError))
    for password, error in cases:
        options = {**OPTIONS, "username": "ada", "password": password}
        with redis.Redis(port=server.port, **options) as client:
            cache = answers(Door(client, door.by_async, "cache:"), on_outage="miss")
            for _ in range(2):
                with pytest.raises(error):
                    await cache.lookup("prompt", MODEL)
                with pytest.raises(error):
                    await cache.update("prompt", MODEL, ANSWER)


def test_a_closed_client_raises(server: Server) -> None:
    client = connect(server.url)
    cache = MemorystoreCache(client)
    client.close()
    with pytest.raises(ClientClosedError):
        cache.lookup("prompt", MODEL)


async def test_a_user_with_the_rights_of_the_readme_can_use_a_cache(
    limited: tuple[Target, int, str],
) -> None:
    target, port, name = limited
    with target.connect(port, username=name, password="pw") as client:
        cache = MemorystoreCache(client, key_prefix="chat:cache:", on_outage="raise")
        cache.update(name, MODEL, ANSWER)
        assert cache.lookup(name, MODEL) == ANSWER
        cache.clear()
        assert cache.lookup(name, MODEL) is None


@pytest.mark.pure
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (redis.ConnectionError(), True),
        (redis.TimeoutError(), True),
        (redis.exceptions.BusyLoadingError(), True),
        (redis.exceptions.ClusterDownError("CLUSTERDOWN"), True),
        (redis.ResponseError("MISCONF Errors writing to the AOF file"), True),
        (redis.ResponseError("ERR unknown command"), False),
        (redis.AuthenticationError(), False),
        (redis.exceptions.NoPermissionError(), False),
        (InvalidArgumentError("a", "b"), False),
        (ConnectionResetError(), True),
    ],
)
def test_an_outage_is_told_from_a_fault(error: Exception, expected: bool) -> None:
    assert outages.is_outage(error) is expected
