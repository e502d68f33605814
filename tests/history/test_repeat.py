"""Repeating an append whose outcome is unknown, and waiting for replicas."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    InvalidArgumentError,
    InvalidMessageError,
    MemorystoreChatMessageHistory,
    NotReplicatedError,
)
from langchain_google_memorystore_redis._history import idempotency
from tests.faults import (
    CUT_AFTER_PARTIAL_REPLY,
    CUT_BEFORE,
    CUT_DURING,
    DROP_REPLY,
    STALL,
    Fault,
    Proxy,
    delay,
)
from tests.plugins.doors import Door, DoorHistory
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers
from tests.servers.clusters import Cluster
from tests.servers.processes import Server, wait_until

NO_RETRY = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
NO_RETRY_ASYNC = redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0)


def turn() -> list[BaseMessage]:
    return [HumanMessage("?"), AIMessage("!")]


@pytest.fixture
def proxy(servers: Servers, proxy_to: ProxyTo) -> Proxy:
    return proxy_to(servers.standalone("valkey-9.1").port)


@pytest.fixture(params=["sync", "async"])
async def impatient(
    request: pytest.FixtureRequest, proxy: Proxy, prefix: str
) -> AsyncIterator[Door]:
    """A door behind a faulty network, whose client never tries again by itself."""
    settings: dict[str, Any] = {"port": proxy.port, "socket_timeout": 0.3}
    if request.param == "async":
        async with redis.asyncio.Redis(retry=NO_RETRY_ASYNC, **settings) as client:
            yield Door(client, by_async=True, prefix=prefix)
    else:
        with redis.Redis(retry=NO_RETRY, **settings) as client:
            yield Door(client, by_async=False, prefix=prefix)


async def begun_and_lost(door: Door, proxy: Proxy, messages: list[BaseMessage]) -> DoorHistory:
    """A session of one message, to which others were added whose reply was lost."""
    history = door.open()
    await history.add_messages([HumanMessage("before")])
    proxy.inject(DROP_REPLY, on="EVALSHA")
    with pytest.raises(redis.ConnectionError):
        await history.add_messages(messages)
    return history


STORED = {
    CUT_BEFORE: 0,
    CUT_DURING: 0,
    DROP_REPLY: 2,
    CUT_AFTER_PARTIAL_REPLY: 2,
    STALL: 2,
    delay(0.5): 2,
}
"""How many messages of two the server has when a client that waits 0.3 s has given up."""


@pytest.mark.parametrize("fault", STORED, ids=lambda fault: fault.name)
async def test_an_append_that_raised_can_be_repeated_with_the_same_messages(
    impatient: Door, proxy: Proxy, fault: Fault
) -> None:
    history, messages = impatient.open(), turn()
    await history.add_messages([HumanMessage("before")])
    for _ in range(3):
        proxy.inject(fault, on="EVALSHA")
        with pytest.raises((redis.ConnectionError, redis.TimeoutError)):
            await history.add_messages(messages)
    assert await history.count() == 1 + STORED[fault]
    await impatient.open().add_messages(messages)
    assert await history.messages() == [HumanMessage("before"), *turn()]


async def test_other_objects_changed_ones_and_a_second_success_are_new_messages(
    impatient: Door, proxy: Proxy
) -> None:
    messages = turn()
    history = await begun_and_lost(impatient, proxy, messages)
    await history.add_messages(turn())
    assert await history.count() == 5
    messages[1].content = "changed"
    await history.add_messages(messages)
    await history.add_messages(messages)
    assert [m.content for m in await history.messages()] == [
        *("before", "?", "!", "?", "!"),
        *("?", "changed", "?", "changed"),
    ]


async def test_a_cancelled_append_can_be_repeated(prefix: str, proxy: Proxy) -> None:
    async with redis.asyncio.Redis(port=proxy.port) as client:
        history = MemorystoreChatMessageHistory(client, "s", key_prefix=prefix)
        await history.aadd_messages(turn())
        messages = turn()
        proxy.inject(STALL, on="EVALSHA")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(history.aadd_messages(messages), 0.2)
        assert proxy.injected[STALL] == 1
        await history.aadd_messages(messages)
        assert await history.aget_messages() == [*turn(), *turn()]


async def test_a_repeat_is_found_among_all_that_others_wrote_since(
    impatient: Door, proxy: Proxy, servers: Servers
) -> None:
    with redis.Redis(port=servers.standalone("valkey-9.1").port) as client:
        others = Door(client, by_async=False, prefix=impatient.prefix).open(max_messages=500)
        await others.add_messages([HumanMessage(str(number)) for number in range(500)])
        history, message = impatient.open(), HumanMessage("once")
        await history.messages()
        proxy.inject(DROP_REPLY, on="EVALSHA")
        with pytest.raises(redis.ConnectionError):
            await history.add_messages([message])
        # Their trims keep the length, and the writer learns it anew.
        await others.add_messages([HumanMessage(str(number)) for number in range(100)])
        await history.messages()
        await history.add_messages([message])
        assert [m.content for m in await others.messages()].count("once") == 1


async def test_a_repeat_that_is_refused_can_be_repeated_when_mended(
    impatient: Door, proxy: Proxy
) -> None:
    messages = turn()
    history = await begun_and_lost(impatient, proxy, messages)
    messages[1].content = 5  # type: ignore[assignment]
    with pytest.raises(InvalidMessageError, match="content"):
        await history.add_messages(messages)
    messages[1].content = "!"
    await history.add_messages(messages)
    assert await history.messages() == [HumanMessage("before"), *turn()]


async def test_an_object_is_a_new_message_when_the_append_of_it_failed_long_ago(
    impatient: Door, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    greeting = AIMessage("Hello!")
    monkeypatch.setattr(idempotency, "_MAX_AGE", 0)
    history = await begun_and_lost(impatient, proxy, [greeting])
    await history.add_messages([greeting])
    assert await history.messages() == [HumanMessage("before"), greeting, greeting]


def test_what_an_outage_leaves_to_repeat_is_bounded() -> None:
    down = redis.Redis(port=1, retry=NO_RETRY)
    history = MemorystoreChatMessageHistory(down, "s")
    large = [HumanMessage(str(number) * 2_000_000) for number in range(10)]
    tracemalloc.start()
    for _ in range(6):
        for message in large:
            with pytest.raises(redis.ConnectionError):
                history.add_message(message.model_copy())
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 20e6 < held < 80e6
    with pytest.raises(redis.ConnectionError):
        history.add_message(HumanMessage("x" * 70_000_000))
    history._appends.attempt(history._ops, [HumanMessage("the next")])
    assert history._appends._bytes > 70_000_000
    assert len(history._appends._unconfirmed) == 1


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"replicas_ack": -1}, InvalidArgumentError),
        ({"replicas_ack": "1"}, ArgumentTypeError),
        ({"replicas_ack": 1, "replicas_ack_timeout": 0}, InvalidArgumentError),
    ],
)
def test_settings_of_replicas_are_checked(settings: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="replicas_ack"):
        MemorystoreChatMessageHistory(redis.Redis(port=1), "s", **settings)


@pytest.fixture(scope="module", params=["redis-5.0", "redis-6.2", "redis-7.0", "valkey-9.1"])
def replicated(request: pytest.FixtureRequest, servers: Servers) -> Iterator[list[Server]]:
    """A primary and two replicas that have caught up."""
    engine = servers.engine(request.param)
    with Server(engine) as primary:
        link = ("--replicaof", "127.0.0.1", str(primary.port))
        with Server(engine, *link) as first, Server(engine, *link) as second:
            for replica in (first, second):
                wait_until(lambda r=replica: r.info("master_link_status") == "up", "the link")  # type: ignore[misc]
            yield [primary, first, second]


@pytest.fixture(params=["sync", "async", "thread"])
async def replicated_door(
    request: pytest.FixtureRequest, replicated: list[Server], prefix: str
) -> AsyncIterator[Door]:
    settings: dict[str, Any] = {"port": replicated[0].port, "protocol": 2}
    if request.param == "async":
        async with redis.asyncio.Redis(**settings) as client:
            yield Door(client, by_async=True, prefix=prefix)
    else:
        with redis.Redis(**settings) as client:
            yield Door(client, by_async=request.param == "thread", prefix=prefix)


async def test_an_append_waits_for_the_replicas_it_asks_for(
    replicated_door: Door, replicated: list[Server]
) -> None:
    history = replicated_door.open(replicas_ack=2, replicas_ack_timeout=4)
    await history.add_messages(turn())
    key = f"{replicated_door.prefix}session"
    assert [server.cli("LLEN", key) for server in replicated] == [2, 2, 2]
    copied = await history.copy("other")
    assert copied.history._ops.replicas_ack == 2


async def test_a_stalled_replica_is_reported_and_the_messages_are_stored_once(
    replicated_door: Door, replicated: list[Server]
) -> None:
    history = replicated_door.open(replicas_ack=2, replicas_ack_timeout=0.5)
    messages = turn()
    replicated[2].pause()
    try:
        for _ in range(2):
            with pytest.raises(NotReplicatedError, match="stored, but only 1 of 2") as caught:
                await history.add_messages(messages)
            assert (caught.value.acknowledged, caught.value.wanted) == (1, 2)
            assert caught.value.session_id == "session"
            # Valkey's WAIT asks about the writes of its own connection: the next one is another.
            closed = replicated_door.client.connection_pool.disconnect()
            if closed is not None:
                await closed
        assert await history.messages() == turn()
    finally:
        replicated[2].resume()
    again = replicated_door.open(replicas_ack=2, replicas_ack_timeout=4)
    await again.add_messages(messages)
    assert await history.messages() == turn()


def test_waiting_costs_no_further_round_trip(
    replicated: list[Server], proxy_to: ProxyTo, prefix: str
) -> None:
    proxy = proxy_to(replicated[0].port)
    with redis.Redis(port=proxy.port, protocol=2) as client:
        history = MemorystoreChatMessageHistory(
            client, "s", key_prefix=prefix, replicas_ack=1, replicas_ack_timeout=4
        )
        history.add_messages(turn())
        with proxy.counting() as count:
            history.add_messages(turn())
        assert count.round_trips == 1
        assert count.commands == ["EVAL", "WAIT"]


async def test_an_append_to_a_cluster_waits_for_the_replica_of_its_node(servers: Servers) -> None:
    with Cluster(servers.engine("valkey-9.1"), replicas=1) as cluster:
        for node in cluster.replicas:
            wait_until(lambda n=node: n.info("master_link_status") == "up", "the link")  # type: ignore[misc]
        sync = redis.RedisCluster(port=cluster.ports[0], host="127.0.0.1")
        awaited = redis.asyncio.RedisCluster(port=cluster.ports[0], host="127.0.0.1")
        for client, by_async in ((sync, False), (awaited, True)):
            door = Door(client, by_async, f"{by_async}:")
            for name in map(str, range(9)):
                history = door.open(name, replicas_ack=1, replicas_ack_timeout=4)
                await history.add_messages(turn())
                assert await history.messages() == turn()
            with pytest.raises(NotReplicatedError, match="1 of 2"):
                await door.open("two", replicas_ack=2, replicas_ack_timeout=0.5).add_messages(
                    turn()
                )
        await awaited.aclose()
        sync.close()
