"""asyncio clients, their event loop, and calls that come from elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import redis.asyncio
from langchain_core.messages import AIMessage, HumanMessage

from langchain_google_memorystore_redis import (
    AsyncClientError,
    ClientClosedError,
    EventLoopError,
    MemorystoreChatMessageHistory,
    ReadCache,
    aconnect,
    sessions,
)
from tests.faults import STALL
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers
from tests.servers.processes import wait_until


class LoopThread:
    """An event loop that runs in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def stop(self) -> None:
        """Stop the loop, as `asyncio.run` does when its coroutine has ended: nothing is closed."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


@pytest.fixture
def other() -> Iterator[LoopThread]:
    """A second event loop."""
    made = LoopThread()
    yield made
    if made.thread.is_alive():
        made.stop()
    made.loop.close()


def open_one(client: Any, prefix: str, **options: Any) -> MemorystoreChatMessageHistory:
    return MemorystoreChatMessageHistory(client, "session", key_prefix=prefix, **options)


async def opened(client: Any, prefix: str) -> MemorystoreChatMessageHistory:
    return open_one(client, prefix)


async def many(history: MemorystoreChatMessageHistory) -> None:
    await history.aadd_messages([HumanMessage("hi")])
    counts = await asyncio.gather(*(history.acount() for _ in range(20)))
    assert set(counts) == {counts[0]}


# A second loop


def test_an_asyncio_client_is_refused_in_a_second_loop(
    target: Target, servers: Servers, prefix: str
) -> None:
    client = target.connect(target.port(servers), asyncio=True)
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(many(open_one(client, prefix)))
        for _ in range(3):
            with pytest.raises(EventLoopError, match=r"another event loop.*aclose.*blocking"):
                second.run(open_one(client, prefix).acount())
        first.run(many(open_one(client, prefix)))
        first.run(client.aclose())


def test_a_loop_that_is_closed_is_a_loop_all_the_same(
    target: Target, servers: Servers, prefix: str
) -> None:
    client = target.connect(target.port(servers), asyncio=True)
    asyncio.run(many(open_one(client, prefix)))
    for _ in range(3):
        with pytest.raises(EventLoopError, match="another event loop"):
            asyncio.run(open_one(client, prefix).acount())


def test_a_client_that_its_user_has_used_in_another_loop_is_refused(
    target: Target, servers: Servers, prefix: str
) -> None:
    client = target.connect(target.port(servers), asyncio=True)
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(client.execute_command("GET", f"{prefix}x"))
        with pytest.raises(EventLoopError):
            second.run(open_one(client, prefix).acount())
        first.run(client.aclose())


def test_a_loop_beside_the_first_is_refused_and_harms_nothing(
    target: Target, servers: Servers, prefix: str, other: LoopThread
) -> None:
    client = target.connect(target.port(servers), asyncio=True)
    history = open_one(client, prefix)
    other.run(many(history))

    async def refused() -> None:
        for call in [history.acount] * 20:
            with pytest.raises(EventLoopError):
                await call()

    asyncio.run(refused())
    other.run(many(history))
    other.run(client.aclose())


@pytest.mark.parametrize("cluster", [False, True])
def test_a_client_of_aconnect_is_refused_in_a_second_loop(
    servers: Servers, prefix: str, cluster: bool
) -> None:
    url = servers.cluster("valkey-9.1").url if cluster else servers.standalone("valkey-9.1").url

    async def first_job() -> Any:
        client = await aconnect(url)
        await many(open_one(client, prefix))
        return client

    client = asyncio.run(first_job())
    with pytest.raises(EventLoopError):
        asyncio.run(open_one(client, prefix).acount())


def test_a_client_without_connections_may_change_its_loop(
    target: Target, servers: Servers, prefix: str
) -> None:
    client = target.connect(target.port(servers), asyncio=True)

    async def job() -> None:
        async with contextlib.aclosing(client):
            await many(open_one(client, prefix))

    asyncio.run(job())
    for _ in range(2):
        if hasattr(client, "_closed") and target.library == "valkey":  # of a cluster: stays closed
            with pytest.raises(ClientClosedError):
                asyncio.run(open_one(client, prefix).acount())
        else:
            asyncio.run(job())


def test_a_blocking_client_serves_any_loop(client: Any, prefix: str) -> None:
    for _ in range(3):
        asyncio.run(many(open_one(client, prefix)))


async def test_without_a_loop_of_asyncio_calls_are_refused(
    target: Target, servers: Servers, client: Any, prefix: str
) -> None:
    def start(coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run the first step of a coroutine, as trio does."""
        with pytest.raises(EventLoopError, match="asyncio"):
            coroutine.send(None)

    async with asyncio_client(target, target.port(servers)) as async_client:
        for each in (client, async_client):
            await asyncio.to_thread(start, open_one(each, prefix).acount())
    await asyncio.to_thread(start, aconnect())


# Blocking methods of an asyncio client


async def test_blocking_methods_work_beside_the_loop_of_an_asyncio_client(
    target: Target, servers: Servers, prefix: str
) -> None:
    def use(history: MemorystoreChatMessageHistory) -> None:
        history.add_messages([HumanMessage("hi"), AIMessage("hello")])
        assert len(history) == 2
        assert history.messages == list(history) == history[:]
        assert history[0] == HumanMessage("hi")
        assert [entry.message for entry in history.entries()] == history.messages
        branch = history.copy("branch", 1)
        entry_id = branch.entries()[0].id
        assert entry_id is not None
        branch.replace_from(entry_id, [HumanMessage("edited")])
        assert branch.messages == [HumanMessage("edited")]
        branch.truncate(0)
        found = sessions.list_sessions(async_client, prefix)
        assert [each.session_id for each in found] == ["session"]
        with pytest.raises(IndexError, match="no message"):
            history[7]

    async with asyncio_client(target, target.port(servers)) as async_client:
        history = open_one(async_client, prefix, cache=ReadCache())
        await asyncio.to_thread(use, history)
        assert len(await history.aget_messages()) == 2
        await asyncio.gather(*(asyncio.to_thread(lambda: len(history)) for _ in range(20)))


async def test_the_thread_of_the_loop_is_told_what_to_await(
    target: Target, servers: Servers, prefix: str
) -> None:
    async with asyncio_client(target, target.port(servers)) as client:
        history = open_one(client, prefix)
        await history.acount()
        with pytest.raises(AsyncClientError, match=r"aget_messages\(\)"):
            history.messages  # noqa: B018


async def test_a_history_made_in_the_thread_finds_the_loop_of_the_client(
    servers: Servers, prefix: str
) -> None:
    async with await aconnect(servers.standalone("valkey-9.1").url) as client:
        assert await asyncio.to_thread(lambda: len(open_one(client, prefix))) == 0


def test_another_loop_may_wait_for_that_of_the_client(
    servers: Servers, prefix: str, other: LoopThread
) -> None:
    client = redis.asyncio.Redis(port=servers.standalone("valkey-9.1").port)
    history = open_one(client, prefix)
    other.run(history.acount())

    async def job() -> int:
        return len(history)

    assert asyncio.run(job()) == 0
    other.run(client.aclose())


def test_a_loop_that_does_not_run_is_not_waited_for(
    target: Target, servers: Servers, prefix: str, other: LoopThread
) -> None:
    client = target.connect(target.port(servers), asyncio=True)
    history = open_one(client, prefix)
    with pytest.raises(AsyncClientError):
        len(history)
    other.run(history.acount())
    other.run(client.aclose())
    other.stop()
    with pytest.raises(AsyncClientError):
        len(history)
    other.loop.close()
    with pytest.raises(AsyncClientError):
        len(history)


@pytest.fixture
def stalled(servers: Servers, proxy_to: ProxyTo) -> Any:
    """A proxy that holds the reply of LLEN back for ever."""
    proxy = proxy_to(servers.standalone("valkey-9.1").port)
    proxy.inject(STALL, on="LLEN")
    return proxy


def is_sent(proxy: Any) -> Callable[[], bool]:
    return lambda: bool(proxy.injections)


@pytest.mark.parametrize("cancels", [True, False])
def test_a_call_does_not_outlive_its_loop(
    stalled: Any, prefix: str, other: LoopThread, cancels: bool
) -> None:
    client = redis.asyncio.Redis(port=stalled.port, socket_timeout=None)
    history = other.run(opened(client, prefix))

    def end() -> None:
        wait_until(is_sent(stalled), "the command")
        if cancels:  # as asyncio.run does at its end
            for task in asyncio.all_tasks(other.loop):
                other.loop.call_soon_threadsafe(task.cancel)
        else:
            other.stop()

    ending = threading.Thread(target=end)
    ending.start()
    with pytest.raises(EventLoopError, match="may or may not"):
        len(history)
    ending.join()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
def test_an_interrupted_call_has_ended_when_it_raises(
    stalled: Any, prefix: str, other: LoopThread
) -> None:
    client = redis.asyncio.Redis(port=stalled.port, socket_timeout=None)
    history = other.run(opened(client, prefix))

    class Interrupt(BaseException):
        pass

    def handle(*_: Any) -> None:
        raise Interrupt

    def interrupt() -> None:
        wait_until(is_sent(stalled), "the command")
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        with pytest.raises(Interrupt):
            len(history)
        assert asyncio.all_tasks(other.loop) == set()
        interrupting.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(history) == 0
    other.run(client.aclose())


CHILD = textwrap.dedent(
    """
    import asyncio, os, sys, warnings
    import redis.asyncio
    from langchain_google_memorystore_redis import MemorystoreChatMessageHistory, MemorystoreError

    warnings.simplefilter("ignore", DeprecationWarning)

    def outcome(call):
        try:
            return call()
        except MemorystoreError as error:
            return type(error).__name__

    async def main():
        client = redis.asyncio.Redis(port=int(sys.argv[1]))
        history = MemorystoreChatMessageHistory(client, "s", key_prefix=sys.argv[2])
        if sys.argv[3] == "used":
            await history.acount()
        return client, history

    def child(client, history):
        print(outcome(lambda: len(history)), flush=True)
        print(outcome(lambda: asyncio.run(history.acount())), flush=True)
        os._exit(0)

    async def forking():
        client, history = await main()
        if os.fork() == 0:
            import threading
            thread = threading.Thread(target=child, args=(client, history))
            thread.start()
            thread.join()
        os.wait()
        await client.aclose()

    asyncio.run(forking())
    """
)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
@pytest.mark.parametrize(("use", "answer"), [("used", "EventLoopError"), ("unused", "0")])
def test_a_forked_child_waits_for_no_loop_of_its_parent(
    servers: Servers, prefix: str, use: str, answer: str
) -> None:
    port = servers.standalone("valkey-9.1").port
    command = [sys.executable, "-c", CHILD, str(port), prefix, use]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout.split() == ["AsyncClientError", answer], run.stderr
