"""Calls in worker threads whose callers have stopped waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import redis
from langchain_core.messages import HumanMessage

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory
from tests.faults import Proxy, late
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers
from tests.servers.processes import wait_until

LATE = 0.5


@pytest.fixture
def proxy(servers: Servers, proxy_to: ProxyTo) -> Proxy:
    return proxy_to(servers.standalone("valkey-9.1").port)


@pytest.fixture
def client(proxy: Proxy) -> Iterator[Any]:
    with redis.Redis(port=proxy.port) as made:
        yield made


def open_one(client: Any, prefix: str, name: str = "session") -> MemorystoreChatMessageHistory:
    return MemorystoreChatMessageHistory(client, name, key_prefix=prefix)


async def cancelled(proxy: Proxy, call: Awaitable[Any], on: str) -> None:
    """Start a call, and cancel it when its command is in the network."""
    proxy.inject(late(LATE), on=on)
    task = asyncio.ensure_future(call)
    await asyncio.to_thread(wait_until, lambda: bool(proxy.injections), "the command")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def end_of_threads() -> None:
    """Wait for the worker threads, whatever has become of their callers."""
    await asyncio.get_running_loop().shutdown_default_executor()


async def clear(history: MemorystoreChatMessageHistory) -> None:
    history.clear()


async def aclear(history: MemorystoreChatMessageHistory) -> None:
    await history.aclear()


@pytest.mark.parametrize("remove", [clear, aclear])
async def test_a_cancelled_append_is_not_stored_after_a_later_clear(
    client: Any,
    proxy: Proxy,
    prefix: str,
    remove: Callable[[MemorystoreChatMessageHistory], Awaitable[None]],
) -> None:
    history = open_one(client, prefix)
    history.add_user_message("teaches the server the script")
    history.clear()
    await cancelled(proxy, history.aadd_messages([HumanMessage("late")]), "EVALSHA")
    await open_one(client, prefix, "other").aadd_messages([HumanMessage("does not wait")])
    # By a history of its own: LangChain makes one for every turn.
    await remove(open_one(client, prefix))
    assert client.llen(history.key) == 0
    await end_of_threads()
    assert client.llen(history.key) == 0


async def test_a_cancelled_call_sends_nothing_more(client: Any, proxy: Proxy, prefix: str) -> None:
    history = open_one(client, prefix)
    history.add_messages([HumanMessage("x")])
    await cancelled(proxy, history.acopy("branch"), "EXISTS")
    await end_of_threads()
    assert proxy.commands[-1] == "EXISTS"


async def test_a_cancelled_append_can_be_repeated_and_is_stored_once(
    client: Any, proxy: Proxy, prefix: str
) -> None:
    history, messages = open_one(client, prefix), [HumanMessage("once")]
    await history.aadd_messages([HumanMessage("before")])
    await cancelled(proxy, history.aadd_messages(messages), "EVALSHA")
    await history.aadd_messages(messages)
    assert [message.content for message in await history.aget_messages()] == ["before", "once"]
