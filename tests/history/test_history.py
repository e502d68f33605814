"""What a session does, through every door, on every target."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from langchain_google_memorystore_redis import (
    HistoryChangedError,
    MessageIndexError,
    SessionExistsError,
)
from langchain_google_memorystore_redis._history import operations as ops
from tests.plugins.doors import Door
from tests.samples import one_of_each


def numbered(count: int, start: int = 0) -> list[BaseMessage]:
    return [HumanMessage(str(number)) for number in range(start, start + count)]


def contents(messages: list[BaseMessage]) -> list[Any]:
    return [message.content for message in messages]


@pytest.fixture
def page_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "ELEMENTS_PER_PAGE", 4)


async def test_every_message_class_comes_back_equal_and_of_its_class(door: Door) -> None:
    history = door.open()
    await history.add_messages(one_of_each())
    got = await history.messages()
    assert got == one_of_each()
    assert [type(message) for message in got] == [type(message) for message in one_of_each()]
    assert type(got) is list


async def test_what_a_caller_gets_is_its_own_copy(door: Door) -> None:
    history = door.open()
    await history.add_messages(one_of_each())
    for message in await history.messages():
        message.additional_kwargs["changed"] = True
        message.response_metadata["changed"] = True
        message.content = "changed"
    assert await history.messages() == one_of_each()


async def test_messages_keep_their_order_over_several_appends(door: Door) -> None:
    history = door.open()
    await history.add_message(HumanMessage("0"))
    await history.add_messages(numbered(2, start=1))
    await history.add_messages([])
    await history.add_messages(iter(numbered(2, start=3)))
    assert contents(await history.messages()) == ["0", "1", "2", "3", "4"]


async def test_a_batch_larger_than_a_script_can_unpack_is_stored_whole(door: Door) -> None:
    history = door.open()
    await history.add_messages(numbered(16_000))
    assert await history.count() == 16_000
    assert contents(await history.get_messages(7_990, 8_010)) == list(map(str, range(7990, 8010)))


async def test_a_session_that_does_not_exist_is_empty(door: Door, raw: Any) -> None:
    history = door.open()
    assert await history.messages() == []
    assert await history.entries() == []
    assert await history.count() == 0
    assert await history.iterated() == []
    await history.clear()
    await history.truncate(3)
    await history.copy("other")
    assert raw.exists(f"{door.prefix}session") + raw.exists(f"{door.prefix}other") == 0


async def test_ranges_are_those_of_a_python_list(door: Door) -> None:
    history = door.open()
    await history.add_messages(numbered(5))
    for start in (None, 0, 2, 5, 9, -1, -3, -20):
        for stop in (None, 0, 1, 4, 5, 9, -1, -3, -20):
            expected = numbered(5)[start:stop]
            assert await history.get_messages(start, stop) == expected, (start, stop)


async def test_ranges_over_several_pages_are_those_of_a_python_list(
    door: Door, page_of_four: None
) -> None:
    history = door.open()
    await history.add_messages(numbered(20))
    for start in (None, 1, 3, -4, -15, -19, -99):
        for stop in (None, 9, 17, 18, 20, 99, -1, -3, -18):
            expected = numbered(20)[start:stop]
            assert await history.get_messages(start, stop) == expected, (start, stop)


async def test_iteration_over_several_pages_gives_every_message_once(
    door: Door, page_of_four: None
) -> None:
    history = door.open()
    for length in (4, 8, 9):
        await history.clear()
        await history.add_messages(numbered(length))
        assert await history.iterated() == await history.messages() == numbered(length)


async def test_entries_carry_distinct_ids_and_the_time_of_writing(door: Door) -> None:
    history = door.open()
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    await history.add_messages(numbered(3))
    entries = await history.entries()
    assert [entry.message for entry in entries] == numbered(3)
    assert len({entry.id for entry in entries}) == 3
    assert all(before <= entry.written_at <= datetime.now(UTC) for entry in entries)
    assert await history.entries(-1) == entries[-1:]
    assert await history.entries(0, 2) == entries[:2]


async def test_truncate_keeps_the_first_messages(door: Door) -> None:
    history = door.open()
    await history.add_messages(numbered(5))
    await history.truncate(9)
    assert await history.count() == 5
    await history.truncate(2)
    await history.add_message(HumanMessage("again"))
    assert contents(await history.messages()) == ["0", "1", "again"]
    await history.truncate(0)
    assert await history.messages() == []


async def test_clear_removes_one_session_and_no_other(door: Door, raw: Any) -> None:
    names = ["a", "ab", "a*", "a?", "[a]", "{a}", "a:b", "ä"]
    for name in names:
        await door.open(name).add_message(HumanMessage(name))
    await door.open("a*").clear()
    await door.open("a").clear()
    assert raw.exists(f"{door.prefix}a") == 0
    for name in names[1:]:
        expected = [] if name == "a*" else [HumanMessage(name)]
        assert await door.open(name).messages() == expected


async def test_a_copy_is_a_session_of_its_own_with_the_same_entries(door: Door) -> None:
    history = door.open()
    await history.add_messages(one_of_each())
    whole = await history.copy("{other-slot}")
    first_two = await history.copy("two", length=2)
    assert await whole.entries() == await history.entries()
    assert await first_two.messages() == one_of_each()[:2]
    assert await (await history.copy("none", length=0)).messages() == []
    await whole.add_message(HumanMessage("only here"))
    await history.clear()
    assert await whole.messages() == [*one_of_each(), HumanMessage("only here")]


async def test_a_copy_over_several_pages_is_whole(door: Door, page_of_four: None) -> None:
    history = door.open()
    await history.add_messages(numbered(11))
    assert await (await history.copy("all")).messages() == numbered(11)
    assert await (await history.copy("some", 9)).messages() == numbered(9)


async def test_a_copy_refuses_a_session_that_exists(door: Door, raw: Any) -> None:
    history = door.open()
    await history.add_messages(numbered(2))
    await history.copy("taken")
    for name in ("taken", "session"):
        with pytest.raises(SessionExistsError, match=name):
            await history.copy(name)
    raw.set(f"{door.prefix}string", "x")
    with pytest.raises(SessionExistsError):
        await history.copy("string")
    assert await door.open("taken").messages() == await history.messages() == numbered(2)
    assert raw.get(f"{door.prefix}string") == b"x"


async def test_a_copy_has_the_settings_of_the_original(door: Door, raw: Any) -> None:
    history = door.open(ttl=1000, max_messages=2)
    await history.add_messages(numbered(2))
    copied = await history.copy("other")
    assert 0 < raw.pttl(f"{door.prefix}other") <= 1_000_000
    await copied.add_messages(numbered(2, start=2))
    assert contents(await copied.messages()) == ["2", "3"]


async def test_a_read_follows_messages_that_a_trim_moves(door: Door, page_of_four: None) -> None:
    bounded = door.open(max_messages=12)
    await bounded.add_messages(numbered(12))
    seen = []
    async for message in bounded.each():
        seen.append(message.content)
        if message.content == "2":
            await bounded.add_messages(numbered(3, start=12))
    assert seen == [str(number) for number in range(15)]


async def test_a_read_says_so_when_all_up_to_its_next_page_is_dropped(
    door: Door, page_of_four: None
) -> None:
    bounded = door.open(max_messages=12)
    await bounded.add_messages(numbered(12))
    seen = []

    async def read_and_drop() -> None:
        async for message in bounded.each():
            seen.append(message)
            await bounded.add_messages(numbered(5, start=12))

    with pytest.raises(HistoryChangedError, match="trimmed"):
        await read_and_drop()
    assert seen == numbered(4)


async def test_a_read_says_so_when_the_session_is_cut_meanwhile(
    door: Door, page_of_four: None
) -> None:
    history = door.open()
    await history.add_messages(numbered(12))
    seen = []

    async def read_and_cut() -> None:
        async for message in history.each():
            seen.append(message)
            await history.truncate(2)

    with pytest.raises(HistoryChangedError, match="session"):
        await read_and_cut()
    assert seen == numbered(4)


async def test_twenty_tasks_appending_at_once_tear_no_batch_apart(door: Door) -> None:
    async def write(writer: int) -> None:
        history = door.open()
        for turn in range(5):
            await history.add_messages(
                [HumanMessage(f"{writer}/{turn}/{part}") for part in range(3)]
            )

    await asyncio.gather(*(write(writer) for writer in range(20)))
    got = contents(await door.open().messages())
    assert sorted(got) == sorted(
        f"{writer}/{turn}/{part}" for writer in range(20) for turn in range(5) for part in range(3)
    )
    for at in range(0, len(got), 3):
        assert [name[:-1] for name in got[at : at + 3]] == [got[at][:-1]] * 3
    for writer in range(20):
        own = [name for name in got if name.startswith(f"{writer}/")]
        assert own == sorted(own)


def test_indexing_a_blocking_history_is_that_of_a_list(client: Any, prefix: str) -> None:
    history = Door(client, by_async=False, prefix=prefix).open().history
    history.add_messages(numbered(5))
    everything = numbered(5)
    assert history[0] == everything[0]
    assert history[-1] == everything[-1]
    for index in (5, -6, 2**64, -(2**64)):
        with pytest.raises(MessageIndexError):
            history[index]
    for cut in (slice(-2, None), slice(None), slice(1, 3), slice(3, 1), slice(-(2**70), 2**70)):
        assert history[cut] == everything[cut]
    for cut in (slice(None, None, 2), slice(None, None, -1), slice(4, 0, -3), slice(9, 9, 5)):
        assert history[cut] == everything[cut]
    assert len(history) == 5
    assert HumanMessage("3") in history
    with pytest.raises(TypeError, match="reversed"):
        reversed(history)
    with pytest.raises(TypeError):
        history["0"]  # type: ignore[call-overload]
    history.clear()
    with pytest.raises(IndexError):
        history[0]


def test_convenience_methods_of_langchain_take_text_and_messages(client: Any, prefix: str) -> None:
    history = Door(client, by_async=False, prefix=prefix).open().history
    history.add_user_message("hi")
    history.add_user_message(HumanMessage("ho", id="1"))
    history.add_ai_message("hello")
    history.add_ai_message(AIMessage("hey", id="2"))
    history.add_message(ToolMessage("42", tool_call_id="3"))
    assert history.messages == [
        HumanMessage("hi"),
        HumanMessage("ho", id="1"),
        AIMessage("hello"),
        AIMessage("hey", id="2"),
        ToolMessage("42", tool_call_id="3"),
    ]
    assert str(history).startswith("Human: hi\nHuman: ho\nAI: hello")
