"""Operations of chat histories: the same code for every candidate.

Strategy: the parent asks for short runs and takes turns between candidates, so that what slows the
machine slows them all.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.placement import all_processors
from benchmarks.worker.adapters.base import HistoryAdapter, Session
from benchmarks.worker.chain import make_chain
from benchmarks.worker.operations import Operations, time_call

_MESSAGES_PER_APPEND = 5_000
_IMPORT = (
    "import langchain_core.messages, redis; from time import perf_counter_ns as now;"
    "started = now(); import langchain_google_memorystore_redis; print(now() - started)"
)
_WRAPPERS = {"evalsha": {"evalsha"}, "exec": {"exec", "multi", "watch", "type", "time"}}
"""Commands whose server time includes that of others, and the commands beside them."""


class HistoryOperations(Operations[HistoryAdapter]):
    """Requests about sessions that are chat histories."""

    async def _store(self, session: str) -> None:
        transcript, length, url = self._stored[session]
        opened = self.adapter.open(url, session)
        await opened.clear()
        messages = self._messages(transcript, length)
        for start in range(0, length, _MESSAGES_PER_APPEND):
            await opened.append(messages[start : start + _MESSAGES_PER_APPEND])

    async def _restore(self, session: str) -> None:
        """Remove what was appended since `prepare`."""
        _, length, url = self._stored[session]
        key = self.adapter.key(session)
        if key is None or length == 0:
            await self._store(session)
        else:
            first, last = (-length, -1) if self.adapter.newest_first else (0, length - 1)
            self.adapter.client(url).ltrim(key, first, last)

    async def _time_append(self, calls: int, session: str, url: str) -> list[int]:
        """Append two messages, by the same object."""
        opened = self.adapter.open(url, session)
        await opened.last(1)  # connects
        return [await time_call(opened.append, self._turn) for _ in range(calls)]

    async def _time_append_many(self, calls: int, session: str, url: str, count: int) -> list[int]:
        """Append many messages in one call."""
        opened, times = self.adapter.open(url, session), []
        messages = self._messages(self._stored[session].transcript, count)
        for _ in range(calls):
            await opened.clear()
            times.append(await time_call(opened.append, messages))
        return times

    async def _time_append_in_server(self, calls: int, session: str, url: str) -> list[int]:
        """Append two messages; return the server's own time of a call, one mean."""
        opened = self.adapter.open(url, session)
        await opened.append(self._turn)  # connects, and has the server load a script
        client = self.adapter.client(url)
        client.config_resetstat()
        for _ in range(calls):
            await opened.append(self._turn)
        stats = client.info("commandstats")
        microseconds = {name.removeprefix("cmdstat_"): each["usec"] for name, each in stats.items()}
        return [round(server_time(microseconds) * 1_000 / calls)]

    async def _time_read(self, calls: int, session: str, url: str) -> list[int]:
        """Read all messages, by a new object."""
        return [await time_call(self._open_and_read, url, session) for _ in range(calls)]

    async def _open_and_read(self, url: str, session: str) -> list[Any]:
        return await self.adapter.open(url, session).read()

    async def _time_read_again(self, calls: int, session: str, url: str) -> list[int]:
        """Read all messages, by an object that had read them before one more turn."""
        opened, times = self.adapter.open(url, session), []
        await opened.read()
        for _ in range(calls):
            await opened.append(self._turn)
            times.append(await time_call(opened.read))
        return times

    async def _time_read_last(self, calls: int, session: str, url: str, count: int) -> list[int]:
        """Read the newest messages, by the same object."""
        opened = self.adapter.open(url, session)
        await opened.last(count)
        return [await time_call(opened.last, count) for _ in range(calls)]

    async def _time_turn(self, calls: int, session: str, url: str) -> list[int]:
        """Take turns as a web worker does: open the session, read all messages, append two.

        The first turn is not timed: `_restore` has removed messages before it, which does not
        happen to an application, and which a cache must recover from.
        """
        await self._take_turn(self.adapter.open, url, session)
        return [
            await time_call(self._take_turn, self.adapter.open, url, session) for _ in range(calls)
        ]

    async def _take_turn(
        self, opener: Callable[[str, str], Session], url: str, session: str
    ) -> None:
        opened = opener(url, session)
        await opened.read()
        await opened.append(self._turn)

    async def _time_chain_turn(self, calls: int, session: str, url: str) -> list[int]:
        """Take turns of a `RunnableWithMessageHistory`; return the time spent in the history.

        The first turn is not timed, as in `_time_turn`.
        """
        take_turn = make_chain(lambda: self.adapter.history(url, session))
        return [take_turn(number) for number in range(calls + 1)][1:]

    async def _time_concurrent_turns(
        self, calls: int, session: str, url: str, concurrency: int, sessions: int
    ) -> list[int]:
        """Take turns in many copies of a session at once; return the time of a turn, one mean."""
        waiting = self._copy(session, sessions) * calls

        async def work() -> None:
            while waiting:
                await self._take_turn(self.adapter.open_concurrent, url, waiting.pop())

        with all_processors():  # for candidates that use threads
            elapsed = await time_call(lambda: asyncio.gather(*(work() for _ in range(concurrency))))
        return [elapsed // (calls * sessions)]

    def _copy(self, session: str, count: int) -> list[str]:
        """Make this many copies of a session; return their names."""
        client = self.adapter.client(self._stored[session].url)
        elements = client.lrange(self.adapter.key(session), 0, -1)
        names = [f"{session}:{number}" for number in range(count)]
        with client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.delete(self.adapter.key(name))
                pipe.rpush(self.adapter.key(name), *elements)
            pipe.execute()
        return names

    async def _time_import(self, calls: int, session: str, url: str) -> list[int]:
        """Import this package in a new interpreter that has imported what it needs."""
        return [_import() for _ in range(calls)]

    async def is_equal(self, session: str) -> bool:
        """Return whether what was stored comes back equal."""
        transcript, length, url = self._stored[session]
        expected = self.adapter.as_read(self._messages(transcript, length))
        return bool(await self.adapter.open(url, session).read() == expected)

    async def returns_copies(self, session: str) -> bool:
        """Return whether changing the messages of a read leaves those of the next one alone."""
        transcript, length, url = self._stored[session]
        opened = self.adapter.open(url, session)
        for message in await opened.read():
            message.content = "changed"
            message.additional_kwargs["changed"] = True
            for call in getattr(message, "tool_calls", ()):
                call["args"]["changed"] = True
        return bool(await opened.read() == self._messages(transcript, length))


def _import() -> int:
    command = [sys.executable, "-W", "ignore", "-c", _IMPORT]
    return int(subprocess.check_output(command))  # noqa: S603


def server_time(microseconds: Mapping[str, float]) -> float:
    """Return the server's time by command summed up, with what runs inside another counted once."""
    wrapper = next((name for name in _WRAPPERS if name in microseconds), None)
    counted = _WRAPPERS[wrapper] if wrapper else microseconds.keys() - {"config|resetstat", "info"}
    return sum(spent for name, spent in microseconds.items() if name in counted)
