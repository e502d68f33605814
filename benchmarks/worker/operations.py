"""Requests that every worker answers.

Strategy: every method without underscore is a request. An operation that is timed is a method
`_time_<operation>` that makes `calls` calls, each timed alone; what a call needs beforehand, and
what undoes it, is not timed.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from time import perf_counter_ns
from typing import Any, Generic, NamedTuple, TypeVar

from benchmarks.worker.adapters.base import Adapter

A = TypeVar("A", bound=Adapter)


class Stored(NamedTuple):
    """Content of a session that was prepared."""

    transcript: str
    length: int
    url: str


class Operations(Generic[A]):
    """Requests about sessions, whose names the parent chooses."""

    def __init__(self, adapter: A) -> None:
        self.adapter = adapter
        self._transcripts: dict[str, list[Any]] = {}
        self._turn: list[Any] = []
        self._stored: dict[str, Stored] = {}

    async def load(
        self, name: str, messages: list[dict[str, Any]], turn: list[dict[str, Any]]
    ) -> None:
        """Keep a transcript, and the two messages of a turn."""
        self._transcripts[name] = self.adapter.messages(messages)
        self._turn = self.adapter.messages(turn)

    def _messages(self, transcript: str, length: int) -> list[Any]:
        """Return the first messages of a transcript, repeated where it is shorter."""
        messages = self._transcripts[transcript]
        return (messages * (length // len(messages) + 1))[:length]

    async def prepare(self, session: str, transcript: str, length: int, url: str) -> None:
        """Make a session hold `length` messages of a transcript, and nothing else."""
        self._stored[session] = Stored(transcript, length, url)
        await self._store(session)

    async def _store(self, session: str) -> None:
        raise NotImplementedError

    async def _restore(self, session: str) -> None:
        """Undo what the calls of an operation have changed."""

    async def run(
        self, operation: str, calls: int, session: str, url: str, **options: Any
    ) -> list[int]:
        """Return the nanoseconds of each call of an operation."""
        timed: Callable[..., Awaitable[list[int]]] = getattr(self, f"_time_{operation}")
        gc.collect()
        try:
            return await timed(calls, session, url, **options)
        finally:
            await self._restore(session)

    async def is_equal(self, session: str) -> bool:
        """Return whether what was stored comes back equal."""
        raise NotImplementedError

    async def memory(self, session: str) -> int:
        """Return the bytes of all keys of a session, by the server's own account."""
        client = self.adapter.client(self._stored[session].url)
        keys = list(client.scan_iter(match=f"*{session}*", count=1_000))
        return sum(client.memory_usage(key, samples=0) for key in keys)

    async def clean(self, session: str, url: str) -> None:
        """Remove all keys of the sessions whose names begin with this one's."""
        client = self.adapter.client(url)
        for key in client.scan_iter(match=f"*{session}*", count=1_000):
            client.unlink(key)


async def time_call(call: Callable[..., Awaitable[Any]], *arguments: Any) -> int:
    """Return the nanoseconds of a call."""
    started = perf_counter_ns()
    result = await call(*arguments)
    elapsed = perf_counter_ns() - started
    del result  # freeing the messages is not part of reading them
    return elapsed
