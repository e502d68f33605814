"""Replacing an entry and all after it in one step: an edit, or an answer generated again."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    EntryNotFoundError,
    InvalidArgumentError,
    InvalidMessageError,
    MemorystoreChatMessageHistory,
    ReadCache,
)
from tests.faults import DROP_REPLY
from tests.plugins.clients import Target
from tests.plugins.doors import Door, DoorHistory
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers
from tests.servers.processes import Server


def numbered(count: int, word: str = "old") -> list[BaseMessage]:
    return [HumanMessage(f"{word} {number}") for number in range(count)]


async def id_at(history: DoorHistory, index: int) -> str:
    entry_id: str = (await history.entries())[index].id
    return entry_id


async def test_an_entry_and_all_after_it_are_replaced(door: Door) -> None:
    for index, count in ((0, 1), (0, 5), (0, 7), (2, 1), (2, 3), (2, 4), (4, 1), (4, 2)):
        history = door.open(f"{index} {count}")
        await history.add_messages(numbered(5))
        before = await history.entries()
        await history.replace_from(before[index].id, numbered(count, "new"))
        after = await history.entries()
        assert after[:index] == before[:index]
        assert [entry.message for entry in after[index:]] == numbered(count, "new")
        assert len({entry.id for entry in after}) == len(after)
        await history.add_message(AIMessage("more"))
        assert (await history.messages())[index:] == [*numbered(count, "new"), AIMessage("more")]


async def test_a_long_session_is_searched_and_a_long_batch_is_stored_whole(door: Door) -> None:
    for index in (1_184, 1_183, 200):
        history = door.open(f"{index}")
        await history.add_messages(numbered(1_200))
        await history.replace_from(await id_at(history, index), numbered(1_500, "new"))
        assert await history.messages() == [*numbered(index), *numbered(1_500, "new")]


async def test_an_entry_that_is_not_there_changes_nothing(door: Door) -> None:
    history = door.open()
    with pytest.raises(EntryNotFoundError, match="session 'session' has no entry 'gone'"):
        await history.replace_from("gone", numbered(1))
    assert await history.count() == 0
    await history.add_messages(numbered(3))
    before = await history.entries()
    for wrong in ("gone", before[1].id[:-1], before[1].id[1:], '","id":"', "*"):
        with pytest.raises(EntryNotFoundError) as caught:
            await history.replace_from(wrong, numbered(1, "new"))
        assert (caught.value.session_id, caught.value.entry_id) == ("session", wrong)
        assert isinstance(caught.value, LookupError)
    assert await history.entries() == before


def test_only_the_newest_1000_entries_can_be_replaced(
    blocking_clients: dict[Target, Any], prefix: str
) -> None:
    client = blocking_clients[Target("valkey-9.1")]
    history = MemorystoreChatMessageHistory(client, "s", key_prefix=prefix)
    history.add_messages(numbered(1_001))
    first, second = (entry.id or "" for entry in history.entries(0, 2))
    with pytest.raises(EntryNotFoundError, match="newest 1,000"):
        history.replace_from(first, numbered(1, "new"))
    history.replace_from(second, numbered(1, "new"))
    assert history.messages == [*numbered(1), *numbered(1, "new")]


async def test_what_a_message_says_is_not_taken_for_an_id(door: Door) -> None:
    history = door.open()
    await history.add_messages(numbered(2))
    first = await id_at(history, 0)
    lookalike = f',"id":"{first}","ts":1'
    await history.add_messages(
        [
            AIMessage(lookalike + "}", id=first),
            HumanMessage("x", zz={"zz": {"id": first}}),
            HumanMessage("x", zz=lookalike),
        ]
    )
    await history.replace_from(first, numbered(1, "new"))
    assert await history.messages() == numbered(1, "new")


async def test_a_compressed_entry_can_be_replaced(door: Door) -> None:
    history = door.open(compress="zstd", compress_min_bytes=1)
    long = [HumanMessage("word " * 500)] * 3
    await history.add_messages(long)
    await history.replace_from(await id_at(history, 1), [AIMessage("word " * 400)])
    assert await history.messages() == [long[0], AIMessage("word " * 400)]


async def test_an_entry_that_an_import_wrote_can_be_replaced(door: Door, raw: Any) -> None:
    for element in (
        '{"type": "human", "data": {"content": "a"}, "id": "ours", "ts": 1}',
        '{"type":"human","data":{"content":"b"},"id":"bär","ts":253402300799999}',
        '{"type":"human","data":{"content":"c"},"id":"c","ts":1}',
    ):
        raw.rpush(f"{door.prefix}session", element)
    history = door.open()
    await history.replace_from("c", [HumanMessage("new c")])
    await history.replace_from("bär", [HumanMessage("new b"), HumanMessage("d")])
    assert [message.content for message in await history.messages()] == ["a", "new b", "d"]
    await history.replace_from("ours", [HumanMessage("new a")])
    assert await history.messages() == [HumanMessage("new a")]


async def test_it_renews_the_expiry_as_an_append_does(door: Door, raw: Any) -> None:
    history = door.open(ttl=100)
    await history.add_messages(numbered(2))
    raw.expire(f"{door.prefix}session", 10)
    await history.replace_from(await id_at(history, 1), numbered(1, "new"))
    assert 90 < raw.ttl(f"{door.prefix}session") <= 100


async def test_wrong_arguments_are_refused_before_anything_is_sent(door: Door) -> None:
    history = door.open()
    await history.add_messages(numbered(2))
    before = await history.entries()
    for entry_id, messages, error, words in (
        (None, numbered(1), ArgumentTypeError, "entry_id must be the id of an entry, not NoneType"),
        (1, numbered(1), ArgumentTypeError, "entry_id must be"),
        ("", numbered(1), InvalidArgumentError, "entry_id must not be empty"),
        (before[0].id, [], InvalidArgumentError, "messages must not be empty.*truncate"),
        (before[0].id, HumanMessage("x"), ArgumentTypeError, "messages must be a list"),
        (before[0].id, ["x"], InvalidMessageError, "is not a message"),
    ):
        with pytest.raises(error, match=words):
            await history.replace_from(entry_id, messages)
    assert await history.entries() == before


@pytest.fixture(params=["own", "by the client"])
def retries(request: pytest.FixtureRequest) -> int:
    return int(request.param == "by the client")


async def test_a_reply_that_was_lost_replaces_nothing_twice(
    servers: Servers, proxy_to: ProxyTo, prefix: str, retries: int
) -> None:
    proxy = proxy_to(servers.standalone("valkey-9.1").port)
    retry = redis.retry.Retry(redis.backoff.NoBackoff(), retries)
    lost: list[type[Exception]] | None = [redis.ConnectionError] if retries else None
    with redis.Redis(port=proxy.port, retry=retry, retry_on_error=lost) as client:
        history = MemorystoreChatMessageHistory(client, "s", key_prefix=prefix)
        history.add_messages(numbered(4))
        entry_id, new = history.entries()[2].id, numbered(2, "new")
        assert entry_id
        proxy.inject(DROP_REPLY, on="EVALSHA")
        if retries:
            history.replace_from(entry_id, new)
        else:
            with pytest.raises(redis.ConnectionError):
                history.replace_from(entry_id, new)
            history.add_message(AIMessage("meanwhile"))
            history.replace_from(entry_id, new)  # the same objects
        after = [*numbered(2), *new, *([] if retries else [AIMessage("meanwhile")])]
        assert history.messages == after
        with pytest.raises(EntryNotFoundError):
            history.replace_from(entry_id, numbered(2, "new"))  # others
        assert history.messages == after
        history.clear()


@pytest.mark.parametrize("engine", ["redis-5.0", "redis-7.0", "valkey-9.1"])
def test_a_full_server_keeps_the_old_messages(servers: Servers, engine: str) -> None:
    with (
        Server(servers.engine(engine)) as server,
        redis.Redis(port=server.port, protocol=2) as client,
    ):
        history = MemorystoreChatMessageHistory(client, "s")
        history.add_messages(numbered(6))
        before = history.entries()
        client.config_set("maxmemory", "1mb")
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            history.replace_from(before[0].id or "", [HumanMessage("x" * 1000)] * 3000)
        assert history.entries() == before


def test_replicas_are_waited_for_and_a_refusal_is_not_taken_for_a_lack_of_them(
    blocking_clients: dict[Target, Any], prefix: str
) -> None:
    client = blocking_clients[Target("valkey-9.1")]
    plain = MemorystoreChatMessageHistory(client, "s", key_prefix=prefix)
    plain.add_messages(numbered(2))
    strict = MemorystoreChatMessageHistory(
        client, "s", key_prefix=prefix, replicas_ack=1, replicas_ack_timeout=0.01
    )
    with pytest.raises(EntryNotFoundError):
        strict.replace_from("gone", numbered(1, "new"))
    assert plain.messages == numbered(2)


async def test_a_read_cache_returns_the_new_messages(door: Door) -> None:
    cache = ReadCache()
    ours, other = door.open(cache=cache), door.open()
    await ours.add_messages(numbered(8))
    for history in (ours, other):
        assert len(await ours.messages()) == 8
        await history.replace_from(await id_at(history, 3), numbered(5, "new"))
        assert await ours.messages() == await other.messages()
        assert await ours.messages() == [*numbered(3), *numbered(5, "new")]
