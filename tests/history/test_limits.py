"""Expiry and bounds of a session."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    FunctionMessage,
    HumanMessage,
    ToolMessage,
    ToolMessageChunk,
)

from langchain_google_memorystore_redis._redis.arguments import milliseconds
from tests.plugins.doors import Door


def call(*ids: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": one} for one in ids])


def result(call_id: str) -> ToolMessage:
    return ToolMessage("r", tool_call_id=call_id)


@pytest.mark.parametrize("ttl", [100, 100.0, timedelta(seconds=100)])
async def test_an_append_starts_and_renews_the_time_to_live(
    door: Door, raw: Any, ttl: float | timedelta
) -> None:
    history = door.open(ttl=ttl)
    await history.add_message(HumanMessage("x"))
    assert 90_000 < raw.pttl(f"{door.prefix}session") <= 100_000
    raw.expire(f"{door.prefix}session", 5)
    await history.add_message(HumanMessage("y"))
    assert raw.pttl(f"{door.prefix}session") > 90_000


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(milliseconds=1), 1),
        (timedelta(milliseconds=1001), 1001),
        (timedelta(milliseconds=2**45 + 1), 2**45 + 1),
        (timedelta(milliseconds=1, microseconds=999), 1),
        (0.001, 1),
        (1.001, 1001),
        (4.35, 4350),
        (60, 60_000),
    ],
)
def test_a_time_span_is_exact_to_the_millisecond(duration: Any, expected: int) -> None:
    assert milliseconds("ttl", duration) == expected


async def test_without_a_ttl_expiry_is_left_alone(door: Door, raw: Any) -> None:
    history = door.open()
    await history.add_message(HumanMessage("x"))
    assert raw.ttl(f"{door.prefix}session") == -1
    raw.expire(f"{door.prefix}session", 500)
    await history.add_message(HumanMessage("y"))
    assert 400 < raw.ttl(f"{door.prefix}session") <= 500


async def test_only_reads_that_are_told_to_renew_the_time_to_live(door: Door, raw: Any) -> None:
    key = f"{door.prefix}session"
    await door.open(ttl=100).add_message(HumanMessage("x"))
    for refresh, least, most in ((False, 0, 5), (True, 90, 100)):
        history = door.open(ttl=100, refresh_ttl_on_read=refresh)
        for read in (
            history.messages,
            history.iterated,
            history.entries,
            lambda history=history: history.get_messages(-1),
        ):
            raw.expire(key, 5)
            assert len(await read()) == 1
            assert least < raw.ttl(key) <= most
    empty = door.open("empty", ttl=100, refresh_ttl_on_read=True)
    assert await empty.messages() == []
    assert raw.exists(f"{door.prefix}empty") == 0


async def test_a_session_expires_whole(door: Door) -> None:
    history = door.open(ttl=0.02)
    await history.add_messages([HumanMessage("x"), AIMessage("y")])
    while await history.count():
        assert len(await history.messages()) in (0, 2)
    assert await history.messages() == []


async def test_max_messages_keeps_the_newest(door: Door) -> None:
    history = door.open(max_messages=3)
    messages = [HumanMessage(str(number)) for number in range(10)]
    await history.add_messages(messages[:2])
    assert await history.messages() == messages[:2]
    for at in range(2, 6):
        await history.add_message(messages[at])
    assert await history.messages() == messages[3:6]
    await history.add_messages(messages)
    assert await history.messages() == messages[-3:]


async def test_one_message_may_be_the_bound(door: Door) -> None:
    history = door.open(max_messages=1)
    for number in range(3):
        await history.add_message(HumanMessage(str(number)))
    assert await history.messages() == [HumanMessage("2")]


@pytest.mark.parametrize("bound", range(1, 9))
async def test_a_bound_never_leaves_a_tool_result_without_its_call(door: Door, bound: int) -> None:
    history = door.open(max_messages=bound)
    turn: list[BaseMessage] = [
        HumanMessage("?"),
        call("1", "2"),
        result("1"),
        result("2"),
        AIMessage("!"),
        HumanMessage("?"),
        call("3"),
        ToolMessageChunk(content="r", tool_call_id="3"),
        FunctionMessage(content="r", name="f"),
        AIMessage("!"),
    ]
    stored: list[BaseMessage] = []
    for message in turn:
        await history.add_message(message)
        stored.append(message)
        if len(stored) > bound:
            stored = stored[-bound:]
            while stored and isinstance(stored[0], (ToolMessage, FunctionMessage)):
                stored.pop(0)
        assert await history.messages() == stored
    await history.clear()
    await history.add_messages(turn)
    assert await history.messages() == stored


async def test_tool_results_that_alone_exceed_the_bound_go_with_their_call(door: Door) -> None:
    history = door.open(max_messages=2)
    await history.add_messages([HumanMessage("?"), call("1", "2", "3")])
    await history.add_messages([result("1"), result("2"), result("3")])
    assert await history.messages() == []


async def test_a_bound_knows_tool_results_written_by_release_030(door: Door, raw: Any) -> None:
    raw.rpush(
        f"{door.prefix}session",
        b'{"type": "ai", "data": {"content": "", "type": "ai"}}',
        b'{"type": "tool", "data": {"content": "r", "type": "tool", "tool_call_id": "1"}}',
    )
    history = door.open(max_messages=2)
    await history.add_message(HumanMessage("x"))
    assert await history.messages() == [HumanMessage("x")]


async def test_tool_results_that_were_first_stay_while_nothing_is_cut(door: Door) -> None:
    history = door.open(max_messages=5)
    await history.add_messages([result("1"), HumanMessage("x")])
    assert await history.messages() == [result("1"), HumanMessage("x")]
