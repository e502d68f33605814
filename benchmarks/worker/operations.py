"""What is timed, the same lines for every contestant.

Strategy: a run is `n` calls in a row, each timed alone with `perf_counter_ns`; what a call needs
beforehand, and putting the session back to its length afterwards, is not timed. The parent asks
for short runs and takes turns between contestants, so what slows the machine slows them all.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from importlib import import_module
from time import perf_counter_ns
from typing import Any

from benchmarks.placement import everywhere
from benchmarks.worker.adapters import Adapter, Session
from benchmarks.worker.runnable import conversation

_CHUNK = 5_000


class Operations:
    """The verbs of the protocol. Sessions are named by the parent."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._transcripts: dict[str, list[Any]] = {}
        self._turn: list[Any] = []
        self._stored: dict[str, tuple[str, int, str]] = {}

    async def load(self, name: str, rows: list[dict[str, Any]], turn: list[dict[str, Any]]) -> None:
        """Take over a transcript, and the two messages of a turn."""
        self._transcripts[name] = self._adapter.messages(rows)
        self._turn = self._adapter.messages(turn)

    def _wanted(self, transcript: str, length: int) -> list[Any]:
        """The first messages of a transcript, over again where it is shorter."""
        rows = self._transcripts[transcript]
        return (rows * (length // len(rows) + 1))[:length]

    async def prepare(self, session: str, transcript: str, length: int, url: str) -> None:
        """Make a session hold `length` messages of a transcript."""
        opened = self._adapter.open(url, session)
        await opened.clear()
        wanted = self._wanted(transcript, length)
        for start in range(0, length, _CHUNK):
            await opened.append(wanted[start : start + _CHUNK])
        self._stored[session] = (transcript, length, url)

    async def prepare_many(
        self, session: str, transcript: str, length: int, url: str, sessions: int
    ) -> None:
        """Make many sessions hold the same, by copying the first one's list."""
        await self.prepare(f"{session}:0", transcript, length, url)
        client = self._adapter.client(url)
        elements = client.lrange(self._adapter.key(f"{session}:0"), 0, -1)
        for number in range(1, sessions):
            key = self._adapter.key(f"{session}:{number}")
            client.delete(key)
            client.rpush(key, *elements)
            self._stored[f"{session}:{number}"] = (transcript, length, url)

    async def _restore(self, session: str) -> None:
        """Take away what was appended since `prepare`."""
        if session not in self._stored:
            return
        transcript, length, url = self._stored[session]
        key = self._adapter.key(session)
        if key is None or length == 0:
            await self.prepare(session, transcript, length, url)
            return
        first, last = (-length, -1) if self._adapter.newest_first else (0, length - 1)
        self._adapter.client(url).ltrim(key, first, last)

    async def run(self, op: str, n: int, session: str, url: str, **options: Any) -> list[int]:
        """Nanoseconds of each of `n` calls of an operation."""
        timed: Callable[..., Awaitable[list[int]]] = getattr(self, f"_{op}")
        gc.collect()
        try:
            return await timed(n, session, url, **options)
        finally:
            await self._restore(session)

    async def _append(self, n: int, session: str, url: str) -> list[int]:
        """Two messages, by an object that is there already."""
        opened = self._adapter.open(url, session)
        await opened.last(1)  # the connection is open
        return [await _time(opened.append, self._turn) for _ in range(n)]

    async def _bulk(
        self, n: int, session: str, url: str, transcript: str, length: int
    ) -> list[int]:
        """Many messages in one call."""
        opened, wanted, times = self._adapter.open(url, session), [], []
        wanted = self._wanted(transcript, length)
        for _ in range(n):
            await opened.clear()
            times.append(await _time(opened.append, wanted))
        return times

    async def _read(self, n: int, session: str, url: str) -> list[int]:
        """All messages, by a new object."""
        return [await _time(self._open_and_read, url, session) for _ in range(n)]

    async def _open_and_read(self, url: str, session: str) -> list[Any]:
        return await self._adapter.open(url, session).read()

    async def _reread(self, n: int, session: str, url: str) -> list[int]:
        """All messages, by an object that has read them before one more turn."""
        opened, times = self._adapter.open(url, session), []
        await opened.read()
        for _ in range(n):
            await opened.append(self._turn)
            times.append(await _time(opened.read))
        return times

    async def _turns(self, n: int, session: str, url: str) -> list[int]:
        """What a web worker does in a turn: a new object, all messages, two more.

        The first is not timed: the turns before were cut off the session, as no application does.
        """
        await self._one_turn(self._adapter.open, url, session)
        return [await _time(self._one_turn, self._adapter.open, url, session) for _ in range(n)]

    async def _one_turn(
        self, opener: Callable[[str, str], Session], url: str, session: str
    ) -> None:
        opened = opener(url, session)
        await opened.read()
        await opened.append(self._turn)

    async def _last(self, n: int, session: str, url: str, count: int) -> list[int]:
        """The newest messages, by an object that is there already."""
        opened = self._adapter.open(url, session)
        await opened.last(count)
        return [await _time(opened.last, count) for _ in range(n)]

    async def _runnable(self, n: int, session: str, url: str) -> list[int]:
        """What `RunnableWithMessageHistory` spends in the history in a turn, all calls summed.

        As in `_turns`, the first is not timed.
        """
        converse = conversation(lambda: self._adapter.history(url, session))
        return [converse(number) for number in range(n + 1)][1:]

    async def _concurrent(
        self, n: int, session: str, url: str, concurrency: int, sessions: int
    ) -> list[int]:
        """`n` turns of each of many sessions, so many at once: nanoseconds a turn, one figure."""
        waiting = [f"{session}:{number}" for number in range(sessions)] * n

        async def work() -> None:
            while waiting:
                await self._one_turn(self._adapter.open_concurrent, url, waiting.pop())

        try:
            with everywhere():  # threads may use all processors there are
                spent = await _time(lambda: asyncio.gather(*(work() for _ in range(concurrency))))
        finally:
            for number in range(sessions):
                await self._restore(f"{session}:{number}")
        return [spent // (n * sessions)]

    # What is no time

    async def is_equal(self, session: str) -> bool:
        """Whether what was stored comes back equal, by the contestant's own objects.

        The floor's objects are bytes that were never messages: they are read as dicts.
        """
        transcript, length, url = self._stored[session]
        wanted = self._wanted(transcript, length)
        if wanted and isinstance(wanted[0], bytes):
            wanted = [import_module("orjson").loads(element) for element in wanted]
        return bool(await self._adapter.open(url, session).read() == wanted)

    async def gives_copies(self, session: str) -> bool:
        """Whether changing what a read returned leaves what the next one returns as it was."""
        transcript, length, url = self._stored[session]
        wanted = self._wanted(transcript, length)
        opened = self._adapter.open(url, session)
        for message in await opened.read():
            message.content = "changed"
            message.additional_kwargs["changed"] = True
            for call in getattr(message, "tool_calls", ()):
                call["args"]["changed"] = True
        return bool(await opened.read() == wanted)

    async def memory(self, session: str) -> int:
        """Bytes of all keys of a session, as the server accounts for them."""
        client = self._adapter.client(self._stored[session][2])
        keys = client.scan_iter(match=f"*{session}*", count=1_000)
        return sum(client.memory_usage(key, samples=0) for key in keys)

    async def clean(self, session: str, url: str) -> None:
        """Remove all keys of a session, and of those that were named after it."""
        client = self._adapter.client(url)
        for key in client.scan_iter(match=f"*{session}*", count=1_000):
            client.unlink(key)

    async def server_time(self, n: int, session: str, url: str) -> dict[str, list[int]]:
        """Calls and microseconds of each command that `n` appends cost the server."""
        opened = self._adapter.open(url, session)
        await opened.append(self._turn)
        client = self._adapter.client(url)
        client.config_resetstat()
        for _ in range(n):
            await opened.append(self._turn)
        stats = client.info("commandstats")
        await self._restore(session)
        return {
            name.removeprefix("cmdstat_"): [entry["calls"], entry["usec"]]
            for name, entry in stats.items()
        }


async def _time(call: Callable[..., Awaitable[Any]], *arguments: Any) -> int:
    started = perf_counter_ns()
    kept = await call(*arguments)
    spent = perf_counter_ns() - started
    del kept  # throwing the messages away is not part of reading them
    return spent
