"""Results of a graph's nodes: the cases of LangGraph's own cache tests, and what they leave out."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.func import entrypoint, task
from langgraph.graph import StateGraph
from langgraph.types import CachePolicy

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    InvalidArgumentError,
    MemorystoreNodeCache,
)
from langchain_google_memorystore_redis._cache.keys import CacheKeys
from tests.cache.caches import NAMESPACE, nodes
from tests.faults import ClusterProxy, Proxy
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.doors import Door
from tests.plugins.servers import Servers

KEY = (NAMESPACE, "key")


@pytest.mark.parametrize(
    "value", ["text", None, 0, [1, [2.5, "é"]], {"a": {1, 2}}, b"bytes", AIMessage("a", id="1")]
)
async def test_a_value_comes_back_equal(door: Door, value: Any) -> None:
    cache = nodes(door)
    await cache.set({KEY: (value, None)})
    assert await cache.get([KEY, (NAMESPACE, "other")]) == {KEY: value}


async def test_nothing_asked_for_is_nothing_found(door: Door) -> None:
    cache = nodes(door)
    await cache.set({})
    assert await cache.get([]) == {}
    assert await cache.get([KEY]) == {}


async def test_many_values_in_many_namespaces(door: Door) -> None:
    cache = nodes(door)
    pairs = {((f"n{n % 3}",), f"k{n}"): (n, None) for n in range(30)}
    await cache.set(pairs)
    assert await cache.get(list(pairs)) == {name: value for name, (value, _) in pairs.items()}


async def test_names_that_look_alike_are_kept_apart(door: Door) -> None:
    cache = nodes(door)
    names: list[Any] = [
        (("a", "b"), "c"),
        (("a:b",), "c"),
        (("a",), "b:c"),
        ((), "a:b:c"),
        (("a", "b", "c"), ""),
        (("A", "b"), "c"),
        (("a", "b\x00"), "c"),
        (("{a}", "b"), "c"),
    ]
    await cache.set({name: (place, None) for place, name in enumerate(names)})
    assert await cache.get(names) == {name: place for place, name in enumerate(names)}
    await cache.clear([("a", "b")])
    assert await cache.get(names) == {n: p for p, n in enumerate(names) if n[0] != ("a", "b")}


async def test_clear_is_of_exactly_the_named_namespaces(door: Door) -> None:
    cache = nodes(door)
    pairs: dict[Any, Any] = {
        (namespace, f"{n}"): (n, None)
        for n in range(20)
        for namespace in ((), ("a",), ("a", "b"), ("b",))
    }
    await cache.set(pairs)
    await cache.clear([])
    assert len(await cache.get(list(pairs))) == 80
    await cache.clear([("a",), ("b",)])
    assert {namespace for namespace, _ in await cache.get(list(pairs))} == {(), ("a", "b")}
    await cache.clear([()])
    assert {namespace for namespace, _ in await cache.get(list(pairs))} == {("a", "b")}
    await cache.set(pairs)
    await cache.clear()
    assert await cache.get(list(pairs)) == {}


@pytest.mark.parametrize(("default", "own", "expected"), [(60, None, 60), (60, 5, 5), (None, 5, 5)])
async def test_the_ttl_of_a_policy_wins(
    door: Door, raw: Any, default: int | None, own: int | None, expected: int
) -> None:
    cache = nodes(door, ttl=default)
    await cache.set({KEY: ("value", own)})
    assert await cache.get([KEY]) == {KEY: "value"}
    entry = CacheKeys(door.prefix).of_entry(["key"], NAMESPACE)[-1]
    assert expected * 1000 - 2000 < raw.pttl(entry) <= expected * 1000


async def test_a_generation_outlives_what_was_written_in_it(door: Door, raw: Any) -> None:
    cache = nodes(door)
    await cache.set({KEY: ("value", 1000)})
    await cache.set({KEY: ("value", 5)})
    for key in CacheKeys(door.prefix).of_entry(["key"], NAMESPACE)[:-1]:
        assert raw.pttl(key) > 900_000


async def test_a_value_expires(door: Door) -> None:
    cache = nodes(door)
    await cache.set({KEY: ("value", 0.05)})
    await asyncio.sleep(0.1)
    assert await cache.get([KEY]) == {}


@pytest.mark.parametrize("ttl", [0, -1])
async def test_a_ttl_of_nothing_is_refused(door: Door, ttl: int) -> None:
    with pytest.raises(InvalidArgumentError, match="ttl"):
        await nodes(door).set({KEY: ("value", ttl)})


async def test_a_namespace_that_is_a_text_is_refused(door: Door) -> None:
    cache = nodes(door)
    with pytest.raises(ArgumentTypeError, match="namespace"):
        await cache.get([("ab", "key")])
    with pytest.raises(ArgumentTypeError, match="namespace"):
        await cache.clear(["ab"])


async def test_a_value_that_no_serializer_takes_is_not_cached(
    client: Any, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache: Any = MemorystoreNodeCache(client, key_prefix=prefix, on_outage="raise")
    other = (NAMESPACE, "other")
    for _ in range(2):
        cache.set({KEY: (open, None), other: (1, None)})
    assert cache.get([KEY, other]) == {other: 1}
    (record,) = caplog.records
    assert "not cached" in record.getMessage()


async def test_a_value_that_cannot_be_read_is_a_miss(door: Door, raw: Any) -> None:
    cache = nodes(door)
    await cache.set({KEY: ("value", None)})
    *_, entry = CacheKeys(door.prefix).of_entry(["key"], NAMESPACE)
    stored = raw.get(entry)
    for garbage in (stored[:17], stored[:17] + b"msgpack:\xc1", stored[:17] + b"unknown:1", b""):
        raw.set(entry, garbage)
        assert await cache.get([KEY]) == {}


async def test_several_keys_cost_one_round_trip_a_node(
    proxied_door: Door, proxy: Proxy | ClusterProxy, target: Target
) -> None:
    cache = nodes(proxied_door)
    pairs: dict[Any, Any] = {(NAMESPACE, f"{n}"): (n, None) for n in range(200)}
    most = 3 if target.cluster else 1
    for _ in range(2):
        await cache.set(pairs)
        await cache.get(list(pairs))
        for name in list(pairs)[:64]:
            await cache.get([name])
        await cache.clear([NAMESPACE])
    with proxy.counting() as count:
        await cache.set(pairs)
    assert count.round_trips <= most
    with proxy.counting() as count:
        assert len(await cache.get(list(pairs))) == 200
    assert count.round_trips <= most
    with proxy.counting() as count:
        await cache.clear([NAMESPACE])
    assert count.round_trips <= most
    with proxy.counting() as count:
        await cache.get([KEY])
    assert count.round_trips == 1
    with proxy.counting() as count:
        await cache.clear([])
    assert count.round_trips == 0


class State(TypedDict):
    """State of a graph that counts."""

    n: Annotated[int, operator.add]


@pytest.mark.parametrize("by_async", [False, True])
async def test_a_node_with_a_policy_runs_once(
    target: Target, servers: Servers, prefix: str, by_async: bool
) -> None:
    runs = []

    def slow(state: State) -> dict[str, int]:
        runs.append(state)
        return {"n": 10}

    async with asyncio_client(target, target.port(servers)) as async_client:
        blocking = target.connect(target.port(servers))
        cache: Any = MemorystoreNodeCache(blocking, async_client=async_client, key_prefix=prefix)
        graph = (
            StateGraph(State)
            .add_node("slow", slow, cache_policy=CachePolicy(ttl=60))
            .set_entry_point("slow")
            .set_finish_point("slow")
            .compile(cache=cache)
        )
        for expected in (1, 1):
            start: Any = {"n": 1}
            found = await graph.ainvoke(start) if by_async else graph.invoke(start)
            assert (found, len(runs)) == ({"n": 11}, expected)
        await graph.aclear_cache() if by_async else graph.clear_cache()
        await graph.ainvoke(start) if by_async else graph.invoke(start)
        assert len(runs) == 2
        blocking.close()


def test_a_task_that_answers_none_runs_once(client: Any, prefix: str) -> None:
    runs = []

    def run(value: int) -> None:
        runs.append(value)

    nothing: Any = task(run, cache_policy=CachePolicy())  # type: ignore[call-overload]

    @entrypoint(cache=MemorystoreNodeCache(client, key_prefix=prefix))
    def flow(value: int) -> str:
        nothing(value).result()
        return "done"

    for _ in range(3):
        assert flow.invoke(1) == "done"
    assert runs == [1]


def test_another_serializer_reads_what_it_wrote(client: Any, prefix: str) -> None:
    serde = JsonPlusSerializer(pickle_fallback=True)
    cache: Any = MemorystoreNodeCache(client, key_prefix=prefix, serde=serde)
    cache.set({KEY: (complex(1, 2), None)})
    assert cache.get([KEY]) == {KEY: complex(1, 2)}
