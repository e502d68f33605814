"""Reading again moves and decodes what is new, and gives what an uncached reader gets."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    CorruptEntryError,
    InvalidArgumentError,
    MemorystoreChatMessageHistory,
    MemorystoreError,
    ReadCache,
)
from langchain_google_memorystore_redis._history import operations as ops
from langchain_google_memorystore_redis._history import read_cache
from langchain_google_memorystore_redis._history.copies import restore_messages, take_snapshot
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.doors import Door
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers
from tests.samples import one_of_each
from tests.servers.processes import Server

SOME = [
    Target("redis-5.0", protocol=2),
    Target("valkey-9.1", decode_responses=True),
    Target("redis-7.0", cluster=True),
]
VALKEY = [Target("valkey-9.1")]
OLD = b'{"type": "human", "data": {"content": "hi", "type": "human"}}'


def numbered(start: int, stop: int) -> list[BaseMessage]:
    return [HumanMessage(f"message {number}") for number in range(start, stop)]


@pytest.mark.parametrize("target", SOME, ids=str)
async def test_reading_again_finds_what_was_added_by_anyone(door: Door) -> None:
    history = door.open(cache=ReadCache())
    other = door.open()
    await history.add_messages(numbered(0, 40))
    for added in (0, 1, 3, 50):
        expected = [*await history.messages(), *numbered(1000, 1000 + added)]
        if added:
            await other.add_messages(numbered(1000, 1000 + added))
        assert await history.messages() == await history.get_messages() == expected
    assert await history.get_messages(-3) == expected[-3:]


def test_reading_again_moves_what_is_new_only(servers: Servers, proxy_to: ProxyTo) -> None:
    with Server(servers.engine("valkey-9.1")) as server:
        proxy = proxy_to(server.port)
        with redis.Redis(port=proxy.port) as client:
            history = MemorystoreChatMessageHistory(client, "session", cache=ReadCache())
            history.add_messages(numbered(0, 5000))
            assert len(history.messages) == 5000
            for turn in range(5000, 5006, 2):
                history.add_messages(numbered(turn, turn + 2))
                before = int(server.info("total_net_output_bytes") or 0)
                with proxy.counting() as counted:
                    assert history.messages == numbered(0, turn + 2)
                assert counted.round_trips == 1
                assert int(server.info("total_net_output_bytes") or 0) - before < 20_000


def test_copies_are_equal_and_share_nothing() -> None:
    samples = one_of_each()
    snapshot = take_snapshot(samples)
    assert snapshot is not None
    first, second = restore_messages(snapshot), restore_messages(snapshot)
    assert first == second == samples
    assert [type(message) for message in first] == [type(message) for message in samples]
    for one, two, sample in zip(first, second, samples, strict=True):
        assert one.model_fields_set == sample.model_fields_set
        assert one.model_extra == sample.model_extra
        assert one.model_extra is not two.model_extra
        assert list(one.__dict__) == list(sample.__dict__)
        for name, value in one.__dict__.items():
            if isinstance(value, (dict, list)):
                assert value is not two.__dict__[name]
        one.model_fields_set.add("mine")
        assert two.model_fields_set == sample.model_fields_set
        one.additional_kwargs["mine"] = {"deep": []}
        one.content = "changed"
    assert second == samples


@pytest.mark.parametrize("target", VALKEY, ids=str)
async def test_what_a_caller_changes_is_its_own(door: Door) -> None:
    history = door.open(cache=ReadCache())
    call = {"name": "search", "args": {"words": ["a"]}, "id": "1", "type": "tool_call"}
    await history.add_messages([AIMessage("", tool_calls=[call])])
    for _ in range(3):
        messages = await history.messages()
        (message,) = messages
        assert message == AIMessage("", tool_calls=[call])
        message.tool_calls[0]["args"]["words"].append("b")
        message.content = "changed"
        messages.append(HumanMessage("mine"))


class CachedReaders(RuleBasedStateMachine):
    """Two readers with a cache each, and one without; whatever is done, they read the same."""

    client: Any
    raw: Any
    prefix: str
    runs = count()

    @initialize(bound=st.sampled_from([None, 6]))
    def start(self, bound: int | None) -> None:
        self.number = 0
        self.bound = bound
        self.space = f"{self.prefix}{next(self.runs)}:"
        self.readers = [self.history("session", cache=ReadCache()) for _ in range(2)]
        self.key = self.readers[0].key

    def history(self, session_id: str, **options: Any) -> MemorystoreChatMessageHistory:
        options.setdefault("max_messages", self.bound)
        return MemorystoreChatMessageHistory(
            self.client, session_id, key_prefix=self.space, **options
        )

    def batch(self, size: int) -> list[BaseMessage]:
        self.number += size
        kinds = (HumanMessage, AIMessage, lambda text: ToolMessage(text, tool_call_id="c"))
        return [kinds[(self.number + n) % 3](f"{self.number} {n}") for n in range(size)]

    readers_ = st.integers(0, 1)

    @invariant()
    def all_read_the_same(self) -> None:
        if self.number % 3 and hasattr(self, "readers"):
            self.read(0)

    @rule(reader=readers_)
    def read(self, reader: int) -> None:
        expected = self.history("session").messages
        found = self.readers[reader].messages
        assert found == expected
        assert [type(message) for message in found] == [type(message) for message in expected]
        for message in found:
            message.content = "spoilt"

    @rule(writer=readers_, size=st.integers(1, 9))
    def append(self, writer: int, size: int) -> None:
        self.readers[writer].add_messages(self.batch(size))

    @rule(size=st.integers(1, 3))
    def append_by_release_030(self, size: int) -> None:
        self.raw.rpush(self.key, *[OLD] * size)

    @rule(size=st.integers(1, 4))
    def append_by_one_who_bounds_it(self, size: int) -> None:
        self.history("session", max_messages=4).add_messages(self.batch(size))

    @rule(length=st.integers(0, 9))
    def truncate(self, length: int) -> None:
        self.history("session").truncate(length)

    @rule(reader=readers_)
    def clear(self, reader: int) -> None:
        self.readers[reader].clear()

    @rule()
    def expire(self) -> None:
        self.raw.delete(self.key)

    @rule(length=st.integers(1, 9))
    def come_back_from_a_copy(self, length: int) -> None:
        copied = self.history("session").copy("branch", length)
        self.raw.delete(self.key)
        self.history("branch").copy("session")
        copied.clear()

    @rule(lost=st.integers(1, 4), others=st.integers(0, 4))
    def lose_the_newest_and_repeat_the_last(self, lost: int, others: int) -> None:
        newest = self.raw.lrange(self.key, -1, -1)
        self.raw.ltrim(self.key, 0, -1 - lost)
        if others:
            self.history("session").add_messages(self.batch(others))
        self.raw.rpush(self.key, *newest or [OLD])


@pytest.mark.parametrize("target", [Target("valkey-9.1"), Target("redis-5.0", protocol=2)], ids=str)
def test_cached_readers_read_what_is_there_whatever_happens(
    client: Any, raw: Any, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "ELEMENTS_PER_PAGE", 5)
    monkeypatch.setattr(read_cache, "_MAX_DROPPED", 3)
    namespace = {"client": client, "raw": raw, "prefix": prefix}
    run_state_machine_as_test(
        type("Machine", (CachedReaders,), namespace),
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_reader_that_remembers_notices_a_server_restarted_empty(servers: Servers) -> None:
    engine = servers.engine("valkey-9.1")
    with Server(engine) as server, redis.Redis(port=server.port) as client:
        history = MemorystoreChatMessageHistory(client, "session", cache=ReadCache())
        history.add_messages(numbered(0, 10))
        assert len(history.messages) == 10
        server.kill()
        server.start()
        assert history.messages == []
        history.add_messages(numbered(20, 23))
        assert history.messages == numbered(20, 23)


@pytest.mark.parametrize("target", VALKEY, ids=str)
async def test_a_large_message_that_comes_again_proves_nothing_alone(door: Door, raw: Any) -> None:
    key, large = f"{door.prefix}session", HumanMessage("x" * 5000)
    history = door.open(cache=ReadCache())
    await history.add_messages([HumanMessage("first"), HumanMessage("second"), large])
    await history.messages()
    element = raw.lindex(key, -1)
    raw.ltrim(key, 0, 0)
    await door.open().add_messages([HumanMessage("other")])
    raw.rpush(key, element)  # as when its append is repeated
    assert await history.messages() == [HumanMessage("first"), HumanMessage("other"), large]


@pytest.mark.parametrize("target", VALKEY, ids=str)
async def test_a_replaced_message_is_read_again_after_max_age(
    door: Door, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, key = [1_000.0], f"{door.prefix}session"
    monkeypatch.setattr(read_cache, "time", SimpleNamespace(monotonic=lambda: now[0]))
    history = door.open(cache=ReadCache(max_age=300))
    await history.add_messages([HumanMessage("secret"), *numbered(1, 200)])
    await history.messages()
    raw.lset(key, 0, raw.lindex(key, 0).replace(b"secret", b"[gone]"))
    now[0] += 299
    await history.add_messages([HumanMessage("last")])
    assert len(await history.messages()) == 201
    now[0] += 2
    assert (await history.messages())[0] == HumanMessage("[gone]")


@pytest.mark.parametrize("max_age", [0, -1, float("nan"), "300"])
def test_max_age_must_be_a_duration(max_age: Any) -> None:
    with pytest.raises(MemorystoreError, match="max_age"):
        ReadCache(max_age=max_age)


def test_the_sessions_read_longest_ago_are_forgotten(client: Any, prefix: str) -> None:
    cache = ReadCache(max_bytes=20_000)
    sessions = [
        MemorystoreChatMessageHistory(client, name, key_prefix=prefix, cache=cache)
        for name in ("a", "b", "c", "large")
    ]
    for session in sessions[:3]:
        session.add_messages([HumanMessage("x" * 5_000)])
    a, b, c, large = sessions
    for session in (a, b, a, c):
        assert session.messages == [HumanMessage("x" * 5_000)]
    # Each is held with its newest element: two of them fit into 20,000 bytes.
    assert (len(cache), 20_000 - 12_000 < cache.bytes_held <= 20_000) == (1, True)
    large.add_messages([HumanMessage("x" * 30_000)])
    assert len(large.messages) == 1
    assert len(cache) == 1
    c.clear()
    assert (len(cache), cache.bytes_held, bool(cache)) == (0, 0, True)


@pytest.mark.parametrize("target", VALKEY, ids=str)
async def test_threads_and_tasks_share_a_cache(
    target: Target, servers: Servers, client: Any, prefix: str
) -> None:
    cache = ReadCache(max_bytes=60_000)  # less than what is read, so that much is forgotten

    def open_one(client: Any, name: int) -> MemorystoreChatMessageHistory:
        return MemorystoreChatMessageHistory(client, f"{name}", key_prefix=prefix, cache=cache)

    def work(name: int) -> list[BaseMessage]:
        for turn in range(20):
            open_one(client, name).add_messages(numbered(turn, turn + 1))
            found = open_one(client, name).messages
            assert found[: turn + 1] == numbered(0, turn + 1)
        return found

    async def awork(made: Any, name: int) -> list[BaseMessage]:
        found: list[BaseMessage] = []
        for turn in range(20):
            await open_one(made, name).aadd_messages(numbered(turn, turn + 1))
            found = await open_one(made, name).aget_messages()
            assert found[: turn + 1] == numbered(0, turn + 1)
        return found

    async with asyncio_client(target, target.port(servers)) as made:
        with ThreadPoolExecutor(8) as pool:
            threads = [asyncio.get_running_loop().run_in_executor(pool, work, n) for n in range(8)]
            tasks = [awork(made, name) for name in range(8, 24)]
            for found in await asyncio.gather(*threads, *tasks):
                assert found == numbered(0, 20)
    assert 0 < cache.bytes_held <= 60_000


@pytest.mark.parametrize("target", VALKEY, ids=str)
async def test_a_corrupt_element_is_found_again_by_each_read(door: Door, raw: Any) -> None:
    cache = ReadCache()
    raising, skipping = door.open(cache=cache), door.open(cache=cache, on_corrupt="skip")
    await raising.add_messages(numbered(0, 5))
    assert await raising.messages() == numbered(0, 5)
    raw.rpush(raising.history.key, b"{broken")
    for _ in range(2):
        with pytest.raises(CorruptEntryError, match="5"):
            await raising.messages()
        assert await skipping.messages() == numbered(0, 5)
    await raising.add_messages(numbered(5, 6))
    for _ in range(2):
        assert await skipping.messages() == numbered(0, 6)


def test_arguments_are_checked() -> None:
    with pytest.raises(InvalidArgumentError, match="max_bytes"):
        ReadCache(max_bytes=0)
    with pytest.raises(ArgumentTypeError, match="cache"):
        MemorystoreChatMessageHistory(redis.Redis(), "session", cache={})  # type: ignore[arg-type]
