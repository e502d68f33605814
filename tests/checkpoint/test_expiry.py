"""Expiry and eviction of threads, and outages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from langchain_google_memorystore_redis import MemorystoreSaver
from tests.checkpoint.savers import (
    Awaited,
    Pair,
    Saver,
    checkpoint_of,
    config_of,
    grow,
    keys_of,
    opened,
    steps,
    stored,
)
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.servers import Servers
from tests.servers.processes import Server, wait_until

Open = Callable[..., Saver]
LOST = (redis.ConnectionError, redis.TimeoutError)


@pytest.fixture
async def open_saver(pair: Pair, servers: Servers, client: Any, prefix: str) -> AsyncIterator[Open]:
    """Opens savers with the settings a test chooses, on each target."""

    def make(given: Any, **options: Any) -> Saver:
        saver = MemorystoreSaver(given, key_prefix=prefix, **options)
        return Awaited(saver) if pair.way == "sync" else saver

    if pair.way == "async":
        async with asyncio_client(pair.target, pair.target.port(servers)) as made:
            yield partial(make, made)
    else:
        yield partial(make, client)


def expiries(raw: Any, prefix: str, thread_id: str = "t") -> tuple[int, int]:
    index, data = keys_of(prefix, thread_id)
    return raw.pttl(index), raw.pttl(data)


async def every_write(saver: Saver) -> None:
    config = await saver.aput(config_of("t"), checkpoint_of(a=1), {}, {"a": "1"})
    await saver.aput_writes(config, [("a", 1)], "task")


async def test_both_keys_of_a_thread_expire_together_after_the_last_write(
    open_saver: Open, raw: Any, prefix: str
) -> None:
    saver = open_saver(ttl=100)
    (config,) = await grow(saver, "t", 1)
    for write in (
        lambda: grow(saver, "t", 1),
        lambda: saver.aput_writes(config, [("a", 1)], "task"),
        lambda: saver.acopy_thread("source", "t"),
    ):
        await grow(saver, "source", 1)
        for key in keys_of(prefix):
            raw.expire(key, 5)
        await write()
        index, data = expiries(raw, prefix)
        assert 90_000 < index <= 100_000
        assert abs(index - data) < 100


async def test_reading_renews_expiry_only_where_told_and_pruning_never(
    open_saver: Open, raw: Any, prefix: str
) -> None:
    await grow(open_saver(ttl=100), "t", 2)
    for refresh, least, most in ((False, 0, 5_000), (True, 90_000, 100_000)):
        saver = open_saver(ttl=100, refresh_on_read=refresh)
        for read in (
            lambda saver=saver: saver.aget_tuple(config_of("t")),
            lambda saver=saver: steps(saver, config_of("t")),
            lambda saver=saver: steps(saver, config_of("t"), filter={"step": 1}),
        ):
            for key in keys_of(prefix):
                raw.expire(key, 5)
            assert await read()
            assert all(least < left <= most for left in expiries(raw, prefix))
        for key in keys_of(prefix):
            raw.expire(key, 5)
        await saver.aprune(["t"])
        assert all(0 < left <= 5_000 for left in expiries(raw, prefix))
    assert await saver.aget_tuple(config_of("none")) is None
    assert expiries(raw, prefix, "none") == (-2, -2)


async def test_pruning_in_the_last_millisecond_leaves_an_expiry(
    open_saver: Open, raw: Any, prefix: str
) -> None:
    saver, (index, _) = open_saver(ttl=100), keys_of(prefix)
    for _ in range(60):
        await grow(saver, "t", 1)
        raw.pexpire(index, 1)
        await saver.aprune(["t"])
        assert -1 not in expiries(raw, prefix)


async def test_without_a_ttl_expiry_is_left_alone(open_saver: Open, raw: Any, prefix: str) -> None:
    saver = open_saver()
    await every_write(saver)
    assert expiries(raw, prefix) == (-1, -1)
    for key in keys_of(prefix):
        raw.expire(key, 500)
    await every_write(saver)
    await saver.aprune(["t"])
    assert all(400_000 < left <= 500_000 for left in expiries(raw, prefix))


async def test_a_thread_that_expires_in_the_middle_of_a_run_loses_no_state(
    open_saver: Open, raw: Any, prefix: str
) -> None:
    saver = open_saver(ttl=0.02)
    configs = await grow(open_saver(), "t", 3)
    await saver.aput_writes(configs[-1], [("a", 1)], "task")
    while await saver.aget_tuple(config_of("t")) is not None:
        assert await steps(saver, config_of("t")) in ([2, 1, 0], [])
    # Before 7.2 a script's second PEXPIRE may read a later millisecond than its first.
    wait_until(lambda: raw.exists(*keys_of(prefix)) == 0, "both keys are gone")
    checkpoint = checkpoint_of({"step": "4", "fixed": "1"}, step=3, fixed="fixed")
    await open_saver().aput(configs[-1], checkpoint, {"step": 3}, {"step": "4"})
    found = await saver.aget_tuple(config_of("t"))
    assert found is not None
    assert found.checkpoint["channel_values"] == {"step": 3, "fixed": "fixed"}


@pytest.mark.parametrize("evicted", [0, 1])
async def test_a_full_server_may_evict_either_key_and_nothing_half_is_seen(
    open_saver: Open, raw: Any, prefix: str, evicted: int
) -> None:
    saver = open_saver(ttl=100)
    for write_first in (True, False):
        configs = await grow(saver, "t", 3)
        raw.delete(keys_of(prefix)[evicted])
        assert await saver.aget_tuple(config_of("t")) is None
        if evicted:
            assert await saver.aget_tuple(configs[1]) is None
        assert await steps(saver, config_of("t")) == []
        if write_first:
            await saver.aput_writes(configs[-1], [("a", 1)], "task")
        checkpoint = checkpoint_of({"step": "9", "fixed": "1"}, step=9, fixed="fixed")
        await saver.aput(configs[-1], checkpoint, {"step": 9}, {"step": "9"})
        (found,) = [found async for found in saver.alist(config_of("t"))]
        assert found.checkpoint["channel_values"] == {"step": 9, "fixed": "fixed"}
        # A checkpoint and two values, and the write to the one that is gone.
        assert raw.hlen(keys_of(prefix)[1]) == 3 + write_first
        await saver.adelete_thread("t")
        assert raw.exists(*keys_of(prefix)) == 0


@pytest.mark.parametrize("evicted", [0, 1])
async def test_a_copy_onto_what_an_eviction_left_is_whole(
    open_saver: Open, raw: Any, prefix: str, evicted: int
) -> None:
    saver = open_saver()
    await grow(saver, "source", 2)
    await grow(saver, "t", 4)
    raw.delete(keys_of(prefix)[evicted])
    for target in ("t", "empty"):
        await saver.acopy_thread("source", target)
    assert stored(raw, prefix) == stored(raw, prefix, "empty")
    assert await steps(saver, config_of("t"), limit=1) == [1]


@pytest.mark.parametrize("engine", ["redis-5.0", "redis-6.2", "redis-7.0", "valkey-9.1"])
async def test_a_full_server_refuses_what_would_be_a_new_thread(
    servers: Servers, prefix: str, engine: str
) -> None:
    target = Target(engine, protocol=2)
    with Server(servers.engine(engine)) as server:
        for way in ("async", "sync", "thread"):
            async with opened(target, server.port, way, key_prefix=prefix) as saver:
                await grow(saver, way, 1)
                server.cli("CONFIG", "SET", "maxmemory", 1)
                named = config_of("t", checkpoint_id="1")
                calls: list[Callable[[], Awaitable[Any]]] = [
                    partial(grow, saver, "t", 1),
                    partial(saver.aput_writes, named, [("a", 1)], "task"),
                    partial(saver.acopy_thread, way, "t"),
                ]
                for call in calls:
                    with pytest.raises(redis.exceptions.OutOfMemoryError):
                        await call()
                server.cli("CONFIG", "SET", "maxmemory", 0)
                assert await saver.aget_tuple(config_of("t")) is None


async def test_an_outage_raises_and_is_never_an_empty_thread(servers: Servers, prefix: str) -> None:
    target = Target("valkey-9.1")
    with Server(servers.engine("valkey-9.1")) as server:
        for way in ("async", "sync", "thread"):
            server.start()
            retry = AsyncRetry if way == "async" else Retry
            options = {"retry": retry(NoBackoff(), 0)}
            async with opened(target, server.port, way, options, key_prefix=prefix) as saver:
                (config,) = await grow(saver, "t", 1)
                server.stop()
                calls: list[Callable[[], Awaitable[Any]]] = [
                    partial(saver.aget_tuple, config),
                    partial(steps, saver, config),
                    partial(steps, saver, None),
                    partial(grow, saver, "t", 1),
                    partial(saver.aput_writes, config, [("a", 1)], "task"),
                    partial(saver.adelete_thread, "t"),
                    partial(saver.adelete_for_runs, ["run"]),
                    partial(saver.aprune, ["t"]),
                    partial(saver.acopy_thread, "t", "u"),
                    partial(saver.aget_delta_channel_history, config=config, channels=["a"]),
                ]
                for call in calls:
                    with pytest.raises(LOST):
                        await call()
