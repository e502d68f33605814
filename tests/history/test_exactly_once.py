"""Requests that come again, or late, while others change the session: each takes effect once.

Two ways to send a request again, neither of which waits: a held one reaches the server when the
test says so, long after the client has tried again by itself; and an append's own command, sent
again, is what a client does whose reply was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory, SessionExistsError
from langchain_google_memorystore_redis._history import operations as ops
from langchain_google_memorystore_redis._redis.op import Op
from langchain_google_memorystore_redis._redis.runners import Runner
from tests.faults import HOLD, ClusterProxy, Proxy
from tests.plugins.clients import Target
from tests.plugins.doors import Door, DoorHistory

OLD = b'{"type": "human", "data": {"content": "of release 0.3.0", "type": "human"}}'
SOME = [
    Target("redis-5.0", protocol=2),
    Target("redis-7.0", protocol=2, decode_responses=True),
    Target("valkey-9.1"),
    Target("valkey-9.1", cluster=True),
]


def said(*texts: str) -> list[BaseMessage]:
    return [HumanMessage(text) for text in texts]


async def texts(history: DoorHistory) -> list[str]:
    return [str(message.content) for message in await history.messages()]


# Late requests, through a network


@pytest.fixture(params=SOME, ids=str)
def target(request: pytest.FixtureRequest) -> Target:
    chosen: Target = request.param
    return chosen


@pytest.fixture
def others(client: Any, prefix: str) -> Callable[..., MemorystoreChatMessageHistory]:
    """Histories of another process: another client, with its own knowledge."""

    def open_one(**options: Any) -> MemorystoreChatMessageHistory:
        history = MemorystoreChatMessageHistory(client, "session", key_prefix=prefix, **options)
        history._ops.known.__init__()  # type: ignore[misc]
        return history

    return open_one


Others = Callable[..., MemorystoreChatMessageHistory]


async def begun(door: Door, **options: Any) -> DoorHistory:
    history = door.open(**options)
    await history.add_messages(said("teaches the server", "the scripts"))
    await history.truncate(1)
    await history.clear()
    await history.add_messages(said("one", "two"))
    return history


async def test_a_late_append_does_not_bring_a_cleared_message_back(
    proxied_door: Door, proxy: Proxy | ClusterProxy
) -> None:
    history = await begun(proxied_door)
    proxy.inject(HOLD, on="EVALSHA")
    await history.add_messages(said("three"))
    assert await texts(history) == ["one", "two", "three"]
    await history.clear()
    assert proxy.release() == 1
    assert await texts(history) == []


async def test_a_late_append_does_not_bring_a_message_back_that_a_limit_dropped(
    proxied_door: Door, proxy: Proxy | ClusterProxy
) -> None:
    history = await begun(proxied_door, max_messages=3)
    proxy.inject(HOLD, on="EVALSHA")
    await history.add_messages(said("three"))
    await history.add_messages(said("four", "five", "six"))
    assert proxy.release() == 1
    assert await texts(history) == ["four", "five", "six"]


async def test_a_late_append_after_an_expiry_stores_nothing(
    proxied_door: Door, proxy: Proxy | ClusterProxy, raw: Any
) -> None:
    history = await begun(proxied_door)
    proxy.inject(HOLD, on="EVALSHA")
    await history.add_messages(said("three"))
    raw.pexpire(history.history.key, 0)
    await history.add_messages(said("new"))
    assert proxy.release() == 1
    assert await texts(history) == ["new"]


async def test_a_late_clear_removes_nothing_that_came_after_it(
    proxied_door: Door, proxy: Proxy | ClusterProxy
) -> None:
    history = await begun(proxied_door)
    proxy.inject(HOLD, on="EVALSHA")
    await history.clear()
    await history.add_messages(said("new one", "new two", "new three"))
    assert proxy.release() == 1
    assert await texts(history) == ["new one", "new two", "new three"]


async def test_a_late_truncate_removes_nothing_that_came_after_it(
    proxied_door: Door, proxy: Proxy | ClusterProxy
) -> None:
    history = await begun(proxied_door)
    proxy.inject(HOLD, on=lambda command: command.name in ("EVALSHA", "LTRIM"))
    await history.truncate(1)
    await history.add_messages(said("new two", "new three"))
    assert proxy.release() == 1
    assert await texts(history) == ["one", "new two", "new three"]


async def test_a_late_replacement_changes_nothing_that_came_after_it(
    proxied_door: Door, proxy: Proxy | ClusterProxy
) -> None:
    history = await begun(proxied_door)
    taught = (await history.entries())[1]
    await history.replace_from(taught.id, said("teaches the script"))
    replaced = (await history.entries())[1]
    proxy.inject(HOLD, on="EVALSHA")
    await history.replace_from(replaced.id, said("edited", "answer"))
    await history.add_messages(said("three"))
    assert await texts(history) == ["one", "edited", "answer", "three"]
    edited = (await history.entries())[1]
    await history.replace_from(edited.id, said("edited again"))
    assert proxy.release() == 1
    assert await texts(history) == ["one", "edited again"]


async def test_a_late_replacement_does_not_bring_a_cleared_session_back(
    proxied_door: Door, proxy: Proxy | ClusterProxy
) -> None:
    history = await begun(proxied_door)
    first, second = await history.entries()
    await history.replace_from(second.id, said("teaches the script"))
    proxy.inject(HOLD, on="EVALSHA")
    await history.replace_from(first.id, said("edited"))
    await history.clear()
    await history.add_messages(said("new"))
    assert proxy.release() == 1
    assert await texts(history) == ["new"]


async def test_a_late_page_of_a_copy_is_not_appended_to_another_conversation(
    proxied_door: Door, proxy: Proxy | ClusterProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "ELEMENTS_PER_PAGE", 2)
    history = await begun(proxied_door)
    await history.add_messages(said("three", "four"))
    await (await history.copy("teaches the script")).clear()

    def is_second_page(command: Any) -> bool:
        return command.name == "EVALSHA" and b"three" in b"".join(command.arguments)

    proxy.inject(HOLD, on=is_second_page)
    copied = await history.copy("branch")
    assert await texts(copied) == ["one", "two", "three", "four"]
    await copied.clear()
    await copied.add_messages(said("new one", "new two"))  # as long as the first page
    assert proxy.release() == 1
    assert await texts(copied) == ["new one", "new two"]


# Repeated requests, while others change the session


class Append:
    """An append's command, as a client sends it again and again."""

    def __init__(
        self, history: MemorystoreChatMessageHistory, messages: Sequence[BaseMessage]
    ) -> None:
        self._runner = Runner(history._client)
        work = history._ops.append(history._appends.attempt(history._ops, messages).batch)
        assert isinstance(work, Op)
        self._op = work

    def send(self) -> Any:
        return self._runner.run(self._op)


def is_in(history: MemorystoreChatMessageHistory, text: str) -> int:
    return [message.content for message in history].count(text)


@pytest.fixture
def mine(target: Target, servers: Any, prefix: str) -> Callable[..., MemorystoreChatMessageHistory]:
    """Histories of this process."""
    client = target.connect(target.port(servers))

    def open_one(**options: Any) -> MemorystoreChatMessageHistory:
        return MemorystoreChatMessageHistory(client, "session", key_prefix=prefix, **options)

    return open_one


@pytest.mark.parametrize("limit", [None, 400])
@pytest.mark.parametrize("foreign", [60, 300, 2_000, 9_000])
def test_a_resent_batch_is_found_behind_all_that_others_wrote(
    mine: Others, others: Others, limit: int | None, foreign: int
) -> None:
    history, other = mine(), others(max_messages=limit)
    other.add_messages(said(*map(str, range(400))))
    history.messages  # noqa: B018  (learns the newest entry)
    append = Append(history, said("first", "once"))
    append.send()
    kept = min(foreign, (limit or 20_000) - 50)
    for _ in range(kept // 50):
        other.add_messages(said(*["theirs"] * 50))
    append.send()
    assert is_in(history, "once") == 1


def test_a_resent_batch_is_found_though_the_session_was_cut_since(
    mine: Others, others: Others, raw: Any
) -> None:
    for cut in ("clear", "expiry", "truncate"):
        history, other = mine(), others()
        other.add_messages(said("one", "two", "three"))
        history.messages  # noqa: B018
        if cut == "truncate":
            others().truncate(1)
        elif cut == "clear":
            others().clear()
        else:
            raw.pexpire(history.key, 0)
        others().add_messages(said(*["theirs"] * 200))
        append = Append(history, said("once"))
        first, second = append.send(), append.send()
        assert is_in(history, "once") == 0
        assert first[0] == second[0] == 0  # refused: what it named is gone
        history.add_messages(said("again"))
        others().add_messages(said(*["theirs"] * 200))
        assert is_in(history, "again") == 1
        history.clear()


@pytest.mark.parametrize("left", [1, 2, 3])
def test_a_batch_of_which_a_part_is_left_is_not_stored_again(
    mine: Others, others: Others, left: int
) -> None:
    history = mine()
    history.add_messages(said("one"))
    append = Append(history, said("two", "three", "four"))
    append.send()
    others().truncate(1 + left)
    append.send()
    assert [m.content for m in history] == ["one", "two", "three", "four"][: 1 + left]
    others(max_messages=1).add_messages(said("five"))
    append.send()
    assert [m.content for m in history] == ["five"]


def test_a_batch_cut_at_both_ends_is_not_stored_again(
    mine: Others, others: Others, raw: Any
) -> None:
    history = mine()
    history.add_messages(said("one"))
    append = Append(history, said("two", "three", "four"))
    append.send()
    raw.ltrim(history.key, 2, 2)
    append.send()
    assert [m.content for m in history] == ["three"]


def test_an_entry_equal_to_the_named_one_does_not_end_the_search(
    mine: Others, others: Others, raw: Any
) -> None:
    history = mine()
    history.add_messages(said("one", "two"))
    append = Append(history, said("once"))
    append.send()
    raw.rpush(history.key, *raw.lrange(history.key, 1, 1))  # doubled, by whoever
    append.send()
    assert is_in(history, "once") == 1


def test_a_large_newest_entry_is_passed_over_and_what_follows_it_is_searched(
    mine: Others, raw: Any
) -> None:
    history = mine()
    history.add_messages([HumanMessage("short"), AIMessage("x" * 100_000)])
    named = history._ops.known.of(history._ops.key)
    assert (named.place, len(named.tail) < 100) == (0, True)
    append = Append(history, said("once", "more"))
    append.send()
    raw.ltrim(history.key, 0, 0)
    append.send()  # cut away with what followed the named entry, so it is new
    assert [m.content for m in history] == ["short", "once", "more"]
    append.send()
    raw.ltrim(history.key, 0, 1)
    append.send()  # as many follow the named entry as when it was named
    assert [m.content for m in history] == ["short", "once"]


def test_a_tool_result_whose_call_a_limit_drops_leaves_an_empty_session_and_no_expiry(
    mine: Others,
) -> None:
    history = mine(max_messages=1, ttl=100)
    history.add_messages([ToolMessage("1", tool_call_id="a"), ToolMessage("2", tool_call_id="a")])
    assert history.messages == []
    history.add_messages(said("next"))
    assert history.messages == said("next")


# What removes


async def test_a_clear_that_returned_has_removed_all_that_was_there(
    proxied_door: Door, others: Others, proxy: Proxy | ClusterProxy
) -> None:
    history = await begun(proxied_door)
    others().add_messages(said("by others"))
    await history.clear()
    assert await texts(history) == []
    others().add_messages(said("by others"))
    assert await texts(history) == ["by others"]
    others().clear()
    others().add_messages(said("of a new conversation"))
    await history.clear()  # names what is gone, is told so, and names what is there
    assert await texts(history) == []
    others().add_messages(said("unknown to this client"))
    await history.clear()
    assert await texts(history) == []


async def test_a_truncate_that_returned_has_removed_all_behind_it(
    proxied_door: Door, others: Others
) -> None:
    history = await begun(proxied_door)
    others().clear()
    others().add_messages(said("a", "b", "c"))
    await history.truncate(2)
    assert await texts(history) == ["a", "b"]
    others().add_messages(said("c", "d"))
    await history.truncate(3)
    assert await texts(history) == ["a", "b", "c"]
    await history.truncate(0)
    assert await texts(history) == []


async def test_entries_of_release_030_are_removed_as_well(proxied_door: Door, raw: Any) -> None:
    history = await begun(proxied_door)
    raw.rpush(history.history.key, OLD, OLD)
    await history.truncate(3)
    assert await texts(history) == ["one", "two", "of release 0.3.0"]
    raw.delete(history.history.key)
    raw.rpush(history.history.key, *[OLD] * 10)
    await history.truncate(4)
    assert await texts(history) == ["of release 0.3.0"] * 4
    await history.clear()
    assert await texts(history) == []


async def test_an_append_whose_named_entry_is_gone_is_sent_again_and_waits_for_replicas(
    proxied_door: Door, others: Others, proxy: Proxy | ClusterProxy
) -> None:
    history = await begun(proxied_door)
    others().clear()
    with proxy.counting() as count:
        await history.add_messages(said("new"))
    assert count.round_trips == 2
    assert await texts(history) == ["new"]


async def test_a_copy_onto_another_conversation_is_refused(
    proxied_door: Door, others: Others
) -> None:
    history = await begun(proxied_door)
    with pytest.raises(SessionExistsError):
        await history.copy("session")
