"""Expiry, eviction, outages, round trips, permissions and size of threads of checkpoints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import pytest
import redis
import redis.asyncio
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from langchain_google_memorystore_redis import MemorystoreSaver
from langchain_google_memorystore_redis._ops import checkpoint as ops
from langchain_google_memorystore_redis._ops.checkpoint_pages import Place
from tests.faults import ClusterProxy, Proxy
from tests.plugins.clients import TARGETS, Target, asyncio_client
from tests.plugins.faults import ClusterProxyTo, ProxyTo
from tests.plugins.servers import Servers
from tests.savers import Awaited, checkpoint_of, config_of, grow, opened, steps
from tests.servers.processes import Server

Saver = BaseCheckpointSaver[str]
Open = Callable[..., Saver]
LOST = (redis.ConnectionError, redis.TimeoutError)


@pytest.fixture(params=["async", "sync"])
async def open_saver(
    request: pytest.FixtureRequest, target: Target, servers: Servers, client: Any, prefix: str
) -> AsyncIterator[Open]:
    """Opens savers with the settings a test chooses, on each target."""

    def make(given: Any, **options: Any) -> Saver:
        saver = MemorystoreSaver(given, key_prefix=prefix, **options)
        return saver if request.param == "async" else Awaited(saver)

    if request.param == "async":
        async with asyncio_client(target, target.port(servers)) as made:
            yield partial(make, made)
    else:
        yield partial(make, client)


def keys_of(prefix: str, thread_id: str = "t") -> tuple[str, str]:
    return f"{prefix}{{{thread_id}}}:index", f"{prefix}{{{thread_id}}}:data"


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
    configs = await grow(saver, "t", 3)
    while await saver.aget_tuple(config_of("t")) is not None:
        assert await steps(saver, config_of("t")) in ([2, 1, 0], [])
    assert raw.exists(*keys_of(prefix)) == 0
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


# What it costs


@pytest.fixture(params=[Target("redis-7.0"), Target("valkey-9.1", cluster=True)], ids=str)
def counted_target(request: pytest.FixtureRequest) -> Target:
    target: Target = request.param
    return target


@pytest.fixture
def proxy(
    counted_target: Target, servers: Servers, proxy_to: ProxyTo, cluster_proxy_to: ClusterProxyTo
) -> Proxy | ClusterProxy:
    if counted_target.cluster:
        return cluster_proxy_to(servers.cluster(counted_target.engine).ports)
    return proxy_to(servers.standalone(counted_target.engine).port)


@pytest.fixture(params=["async", "sync"])
async def counted(
    request: pytest.FixtureRequest,
    counted_target: Target,
    proxy: Proxy | ClusterProxy,
    prefix: str,
) -> AsyncIterator[Saver]:
    """A saver whose round trips the proxy counts; the servers know the scripts already."""
    remap: dict[str, Any] = {}
    if isinstance(proxy, ClusterProxy):
        remap["address_remap"] = proxy.address_remap
    way = opened(counted_target, proxy.port, request.param, remap, key_prefix=prefix)
    async with way as saver:
        for thread in map(str, range(12)):
            (config,) = await grow(saver, thread, 1)
            await saver.aput_writes(config, [("a", 1)], "task")
            await saver.aget_tuple(config)
            await steps(saver, {"configurable": {"thread_id": thread}})
            await saver.acopy_thread(thread, thread)
            await saver.aprune([thread])
            await saver.aget_delta_channel_history(config=config, channels=["a"])
            await saver.adelete_for_runs(["run"])
            await saver.adelete_thread(thread)
        yield saver


async def test_what_each_operation_costs(
    counted: Saver, proxy: Proxy | ClusterProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "PAGE", 4)
    monkeypatch.setattr(ops, "RECORDS_PAGE", 8)
    configs = await grow(counted, "t", 8)
    root = config_of("t")
    every_space = {"configurable": {"thread_id": "t"}}
    writes = [(f"channel {number}", "x" * 100) for number in range(50)]
    fresh = checkpoint_of({"step": "9"}, step=[f"{number}" * 99 for number in range(200)])
    calls: list[tuple[Callable[[], Awaitable[Any]], int]] = [
        (partial(counted.aget_tuple, root), 1),
        (partial(counted.aget_tuple, configs[0]), 1),
        (partial(counted.aput, configs[-1], fresh, {}, {"step": "9"}), 1),
        (partial(counted.aput_writes, configs[-1], writes, "task"), 1),
        (partial(counted.aput_writes, configs[-1], [], "task"), 0),
        (partial(steps, counted, configs[2]), 1),
        (partial(steps, counted, root, limit=4, before=configs[7]), 1),
        (partial(steps, counted, every_space, limit=4, before=configs[7]), 2),
        (partial(steps, counted, root, before=configs[7]), 2),
        (partial(steps, counted, root, before=configs[7], filter={"parity": 1}), 2),
        (partial(steps, counted, root, limit=0), 0),
        (partial(counted.aget_delta_channel_history, config=root, channels=["a"]), 1),
        (partial(counted.acopy_thread, "t", "copy"), 1 + 2 * 3),
        (partial(counted.aprune, ["t", "copy"]), 2),
        (partial(counted.adelete_thread, "t"), 1),
        (partial(counted.adelete_for_runs, []), 0),
    ]
    for call, expected in calls:
        with proxy.counting() as count:
            await call()
        # Each is sent alone, so commands are round trips; and neither KEYS nor SCAN is among them.
        assert count.commands == ["EVALSHA"] * expected, call


async def test_a_page_ends_at_the_size_that_is_enough(
    counted: Saver, proxy: Proxy | ClusterProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    await grow(counted, "t", 4)
    for enough, pages in ((10**6, 1), (1, 4)):
        monkeypatch.setattr(ops, "PAGE_BYTES", enough)
        with proxy.counting() as count:
            assert await steps(counted, config_of("t")) == [3, 2, 1, 0]
        assert count.commands == ["EVALSHA"] * pages


async def test_32_tasks_at_once_cost_32_round_trips(
    counted: Saver, proxy: Proxy | ClusterProxy
) -> None:
    (config,) = await grow(counted, "t", 1)
    with proxy.counting() as count:
        await asyncio.gather(
            *(counted.aput_writes(config, [("a", 1)], f"{task}") for task in range(32))
        )
    assert count.commands == ["EVALSHA"] * 32


async def test_a_thread_grows_by_what_changed(servers: Servers, prefix: str) -> None:
    with redis.Redis(port=servers.standalone("redis-7.0").port) as client:
        saver = MemorystoreSaver(client, key_prefix=prefix)
        messages: list[Any] = []
        config = config_of("t")
        for turn in range(200):
            messages = [*messages, HumanMessage(f"{turn}" + "x" * 400, id=str(turn))]
            checkpoint = checkpoint_of({"messages": turn}, messages=messages)
            config = saver.put(config, checkpoint, {"step": turn}, {"messages": turn})
        stored = client.hgetall(keys_of(prefix)[1])
        size = sum(len(name) + len(value) for name, value in stored.items())
        once = len(JsonPlusSerializer().dumps_typed(messages)[1])
        assert size < 1.2 * once + 200 * 700
        lengths = [
            len(found.checkpoint["channel_values"]["messages"])
            for found in saver.list(config_of("t"))
        ]
        assert lengths == list(range(200, 0, -1))


LONG = 10_000


@pytest.fixture(scope="module")
def long_threads(servers: Servers) -> Iterator[tuple[Any, MemorystoreSaver]]:
    """A server of its own, with a thread of 100 checkpoints and one of 10,000."""
    with Server(servers.engine("valkey-9.1")) as server, redis.Redis(port=server.port) as client:
        saver = MemorystoreSaver(client, ttl=1000, refresh_on_read=True)
        for name, length in (("short", 100), ("long", LONG)):
            parent = config_of(name)
            for first in range(0, length, 1000):
                pipe = client.pipeline(transaction=False)
                for step in range(first, min(first + 1000, length)):
                    checkpoint = checkpoint_of({"step": step}, step=step)
                    place = Place(name, "", parent["configurable"].get("checkpoint_id", ""))
                    flow = saver._ops.put(place, checkpoint, {"step": step}, {"step": step})
                    op: Any = next(flow)
                    pipe.execute_command(*op.wire if step else op.with_source)
                    parent = config_of(name, "", checkpoint["id"])
                    write = saver._ops.write(
                        Place(name, "", checkpoint["id"]), "task", "", [(0, "a", step)]
                    )
                    pipe.execute_command(*write.with_source)
                pipe.execute()
        yield client, saver


def test_a_long_thread_is_read_written_and_pruned_at_the_cost_of_a_short_one(
    long_threads: tuple[Any, MemorystoreSaver],
) -> None:
    client, saver = long_threads

    def cost(call: Callable[[], object]) -> float:
        """Microseconds of the server, the least of eleven: others use the machine too."""
        taken = []
        for _ in range(11):
            client.config_resetstat()
            call()
            taken.append(sum(each["usec"] for each in _scripts(client)))
        return float(min(taken))

    def put(name: str) -> None:
        checkpoint = checkpoint_of({"step": "x"}, step=1)
        saver.put(config_of(name), checkpoint, {}, {"step": "x"})
        saver.put_writes(config_of(name, "", checkpoint["id"]), [("a", 1)], "task")

    calls: list[Callable[[str], object]] = [
        lambda name: saver.get_tuple(config_of(name)),
        put,
        lambda name: list(saver.list(config_of(name), limit=50)),
        lambda name: next(iter(saver.list({"configurable": {"thread_id": name}}, limit=1))),
    ]
    for call in calls:
        short, long = cost(partial(call, "short")), cost(partial(call, "long"))
        assert long < 5 * short + 200
    assert sum(1 for _ in saver.list(config_of("long"), filter={"step": -1})) == 0
    assert sum(1 for _ in saver.list(config_of("long"))) >= LONG
    saver.prune(["short"])
    client.config_resetstat()
    saver.prune(["long"])
    assert sum(each["usec"] for each in _scripts(client)) < 20_000
    assert len(list(saver.list(config_of("long")))) == 1
    assert client.hlen("checkpoint:{long}:data") < 10


def _scripts(client: Any) -> Iterator[Any]:
    stats = client.info("commandstats")
    return (stats[name] for name in ("cmdstat_evalsha", "cmdstat_eval") if name in stats)


# Who may do it


@pytest.fixture(params=[t for t in TARGETS if t.engine != "redis-5.0"], ids=str)
def limited(request: pytest.FixtureRequest, servers: Servers) -> Iterator[tuple[Target, int, str]]:
    """A user that may do nothing but what the README says, on every server with ACL."""
    target: Target = request.param
    rules = ["on", ">pw", "~chat:*", "+@read", "+@write", "+@scripting", "+@connection"]
    if target.cluster:
        rules += ["+cluster|slots", "+cluster|shards", "+cluster|myid", "+command"]
    ports = [target.port(servers)]
    if target.cluster:
        ports = servers.cluster(target.engine).ports
    name = f"saver-{request.node.name}"[:60]
    for port in ports:
        with redis.Redis(port=port, protocol=2) as admin:
            admin.execute_command("ACL", "SETUSER", name, *rules)
    yield target, ports[0], name
    for port in ports:
        with redis.Redis(port=port, protocol=2) as admin:
            admin.execute_command("ACL", "DELUSER", name)


async def test_a_limited_user_can_do_everything(
    limited: tuple[Target, int, str], prefix: str
) -> None:
    target, port, name = limited
    login = {"username": name, "password": "pw"}
    for way in ("async", "sync"):
        own = f"chat:{prefix}{way}:"
        options: dict[str, Any] = {"key_prefix": own, "ttl": 100, "refresh_on_read": True}
        async with opened(target, port, way, login, **options) as saver:
            for config in await grow(saver, "t", 3):
                await saver.aput_writes(config, [("a", 1)], "task")
            assert await steps(saver, config_of("t")) == [2, 1, 0]
            assert await steps(saver, {"configurable": {"thread_id": "t"}}) == [2, 1, 0]
            await saver.acopy_thread("t", "copy")
            await saver.aprune(["t"])
            assert await saver.aget_tuple(config_of("t")) is not None
            await saver.aget_delta_channel_history(config=config_of("t"), channels=["a"])
            assert len(await steps(saver, None)) == 4
            await saver.adelete_for_runs(["run"])
            await saver.adelete_thread("t")
            await saver.adelete_thread("copy")
            assert await steps(saver, None) == []
        async with opened(target, port, way, login, key_prefix="private:") as saver:
            with pytest.raises(Exception, match=r"(?i)permission|access") as caught:
                await saver.aget_tuple(config_of("t"))
            assert type(caught.value).__name__ == "NoPermissionError"
