"""Idempotency keys: a batch is stored once, whichever process sends it."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    InvalidArgumentError,
    MemorystoreChatMessageHistory,
)
from langchain_google_memorystore_redis._history.batch import IdempotencyKey
from langchain_google_memorystore_redis._history.entry import newest_of
from tests.plugins.clients import Target
from tests.plugins.doors import Door
from tests.plugins.servers import Servers


@pytest.fixture
def other(servers: Servers, target: Target, prefix: str) -> MemorystoreChatMessageHistory:
    """A history of another process."""
    client = target.connect(target.port(servers))
    return MemorystoreChatMessageHistory(client, "session", key_prefix=prefix)


def turn(text: str) -> list[BaseMessage]:
    return [HumanMessage("question"), AIMessage(text)]


async def test_a_key_stores_one_batch_whatever_its_text(
    door: Door, other: MemorystoreChatMessageHistory
) -> None:
    history = door.open()
    await history.add_messages(turn("paid for"), idempotency_key="task 1")
    other.add_messages(turn("another answer"), idempotency_key="task 1")
    await history.add_messages(turn("a third"), idempotency_key="task 1")
    assert await history.messages() == turn("paid for")
    other.add_messages(turn("next"), idempotency_key="task 2")
    await history.add_messages(turn("next again"), idempotency_key="task 2")
    assert await history.messages() == [*turn("paid for"), *turn("next")]
    assert [len(entry.id) for entry in await history.entries()] == [12] * 4


async def test_the_entries_of_a_key_are_found(
    door: Door, other: MemorystoreChatMessageHistory
) -> None:
    history = door.open()
    assert await history.find_batch("task") == []
    await history.add_messages(turn("before"))
    assert await history.find_batch("task") == []
    other.add_messages([*turn("answer"), AIMessage("and more")], idempotency_key="task")
    await history.add_messages(turn("after"))
    assert await history.find_batch("task") == (await history.entries())[2:5]
    assert await history.find_batch("tas") == []
    branch = await history.copy("branch")
    assert len(await branch.find_batch("task")) == 3
    await history.truncate(3)
    assert [each.message for each in await history.find_batch("task")] == turn("answer")[:1]
    await history.add_messages(turn("again"), idempotency_key="task")  # a part is left
    assert await history.count() == 3
    await history.clear()
    assert await history.find_batch("task") == []
    await history.add_messages(turn("after a clear"), idempotency_key="task")
    assert await history.messages() == turn("after a clear")


async def test_what_another_process_stored_after_the_key_was_found_absent_is_seen(
    door: Door, other: MemorystoreChatMessageHistory
) -> None:
    history = door.open()
    await history.add_messages(turn("before"))
    assert await history.find_batch("task") == []
    other.add_messages(turn("other"))
    other.add_messages(turn("stored first"), idempotency_key="task")
    await history.add_messages(turn("next"))
    await history.add_messages(turn("stored second"), idempotency_key="task")
    assert len(await history.messages()) == 8
    assert len(await history.find_batch("task")) == 2


@pytest.mark.parametrize("cut", ["clear", "truncate"])
async def test_a_cut_after_the_key_was_found_absent_does_not_hide_the_batch(
    door: Door, other: MemorystoreChatMessageHistory, cut: str
) -> None:
    history = door.open()
    await history.add_messages(turn("before"))
    assert await history.find_batch("task") == []
    other.truncate(int(cut == "truncate"))
    other.add_messages(turn("stored first"), idempotency_key="task")
    other.add_messages(turn("more"))
    await history.add_messages(turn("stored second"), idempotency_key="task")
    assert turn("stored second")[1] not in await history.messages()


async def test_the_newest_1000_entries_are_looked_at(
    door: Door, other: MemorystoreChatMessageHistory
) -> None:
    history = door.open()
    await history.add_user_message("question", idempotency_key="task")
    other.add_messages([HumanMessage("x")] * 999)
    await history.add_ai_message("answer", idempotency_key="task")
    assert await history.count() == 1_000
    other.add_message(HumanMessage("x"))
    assert await history.find_batch("task") == []
    await history.add_message(AIMessage("answer"), idempotency_key="task")
    assert await history.count() == 1_002


async def test_long_batches_have_distinct_ids(door: Door) -> None:
    history = door.open()
    await history.add_messages([HumanMessage("x")] * 200, idempotency_key="task")
    ids = {entry.id for entry in await history.find_batch("task")}
    assert len(ids) == 200


async def test_wrong_keys_are_refused(door: Door) -> None:
    history = door.open()
    for key, error in (
        ("", InvalidArgumentError),
        (1, ArgumentTypeError),
        (b"x", ArgumentTypeError),
    ):
        with pytest.raises(error, match="idempotency_key"):
            await history.add_messages(turn("x"), idempotency_key=key)
        with pytest.raises(error, match="idempotency_key"):
            await history.find_batch(key)
    with pytest.raises(ArgumentTypeError):
        await history.find_batch(None)
    assert await history.count() == 0


async def test_a_reader_of_all_entries_may_say_that_the_key_is_absent(
    client: Any, prefix: str, other: MemorystoreChatMessageHistory
) -> None:
    history = MemorystoreChatMessageHistory(client, "session", key_prefix=prefix)
    history.add_messages(turn("before"))
    entries, key = history.entries(), IdempotencyKey.of("task")
    assert not any(key.is_of(entry.id) for entry in entries)
    assert newest_of(entries) == history._ops.known.of(history._ops.key)
    other.add_messages(turn("stored first"), idempotency_key="task")
    history._append(turn("stored second"), key, newest_of(entries))
    assert history.messages == [*turn("before"), *turn("stored first")]
    assert all(key.is_of(entry.id) for entry in history.entries(2))
