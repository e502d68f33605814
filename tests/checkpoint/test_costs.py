"""What a saver costs: round trips, memory, and the work of long threads."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import pytest
import redis
import redis.asyncio
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_google_memorystore_redis import MemorystoreSaver
from langchain_google_memorystore_redis._checkpoint import operations as ops
from langchain_google_memorystore_redis._checkpoint.pages import CheckpointAddress
from langchain_google_memorystore_redis._redis.runners import Runner
from tests.checkpoint.interleaved import Running
from tests.checkpoint.savers import Saver, checkpoint_of, config_of, grow, keys_of, opened, steps
from tests.faults import ClusterProxy, Proxy
from tests.plugins.clients import Target
from tests.plugins.faults import ProxyBefore
from tests.plugins.servers import Servers
from tests.servers.processes import Server


@pytest.fixture(params=[Target("redis-7.0"), Target("valkey-9.1", cluster=True)], ids=str)
def counted_target(request: pytest.FixtureRequest) -> Target:
    target: Target = request.param
    return target


@pytest.fixture
def proxy(counted_target: Target, proxy_before: ProxyBefore) -> Proxy | ClusterProxy:
    return proxy_before(counted_target)


@pytest.fixture(params=["async", "sync"])
async def counted(
    request: pytest.FixtureRequest,
    counted_target: Target,
    proxy: Proxy | ClusterProxy,
    prefix: str,
) -> AsyncIterator[Saver]:
    """A saver whose round trips the proxy counts; the servers know the scripts already."""
    way = opened(counted_target, proxy.port, request.param, proxy.client_options, key_prefix=prefix)
    async with way as saver:
        # Names that have little in common: those that differ in a digit share few nodes.
        for thread in (uuid.uuid4().hex for _ in range(24)):
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
    monkeypatch.setattr(ops, "CHECKPOINTS_PER_PAGE", 4)
    monkeypatch.setattr(ops, "RECORDS_PER_PAGE", 8)
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
        # Checkpoints; what is needed; all fields, and those that are not.
        (partial(counted.aprune, ["t", "copy"]), 2 * (1 + 1 + 2)),
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
                    place = CheckpointAddress(
                        name, "", parent["configurable"].get("checkpoint_id", "")
                    )
                    flow = saver._ops.put(place, checkpoint, {"step": step}, {"step": step})
                    op: Any = next(flow)
                    pipe.execute_command(*op.command if step else op.eval_command())
                    parent = config_of(name, "", checkpoint["id"])
                    writes = saver._ops.put_writes(
                        CheckpointAddress(name, "", checkpoint["id"]), "task", "", [(0, "a", step)]
                    )
                    write: Any = next(writes)
                    pipe.execute_command(*write.eval_command())
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
    assert len(list(saver.list(config_of("short"), filter={"step": 1}))) == 1


def test_a_long_thread_is_pruned_in_calls_that_each_remove_little(
    long_threads: tuple[Any, MemorystoreSaver],
) -> None:
    client, saver = long_threads
    running = Running(Runner(client), saver._ops.prune(["long"], "keep_latest"))
    sizes = [client.hlen("checkpoint:{long}:data")]
    while running.advance():
        sizes.append(client.hlen("checkpoint:{long}:data"))
    assert max(before - after for before, after in itertools.pairwise(sizes)) <= 500
    assert len(list(saver.list(config_of("long")))) == 1
    assert sizes[-1] < 10


def _scripts(client: Any) -> Iterator[Any]:
    stats = client.info("commandstats")
    return (stats[name] for name in ("cmdstat_evalsha", "cmdstat_eval") if name in stats)
