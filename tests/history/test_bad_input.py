"""Bad input: a clear error of our own, and nothing written or lost."""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    AsyncClientError,
    CorruptEntryError,
    InvalidArgumentError,
    InvalidClientError,
    InvalidMessageError,
    MemorystoreChatMessageHistory,
    MemorystoreError,
    WrongTypeError,
    sessions,
)
from tests.history.hostile import before_deep_recursion
from tests.plugins.doors import Door
from tests.plugins.servers import Servers
from tests.servers.processes import Server

NO_SERVER = redis.Redis(port=1)


class Odd:
    """As an array is: it cannot be compared."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("odd")

    __hash__ = None  # type: ignore[assignment]


class OwnMessage(HumanMessage):
    pass


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"session_id": ""}, InvalidArgumentError, "session_id must not be empty"),
        ({"session_id": 7}, ArgumentTypeError, "session_id must be a str, not int"),
        ({"session_id": None}, ArgumentTypeError, "session_id must be a str"),
        ({"session_id": b"x"}, ArgumentTypeError, "session_id must be a str, not bytes"),
        ({"session_id": "\ud800"}, InvalidArgumentError, "lone surrogate"),
        ({"key_prefix": 1}, ArgumentTypeError, "key_prefix must be a str"),
        ({"ttl": 0}, InvalidArgumentError, "ttl must be from .* None sets no expiry"),
        ({"replicas_ack_timeout": 0}, InvalidArgumentError, r"ack_timeout must be [^;]*seconds$"),
        ({"ttl": -1}, InvalidArgumentError, "ttl must be from"),
        ({"ttl": timedelta(0)}, InvalidArgumentError, "ttl must be from"),
        ({"ttl": math.nan}, InvalidArgumentError, "ttl must be from"),
        ({"ttl": 10**5000}, InvalidArgumentError, "ttl must be from"),
        ({"ttl": "60"}, ArgumentTypeError, "ttl must be seconds or a timedelta, not str"),
        ({"ttl": True}, ArgumentTypeError, "ttl must be seconds"),
        ({"max_messages": 0}, InvalidArgumentError, "max_messages must be 1 or more"),
        ({"max_messages": -5}, InvalidArgumentError, "max_messages must be 1 or more"),
        ({"max_messages": 2.5}, ArgumentTypeError, "max_messages must be an int, not float"),
        ({"max_messages": True}, ArgumentTypeError, "max_messages must be an int, not bool"),
        ({"on_corrupt": "ignore"}, InvalidArgumentError, "on_corrupt must be 'raise' or 'skip'"),
        ({"refresh_ttl_on_read": "no"}, ArgumentTypeError, "refresh_ttl_on_read must be a bool"),
        ({"refresh_ttl_on_read": 1}, ArgumentTypeError, "refresh_ttl_on_read must be .*, not int"),
        ({"refresh_ttl_on_read": None}, ArgumentTypeError, "refresh_ttl_on_read must be a bool"),
        ({"compress": "gzip"}, InvalidArgumentError, "compress must be None or 'zstd'"),
        ({"compress": True}, InvalidArgumentError, "compress must be None or 'zstd', not True"),
        ({"compress_min_bytes": 0}, InvalidArgumentError, "compress_min_bytes must be 1 or more"),
        ({"compress_min_bytes": "9"}, ArgumentTypeError, "compress_min_bytes must be an int"),
    ],
)
def test_settings_are_checked_before_anything_is_sent(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        MemorystoreChatMessageHistory(NO_SERVER, **{"session_id": "s", **arguments})
    assert isinstance(caught.value, MemorystoreError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "client", [None, "redis://user:secret@127.0.0.1", object(), redis.Redis, NO_SERVER.pipeline()]
)
def test_what_is_no_client_is_refused_without_showing_it(client: Any) -> None:
    with pytest.raises(InvalidClientError, match="client of redis-py or valkey-py") as caught:
        MemorystoreChatMessageHistory(client, "s")
    assert "secret" not in str(caught.value)
    with pytest.raises(InvalidClientError, match="async_client"):
        MemorystoreChatMessageHistory(NO_SERVER, "s", async_client=client or "none")


@pytest.mark.parametrize(
    ("client", "what"),
    [
        (redis.Redis, "the class redis.client.Redis: create a client from it"),
        (redis.asyncio.Redis, "the class redis.asyncio.client.Redis: create a client from it"),
        (NO_SERVER.pipeline(), "a pipeline"),
        (NO_SERVER.pubsub(), "a pubsub"),  # type: ignore[no-untyped-call]
        (redis.asyncio.Redis(port=1).pubsub(), "a pubsub"),
        ({}, "an object of type dict"),
    ],
)
def test_the_error_says_what_was_given_as_client(client: Any, what: str) -> None:
    with pytest.raises(InvalidClientError) as caught:
        MemorystoreChatMessageHistory(client, "s")
    assert str(caught.value).endswith(f"; got {what}")


def test_two_clients_of_the_wrong_kinds_are_refused() -> None:
    asyncio_client = redis.asyncio.Redis(port=1)
    with pytest.raises(InvalidClientError, match="async_client must be an asyncio client"):
        MemorystoreChatMessageHistory(NO_SERVER, "s", async_client=NO_SERVER)
    with pytest.raises(InvalidClientError, match="both asyncio"):
        MemorystoreChatMessageHistory(asyncio_client, "s", async_client=asyncio_client)


def test_blocking_methods_of_an_asyncio_client_name_what_to_await() -> None:
    history = MemorystoreChatMessageHistory(redis.asyncio.Redis(port=1), "s")
    for call in (
        lambda: history.messages,
        lambda: history.add_messages([HumanMessage("x")]),
        lambda: history.add_user_message("x"),
        lambda: len(history),
        lambda: history[0],
        lambda: history[-3:],
        lambda: list(history),
        history.entries,
        lambda: history.truncate(1),
        lambda: history.replace_from("id", [HumanMessage("x")]),
        lambda: history.copy("t"),
        history.clear,
    ):
        with pytest.raises(AsyncClientError, match=r"redis\.asyncio.*aget_messages\(\).*async for"):
            call()


def test_truth_and_repr_of_a_history_ask_no_server() -> None:
    history = MemorystoreChatMessageHistory(NO_SERVER, "s", key_prefix="chat:")
    assert bool(history) is True
    assert repr(history) == (
        "MemorystoreChatMessageHistory(key='chat:s', client=redis.client.Redis)"
    )
    assert (history.session_id, history.key) == ("s", "chat:s")


REFUSED: list[Any] = [
    ("hi", None, "an object of type str is not a message"),
    (("human", "hi"), None, "an object of type tuple is not a message"),
    (OwnMessage(content="x"), None, "OwnMessage is not one of LangChain's own"),
    (HumanMessage("x", other=object()), "other", "object"),
    (HumanMessage("x", large=10**5000), "large", "thousands of digits"),
    (HumanMessage.model_construct(), "content", "a HumanMessage needs it"),
]
INEXACT: list[Any] = [
    (HumanMessage("x", at=datetime.now(UTC)), "at", "datetime"),
    (HumanMessage("x", raw=b"bytes"), "raw", "bytes"),
    (HumanMessage("x", tags={"a"}), "tags", "set"),
    (HumanMessage("x", pair=(1, 2)), "pair", "tuple"),
    (HumanMessage("x", other=AIMessage("y")), "other", "AIMessage"),
    (
        AIMessage("x", response_metadata={"a": [0, {"b": {1: "one"}}]}),
        "response_metadata['a'][1]['b'][1]",
        "int key",
    ),
    (HumanMessage("x", pair="\ud83d\ude00"), "pair", "str"),
]
"""Messages that a history converts unless it is strict."""


@pytest.mark.parametrize(
    ("on_inexact", "message", "field", "words"),
    [
        *(("convert", *case) for case in REFUSED),
        *(("raise", *case) for case in REFUSED + INEXACT),
    ],
)
async def test_a_batch_with_one_message_that_cannot_come_back_is_refused_whole(
    door: Door, on_inexact: str, message: Any, field: str | None, words: str
) -> None:
    history = door.open(on_inexact=on_inexact)
    with pytest.raises(InvalidMessageError, match=words) as caught:
        await history.add_messages([HumanMessage("fine"), message, HumanMessage("fine too")])
    assert (caught.value.index, caught.value.field) == (1, field)
    assert isinstance(caught.value, (ValueError, TypeError))
    assert await history.count() == 0


def test_fields_changed_to_what_the_class_cannot_hold_are_named(client: Any, prefix: str) -> None:
    history = MemorystoreChatMessageHistory(client, "s", key_prefix=prefix)
    message = AIMessage("x")
    for field, value in {
        "content": 5,
        "additional_kwargs": None,
        "tool_calls": [{"name": "f"}],
        "id": 7,
        "type": "human",
        "usage_metadata": [],
    }.items():
        broken = message.model_copy(update={field: value})
        with pytest.raises(InvalidMessageError) as caught:
            history.add_messages([broken])
        assert caught.value.field == field
    for other, field in (
        (ToolMessage("x", tool_call_id="1"), "status"),
        (ToolMessage("x", tool_call_id="1"), "type"),
        (AIMessageChunk(content="x"), "chunk_position"),
        (HumanMessage("x", other=1), "other"),
    ):
        with pytest.raises(InvalidMessageError) as caught:
            history.add_messages([other.model_copy(update={field: Odd()})])
        assert caught.value.field == field
    circle: dict[str, Any] = {}
    circle["self"] = circle
    with pytest.raises(InvalidMessageError, match="circle"):
        history.add_messages([HumanMessage("x", circle=circle)])
    for wrong in ("text", b"text", HumanMessage("alone"), None, 5):
        with pytest.raises(ArgumentTypeError, match="messages must be a list"):
            history.add_messages(wrong)  # type: ignore[arg-type]
    assert len(history) == 0


async def test_lengths_that_cannot_be_are_refused(door: Door) -> None:
    history = door.open()
    await history.add_message(HumanMessage("x"))
    for length, error in ((-1, InvalidArgumentError), ("1", ArgumentTypeError)):
        with pytest.raises(error, match="length"):
            await history.truncate(length)
        with pytest.raises(error, match="length"):
            await history.copy("other", length)
    with pytest.raises(InvalidArgumentError, match="session_id"):
        await history.copy("")
    assert await history.count() == 1


async def test_bounds_that_are_no_int_are_named(door: Door) -> None:
    history = door.open()
    await history.add_message(HumanMessage("x"))
    for read in (history.get_messages, history.entries):
        for bound in ("a", 1.5):
            with pytest.raises(ArgumentTypeError, match="start must be an int or None, not "):
                await read(bound)
            with pytest.raises(ArgumentTypeError, match="stop must be an int or None, not "):
                await read(0, bound)
    assert await history.get_messages(False, True) == [HumanMessage("x")]


async def test_a_key_of_another_type_is_neither_read_changed_nor_deleted(
    door: Door, raw: Any
) -> None:
    key = f"{door.prefix}session"
    raw.hset(key, "field", "value")
    history = door.open(ttl=100, max_messages=2, refresh_ttl_on_read=True)
    for call in (
        history.messages,
        history.iterated,
        history.entries,
        history.count,
        history.clear,
        lambda: history.get_messages(-20),
        lambda: history.add_messages([HumanMessage("x")]),
        lambda: history.truncate(0),
        lambda: history.truncate(5),
        lambda: history.replace_from("id", [HumanMessage("x")]),
        lambda: history.copy("other"),
    ):
        with pytest.raises(WrongTypeError, match=key) as caught:
            await call()
        assert caught.value.key == key
        assert isinstance(caught.value, TypeError)
    assert raw.hgetall(key) == {b"field": b"value"}
    assert raw.ttl(key) == -1


CORRUPT = [
    b"",
    b"not json",
    b"\xff\xfe\x00",
    b"[1, 2]",
    b"null",
    b'{"type": "human"}',
    b'{"type": "human", "data": []}',
    b'{"type": "alien", "data": {"content": "x"}}',
    b'{"type": "human", "data": {"content": 5}}',
    b'{"type": "tool", "data": {"content": "no id"}}',
    b'{"type":"human","data":{"content":5},"id":"a","ts":1}',
    b'{"type":"tool","data":{"content":"x"},"id":"a","ts":1}',
    b'{"type":"human","data":{"content":"x","self":1}}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("element", CORRUPT, ids=[str(place) for place in range(len(CORRUPT))])
async def test_a_corrupt_element_is_named_and_can_be_skipped(
    door: Door, raw: Any, element: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    if element.startswith(b"[["):
        before_deep_recursion()
    history = door.open()
    await history.add_messages([HumanMessage("0")])
    raw.rpush(f"{door.prefix}session", element)
    await history.add_messages([HumanMessage("2")])
    for call, index in (
        (history.messages, 1),
        (history.iterated, 1),
        (lambda: history.get_messages(-2), -2),
        (lambda: history.entries(1, 2), 1),
    ):
        with pytest.raises(CorruptEntryError, match=r'on_corrupt="skip" to read') as caught:
            await call()
        assert (caught.value.session_id, caught.value.index) == ("session", index)
    assert await history.get_messages(2) == [HumanMessage("2")]

    lenient = door.open(on_corrupt="skip")
    with caplog.at_level(logging.WARNING):
        assert await lenient.messages() == [HumanMessage("0"), HumanMessage("2")]
    assert [record.name for record in caplog.records] == ["langchain_google_memorystore_redis"]
    assert "index 1" in caplog.text
    assert "on_corrupt" not in caplog.text
    await lenient.add_message(HumanMessage("3"))
    assert raw.lindex(f"{door.prefix}session", 1) == element


def test_what_would_not_help_is_not_advised(client: Any, prefix: str) -> None:
    strict = MemorystoreChatMessageHistory(client, "s", key_prefix=prefix)
    lenient = MemorystoreChatMessageHistory(client, "s", key_prefix=prefix, on_corrupt="skip")
    client.rpush(strict.key, b"not json")
    for read in (
        lambda: strict[0],  # there is no other message to give
        lambda: lenient[-1],
        lambda: list(sessions.export_sessions(client, ["s"], key_prefix=prefix, format="openai")),
    ):
        with pytest.raises(CorruptEntryError, match=r"session 's', index .*: not JSON") as caught:
            read()
        assert "on_corrupt" not in str(caught.value)


def test_a_server_that_is_away_is_never_an_empty_history(servers: Servers) -> None:
    away = redis.Redis(port=1, retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0))
    history = MemorystoreChatMessageHistory(away, "s")
    for call in (
        lambda: history.messages,
        lambda: len(history),
        lambda: history[0],
        lambda: list(history),
        lambda: history.add_user_message("x"),
        lambda: history.truncate(1),
        lambda: history.replace_from("id", [HumanMessage("x")]),
        history.clear,
        lambda: history.copy("t"),
    ):
        with pytest.raises(redis.exceptions.ConnectionError):
            call()


@pytest.mark.parametrize("engine", ["redis-5.0", "redis-6.2", "redis-7.0", "valkey-9.1"])
def test_a_full_or_read_only_server_answers_in_its_own_words(servers: Servers, engine: str) -> None:
    with Server(servers.engine(engine)) as server:
        client: Any = redis.Redis(port=server.port, protocol=2)
        history = MemorystoreChatMessageHistory(client, "s", ttl=50)
        history.add_user_message("before")

        client.config_set("maxmemory", "1mb")
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            history.add_messages([HumanMessage("x" * 1000)] * 3000)
        assert history.messages == [HumanMessage("before")]
        client.config_set("maxmemory", "0")

        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(redis.exceptions.ReadOnlyError):
            history.add_user_message("x")
        with pytest.raises(redis.exceptions.ReadOnlyError):
            history.clear()
        client.execute_command("REPLICAOF", "NO", "ONE")
        history.add_user_message("after")
        assert [message.content for message in history.messages] == ["before", "after"]
        client.close()
