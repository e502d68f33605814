"""The store on a faulty network, by a limited user, and its round trips, counted on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import redis
from langgraph.store.base import GetOp, ListNamespacesOp, PutOp, SearchOp

from langchain_google_memorystore_redis import MemorystoreStore
from langchain_google_memorystore_redis._store.codec import encode_value
from langchain_google_memorystore_redis._store.requests import Put
from tests.checkpoint.savers import Pair
from tests.faults import CUT_AFTER_PARTIAL_REPLY, CUT_BEFORE, DROP_REPLY, ClusterProxy, Proxy
from tests.plugins.clients import Target
from tests.store.stores import DoorStore, StoreDoor, keys, store_door
from tests.store.test_semantics import index

NS = ("users", "ada")
FEW = [
    Pair(Target("valkey-9.1"), "sync"),
    Pair(Target("redis-7.0", protocol=2), "async"),
    Pair(Target("redis-5.0", protocol=2), "thread"),
    Pair(Target("valkey-9.1", cluster=True, protocol=2), "sync"),
    Pair(Target("redis-7.0", cluster=True, decode_responses=True), "async"),
]


@pytest.fixture(params=FEW, ids=str)
def pair(request: pytest.FixtureRequest) -> Pair:
    """Fewer targets: each proxy takes its time."""
    chosen: Pair = request.param
    return chosen


@pytest.fixture
async def proxied(pair: Pair, proxy: Proxy | ClusterProxy, prefix: str) -> AsyncIterator[StoreDoor]:
    """A way in, through the network that `proxy` controls; its client tries again by itself."""
    options = dict(proxy.client_options)
    if not pair.target.cluster:
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        asyncio_retry = redis.asyncio.retry.Retry
        kind: Any = asyncio_retry if pair.way == "async" else Retry
        options["retry"] = kind(NoBackoff(), 5)
    async with store_door(pair.way, pair.target, proxy.port, prefix, options) as made:
        yield made


async def test_what_is_sent_again_happens_once(
    proxied: StoreDoor, proxy: Proxy | ClusterProxy
) -> None:
    store = proxied.open(index=index())
    for fault in (DROP_REPLY, CUT_AFTER_PARTIAL_REPLY, CUT_BEFORE):
        await store.put(NS, "a", {"text": "a"})
        before = await store.get(NS, "a")
        proxy.inject(fault, on="EVALSHA")
        await store.put(NS, "a", {"text": "ab"})
        item = await store.get(NS, "a")
        assert item.value == {"text": "ab"}
        assert item.created_at == before.created_at
        proxy.inject(fault, on="EVALSHA")
        await store.batch([PutOp(NS, f"{n}", {"text": "b"}) for n in range(5)])
        proxy.inject(fault)
        assert len(await store.search(NS, query="b")) == 6
        proxy.inject(fault)
        assert await store.list_namespaces() == [NS]
        proxy.inject(fault, on="EVALSHA")
        await store.delete(NS, "a")
        assert await store.get(NS, "a") is None
    assert sum(proxy.injected.values()) == 15


async def test_a_put_sent_again_does_not_overwrite_what_others_put_meanwhile(
    door: StoreDoor,
) -> None:
    store, other = door.open(), door.open()
    value = encode_value(NS, "a", {"n": 1})
    first = store.store._ops._op(Put(NS, b"a", value, 0), {})

    async def run(op: Any) -> None:
        if door.by_async:
            await store.store._async.run(op)
        else:
            store.store._sync.run(op)

    await store.put(NS, "a", {"n": 0})
    await run(first)
    one = await store.get(NS, "a")
    await run(first)
    again = await store.get(NS, "a")
    assert one.updated_at == again.updated_at
    for number in range(2, 5):
        await other.put(NS, "a", {"n": number})
        await run(first)
        assert (await store.get(NS, "a")).value == {"n": number}


async def cost(proxy: Proxy | ClusterProxy, call: Callable[[], Awaitable[Any]]) -> int:
    with proxy.counting() as count:
        await call()
    return count.round_trips


async def warm(store: DoorStore) -> None:
    """Open the connections and teach every node the scripts."""
    for number in range(24):
        space = (f"warm-{number * 7919}",)
        await store.put(space, "a", {"text": "a"}, ttl=5)
        await store.get(space, "a")
        await store.search(space, query="a")
        await store.list_namespaces(prefix=space)
        await store.delete(space, "a")
        await store.search(space)


async def test_round_trips(proxied: StoreDoor, proxy: Proxy | ClusterProxy, target: Target) -> None:
    store = proxied.open(index=index())
    await warm(store)
    more = 1 if target.cluster else 0
    await store.batch([PutOp(NS, f"{n}", {"text": "a", "n": n}) for n in range(200)])
    await store.batch([PutOp(("n", f"{n}"), "a", {"text": "a"}, ttl=5) for n in range(9)])
    costs: list[tuple[int, Callable[[], Awaitable[Any]]]] = [
        (1 + more, lambda: store.put(NS, "a", {"text": "b"})),
        (1, lambda: store.get(NS, "a")),
        (1, lambda: store.get(NS, "a", refresh_ttl=False)),
        (1, lambda: store.delete(NS, "a")),
        (1 + more, lambda: store.batch([PutOp(NS, f"{n}", {"n": n}) for n in range(50)])),
        (1, lambda: store.batch([GetOp(NS, f"{n}") for n in range(50)])),
        (2, lambda: store.search(NS)),
        (2, lambda: store.search(NS, limit=5, offset=100)),
        (2, lambda: store.search(NS, filter={"n": {"$gte": 0}}, limit=200)),
        (3, lambda: store.search(NS, query="a")),
        (2, lambda: store.batch([SearchOp(NS), GetOp(NS, "1"), SearchOp(NS, {"n": 1})])),
        (2, lambda: store.list_namespaces(prefix=NS)),
    ]
    for place, (expected, call) in enumerate(costs):
        assert await cost(proxy, call) == expected, place
    if not target.cluster:  # where one node follows the other, by blocking methods
        assert await cost(proxy, lambda: store.search(("n",), refresh_ttl=False)) == 3
        assert await cost(proxy, lambda: store.search(("n",))) == 4


@pytest.fixture
def limited_ways(limited: tuple[Target, int, str], prefix: str) -> Any:
    target, port, name = limited
    login = {"username": name, "password": "pw"}
    return [store_door(way, target, port, f"chat:{prefix}", login) for way in ("sync", "async")]


async def test_a_user_limited_to_the_prefix_can_do_everything(limited_ways: Any) -> None:
    for way in limited_ways:
        async with way as door:
            store = door.open(index=index())
            await store.batch([PutOp(NS, f"{n}", {"text": "a", "n": n}, ttl=5) for n in range(3)])
            await store.put(NS, "3", {"text": "ab"})
            assert (await store.get(NS, "1")).value["n"] == 1
            assert keys(await store.search(NS, query="ab", filter={"n": {"$ne": 2}})) != []
            assert keys(await store.search(("users",))) == ["3", "2", "1", "0"]
            assert await store.list_namespaces() == [NS]
            for number in range(4):
                await store.delete(NS, f"{number}")
            assert await store.list_namespaces() == []
            with pytest.raises(Exception, match=r"(?i)permission|access"):
                await door.open(key_prefix="private:").put(NS, "a", {})


async def test_an_outage_is_an_error_and_not_an_empty_store(
    proxied: StoreDoor, proxy: Proxy | ClusterProxy
) -> None:
    store = proxied.open()
    await store.put(NS, "a", {})
    proxy.inject(CUT_BEFORE, 1000)
    for op in (GetOp(NS, "a"), SearchOp(NS), ListNamespacesOp(), PutOp(NS, "a", {})):
        with pytest.raises((redis.ConnectionError, redis.RedisError, OSError)):
            await store.batch([op])


def test_from_conn_string_makes_a_store(target: Target, servers: Any, prefix: str) -> None:
    url = f"redis://127.0.0.1:{target.port(servers)}"
    if target.engine == "redis-5.0":
        url += "?protocol=2"
    with MemorystoreStore.from_conn_string(url, key_prefix=prefix, ttl={"default_ttl": 5}) as made:
        made.put(NS, "a", {"n": 1})
        assert made.get(NS, "a") is not None
