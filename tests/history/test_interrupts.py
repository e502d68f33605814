"""An append that is interrupted or cancelled at any point is stored once when it is repeated."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

import langchain_google_memorystore_redis as package
from langchain_google_memorystore_redis import MemorystoreChatMessageHistory
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.servers import Servers
from tests.redis.interrupts import Interrupt, interrupted, of_client

TARGETS = [
    Target("valkey-9.1"),
    Target("valkey-9.1", library="valkey"),
    Target("redis-5.0", protocol=2),
    Target("redis-7.0", cluster=True),
]
OURS = str(Path(package.__file__).parent)
KEYS = pytest.mark.parametrize("key", [None, "task"], ids=["no key", "key"])


def turn(number: int) -> list[BaseMessage]:
    return [HumanMessage(f"question {number}"), AIMessage(f"answer {number}")]


def of_ours(filename: str) -> bool:
    return filename.startswith(OURS)


def of_ours_or_client(filename: str) -> bool:
    return of_ours(filename) or of_client(filename)


@KEYS
@pytest.mark.parametrize(
    ("target", "within"),
    [*((target, of_ours) for target in TARGETS), (TARGETS[0], of_ours_or_client)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_an_append_interrupted_at_any_point_is_stored_once_when_repeated(
    target: Target, within: Callable[[str], bool], servers: Servers, prefix: str, key: str | None
) -> None:
    client = target.connect(target.port(servers))
    history = MemorystoreChatMessageHistory(client, "session", key_prefix=prefix)
    stored_before = 0
    for at in itertools.count(1):
        messages, idempotency_key = turn(at), key and f"{key} {at}"
        try:
            with interrupted(at, within) as was_reached:
                history.add_messages(messages, idempotency_key=idempotency_key)
        except Interrupt:
            stored = history.count() - 2 * (at - 1)
            assert stored in (0, 2)
            stored_before += stored == 2
            history.add_messages(messages, idempotency_key=idempotency_key)
        assert history.count() == 2 * at
        assert history[-2:] == messages
        if not was_reached():
            break
    assert at > 50
    assert 0 < stored_before < at  # so interrupts struck before and after the server's work


class Cancelled:
    """Coroutine whose task is cancelled at its n-th wait, before or after what it waits for."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], at: int, is_late: bool) -> None:
        self._steps = coroutine.__await__()
        self._left, self._is_late = at, is_late

    @property
    def was_reached(self) -> bool:
        return self._left <= 0

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None
        resume: Any = self._steps.send
        answer: Any = None
        while True:
            try:
                future = resume(answer)
            except StopIteration as end:
                return end.value
            self._left -= 1
            resume, answer = self._steps.send, None
            if self._left == 0 and not self._is_late:
                task.cancel()
            try:
                answer = yield future
            except BaseException as error:  # noqa: BLE001  (raised inside the coroutine)
                resume, answer = self._steps.throw, error
            if self._left == 0 and self._is_late:
                resume, answer = self._steps.throw, asyncio.CancelledError()


@KEYS
@pytest.mark.parametrize(
    "when", ["asyncio-before", "asyncio-after", "thread-before", "thread-after"]
)
@pytest.mark.parametrize("target", TARGETS, ids=str)
async def test_an_append_cancelled_at_any_wait_is_stored_once_when_repeated(
    target: Target, servers: Servers, prefix: str, when: str, key: str | None
) -> None:
    port, cancelled = target.port(servers), 0
    connects_asyncio = not when.startswith("thread")
    async with asyncio_client(target, port) as asynchronous:
        for at in itertools.count(1):
            # New clients wait for connections as well.
            client = target.connect(port, asyncio=connects_asyncio)
            name, messages = f"session {at}", turn(at)
            history = MemorystoreChatMessageHistory(client, name, key_prefix=prefix)
            other = MemorystoreChatMessageHistory(asynchronous, name, key_prefix=prefix)
            await other.aadd_messages(turn(0))
            append = history.aadd_messages(messages, idempotency_key=key)
            call = Cancelled(append, at, is_late=when.endswith("after"))
            try:
                await asyncio.create_task(_run(call))
            except asyncio.CancelledError:
                cancelled += 1
                assert await other.aget_messages() in (turn(0), [*turn(0), *messages])
                await history.aadd_messages(messages, idempotency_key=key)
            assert await other.aget_messages() == [*turn(0), *messages]
            await client.aclose() if connects_asyncio else client.close()
            if not call.was_reached:
                break
    assert cancelled  # asyncio.wait_for of Python 3.11 loses a cancellation that comes late


async def _run(call: Cancelled) -> None:
    await call
