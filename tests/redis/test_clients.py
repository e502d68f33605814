"""Every kind of client, limited users, threads, and scripts the server has forgotten."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from langchain_core.messages import AIMessage, HumanMessage

from langchain_google_memorystore_redis import (
    MemorystoreChatMessageHistory,
    NotReplicatedError,
)
from langchain_google_memorystore_redis._redis.runners import AsyncRunner
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.doors import Door
from tests.plugins.servers import Servers
from tests.servers.processes import Server


async def test_one_history_serves_both_kinds_of_call_natively(
    target: Target, servers: Servers, client: Any, prefix: str
) -> None:
    async with asyncio_client(target, target.port(servers)) as async_client:
        history = MemorystoreChatMessageHistory(
            client=client, session_id="s", key_prefix=prefix, async_client=async_client
        )
        assert isinstance(history._async, AsyncRunner)
        await history.aadd_messages([HumanMessage("from asyncio")])
        history.add_user_message("blocking")
        assert await history.aget_messages() == history.messages
        branch = await history.acopy("branch")
        assert branch.messages == history.messages == await branch.aget_messages()


async def test_a_blocking_client_does_not_block_the_loop(client: Any, prefix: str) -> None:
    loop_thread = threading.get_ident()
    seen = []
    send = client.execute_command

    class Watched:
        def execute_command(self, *args: Any, **options: Any) -> Any:
            seen.append(threading.get_ident())
            return send(*args, **options)

    history = MemorystoreChatMessageHistory(Watched(), "s", key_prefix=prefix)
    await history.aadd_messages([HumanMessage("x")])
    assert await history.aget_messages() == [HumanMessage("x")]
    assert await history.acount() == 1
    assert seen
    assert loop_thread not in seen


def test_twenty_threads_appending_at_once_tear_no_batch_apart(client: Any, prefix: str) -> None:
    history = MemorystoreChatMessageHistory(client, "s", key_prefix=prefix)
    turns = 10

    def write(writer: int) -> None:
        for turn in range(turns):
            history.add_messages(
                [HumanMessage(f"{writer}/{turn}/?"), AIMessage(f"{writer}/{turn}/!")]
            )

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(write, range(20)))
    got = [str(message.text) for message in history.messages]
    assert len(got) == len(set(got)) == 20 * turns * 2
    for question, answer in zip(got[::2], got[1::2], strict=True):
        assert question[:-1] == answer[:-1]
    for writer in range(20):
        own = [text for text in got if text.startswith(f"{writer}/")]
        assert own == [f"{writer}/{turn}/{mark}" for turn in range(turns) for mark in "?!"]


async def test_a_hundred_tasks_appending_at_once_lose_nothing(
    target: Target, servers: Servers, prefix: str
) -> None:
    async with asyncio_client(target, target.port(servers)) as client:
        history = MemorystoreChatMessageHistory(client, "s", key_prefix=prefix)
        await asyncio.gather(
            *(
                history.aadd_messages([HumanMessage(f"{task}?"), AIMessage(f"{task}!")])
                for task in range(100)
            )
        )
        got = [message.content for message in await history.aget_messages()]
    assert sorted(got) == sorted(f"{task}{mark}" for task in range(100) for mark in "?!")
    assert all(got[at][:-1] == got[at + 1][:-1] for at in range(0, 200, 2))


async def test_a_server_that_forgot_the_scripts_goes_unnoticed(door: Door, raw: Any) -> None:
    history = door.open(ttl=100, refresh_ttl_on_read=True)
    for turn in range(3):
        raw.script_flush()
        await history.add_message(HumanMessage(str(turn)))
        raw.script_flush()
        assert len(await history.messages()) == turn + 1
    raw.script_flush()
    await history.clear()
    assert await history.count() == 0


@asynccontextmanager
async def limited_doors(limited: tuple[Target, int, str], prefix: str) -> AsyncIterator[list[Door]]:
    """The limited user by a blocking client and by an asyncio one."""
    target, port, name = limited
    login: dict[str, Any] = {"username": name, "password": "pw"}
    client = target.connect(port, **login)
    async with asyncio_client(target, port, **login) as async_client:
        ways = ((client, False), (async_client, True))
        yield [Door(opened, by_async, f"chat:{prefix}{by_async}:") for opened, by_async in ways]
    client.close()


async def test_a_limited_user_can_do_everything(
    limited: tuple[Target, int, str], prefix: str
) -> None:
    async with limited_doors(limited, prefix) as doors:
        for door in doors:
            history = door.open(ttl=100, max_messages=4, refresh_ttl_on_read=True)
            await history.add_messages([HumanMessage(str(number)) for number in range(6)])
            assert len(await history.messages()) == await history.count() == 4
            assert len(await history.get_messages(-2)) == len(await history.entries(-2)) == 2
            assert len(await history.iterated()) == 4
            copied = await history.copy("other")
            await copied.truncate(1)
            assert await copied.count() == 1
            await copied.clear()
            await history.clear()
            assert await history.messages() == []
            outside = door.open(key_prefix="private:")
            with pytest.raises(Exception, match=r"(?i)permission|access") as caught:
                await outside.add_message(HumanMessage("x"))
            assert type(caught.value).__name__ == "NoPermissionError"


async def test_a_limited_user_may_wait_for_replicas(
    limited: tuple[Target, int, str], prefix: str
) -> None:
    async with limited_doors(limited, prefix) as doors:
        for door in doors:
            history = door.open(replicas_ack=1, replicas_ack_timeout=0.01)
            with pytest.raises(NotReplicatedError, match="0 of 1"):
                await history.add_message(HumanMessage("x"))
            await history.clear()


async def test_a_sentinel_master_is_a_client_like_any_other(servers: Servers) -> None:
    engine = servers.engine("redis-7.0")
    with Server(engine) as master:
        watch = f"sentinel monitor chat 127.0.0.1 {master.port} 1"
        with Server(engine, "--sentinel", config=watch) as guard:
            nodes = [("127.0.0.1", guard.port)]
            sentinel: Any = redis.sentinel.Sentinel
            blocking = sentinel(nodes).master_for("chat")
            history = MemorystoreChatMessageHistory(blocking, "s")
            history.add_user_message("x")
            sentinel = redis.asyncio.sentinel.Sentinel
            awaited = sentinel(nodes).master_for("chat")
            twin = MemorystoreChatMessageHistory(awaited, "s")
            assert await twin.aget_messages() == history.messages == [HumanMessage("x")]
            await awaited.aclose()
            blocking.close()
