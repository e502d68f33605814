"""The event loops of asyncio clients, and calls into them from other threads.

Strategy: the connections of an asyncio client, and its locks once a task has waited for one, work
in one event loop alone. So the loop in which a client is used is noted once for all objects that
share it, and each call compares it with the loop that runs: that is all it costs.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

from langchain_google_memorystore_redis._redis.locks import create_lock
from langchain_google_memorystore_redis._redis.pools import connection_loops, unbind_locks
from langchain_google_memorystore_redis._redis.registry import ClientRegistry
from langchain_google_memorystore_redis.errors import EventLoopError

T = TypeVar("T")
Loop = asyncio.AbstractEventLoop

_PATIENCE = 0.25
"""Seconds after which a waiting thread looks whether the loop still runs."""


def require_loop() -> Loop:
    """Return the event loop that runs in this thread; raises `EventLoopError` if none does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise EventLoopError(
            "async methods need asyncio, and none of its event loops runs here. Call them under "
            "asyncio.run(), or from another library (trio) call the blocking methods of a "
            "blocking client in a thread (trio.to_thread.run_sync)."
        ) from None


class Home:
    """Event loop in which an asyncio client is used."""

    def __init__(self) -> None:
        self._lock = create_lock()
        self._loop: Loop | None = None
        self._first_seen: Loop | None = None
        """Loop in which an object with this client was made, perhaps before its first use."""
        self._is_inherited = False

    def require(self, client: Any) -> None:
        """Check that the loop that runs here is the client's, or may become it.

        Raises `EventLoopError` if the client has connections in another one, or is in use there.
        """
        running = require_loop()
        if running is not self._loop:
            self._move(running, client)

    def _move(self, running: Loop, client: Any) -> None:
        name = f"this asyncio client ({type(client).__module__}.{type(client).__qualname__})"
        if self._is_inherited:
            raise EventLoopError(
                f"{name} was in use in the parent of this forked process. Make a client in each "
                "process."
            )
        with self._lock:
            is_in_use = self._loop is not None and self._loop.is_running()
            if is_in_use or connection_loops(client) - {running}:
                raise EventLoopError(
                    f"{name} is in use in another event loop, where its connections are; each "
                    "asyncio.run() makes a new loop. Make a client in each loop and await its "
                    "aclose() there, or give a blocking client, which serves async methods in "
                    "every loop."
                )
            unbind_locks(client)
            self._loop = running

    def note(self) -> None:
        """Note the loop that runs here, if any, as one in which the client may be used."""
        if self._first_seen is None or not self._first_seen.is_running():
            with suppress(RuntimeError):
                self._first_seen = asyncio.get_running_loop()

    def find(self) -> Loop | None:
        """Return the client's loop if it runs, in another thread than this one."""
        own = None
        with suppress(RuntimeError):
            own = asyncio.get_running_loop()
        for loop in (self._loop, self._first_seen):
            if loop is not None and loop is not own and loop.is_running():
                return loop
        return None

    def inherit(self, client: Any) -> None:
        """Forget the loops of the parent process, which do not run in its child."""
        self._is_inherited = self._loop is not None or bool(connection_loops(client))
        self._loop = self._first_seen = None


HOMES = ClientRegistry(Home)
"""The home of each asyncio client."""


def run_in(loop: Loop, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop of another thread, and wait for its end.

    An exception of a signal handler cancels it, and is raised when it has ended, so that nothing is
    sent after that. Raises `EventLoopError` if the loop ends before the coroutine does.
    """
    call = _Call(loop, coroutine)
    try:
        call.start()
        call.wait()
    except BaseException:
        call.cancel()
        raise
    return call.result()


class _Call(Generic[T]):
    """Coroutine that runs as a task of another thread's loop."""

    def __init__(self, loop: Loop, coroutine: Coroutine[Any, Any, T]) -> None:
        self._loop, self._coroutine = loop, coroutine
        self._task: asyncio.Task[T] | None = None
        self._ended = threading.Event()
        self._is_cancelled = False

    def start(self) -> None:
        """Hand the coroutine to the loop."""
        self._schedule(self._create_task)

    def wait(self) -> None:
        """Wait for the end of the task."""
        while not self._ended.wait(_PATIENCE):
            if not self._loop.is_running():
                raise _ended()

    def cancel(self) -> None:
        """Cancel the task, and wait for its end if its loop still runs."""
        self._is_cancelled = True
        with suppress(EventLoopError):
            self._schedule(self._cancel_task)
            self.wait()
        if self._task is None:
            self._coroutine.close()

    def result(self) -> T:
        """Return what the coroutine has returned, or raise what it has raised."""
        if self._task is None:
            raise _ended()
        try:
            return self._task.result()
        except asyncio.CancelledError:
            raise _ended() from None

    def _schedule(self, callback: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # it is closed
            raise _ended() from None

    def _create_task(self) -> None:
        if not self._is_cancelled:
            self._task = self._loop.create_task(self._coroutine)
            self._task.add_done_callback(lambda _: self._ended.set())

    def _cancel_task(self) -> None:
        if self._task is None:
            self._ended.set()
        else:
            self._task.cancel()


def _ended() -> EventLoopError:
    return EventLoopError(
        "the event loop of the asyncio client has ended, or has cancelled this call, before it was "
        "answered: it may or may not have taken effect. To retry, repeat it in a loop that runs."
    )


def _forget_loops() -> None:
    for client, home in HOMES.items():
        home.inherit(client)


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_forget_loops)
