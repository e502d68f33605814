"""An event loop in a thread of its own, whose timers are good for a fraction of a millisecond.

Strategy: the proxy must serve clients that block the test's thread and clients
that live in the test's own event loop, so it runs in neither. asyncio's default
loop is of no use for a link of 1 ms: epoll counts in whole milliseconds, rounded
up, so that a timer of 0.2 ms fires after 1.1 (measured). An epoll descriptor is
itself a descriptor that select() can wait for, and select() counts in
microseconds: timers then fire 0.09 ms late at the median, and 0.04 ms late with
the thread's timer slack lowered, where the system can do that.
"""

from __future__ import annotations

import asyncio
import ctypes
import select
import selectors
import sys
from collections.abc import Coroutine
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

_PR_SET_TIMERSLACK = 29  # linux/prctl.h; the default slack is 50 microseconds
_PATIENCE = 30.0  # seconds: far beyond what any call here takes, so a hang fails and says where


class _FineSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            select.select([self.fileno()], [], [], timeout)
            timeout = 0
        return super().select(timeout)


class LoopThread:
    """Runs coroutines of the proxy, away from every thread of the test."""

    def __init__(self) -> None:
        self.loop = asyncio.SelectorEventLoop(_FineSelector())
        self._errors: list[BaseException] = []
        self.loop.set_exception_handler(self._keep)
        self._thread = Thread(target=self._run, name="faulty network", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(_PATIENCE)

    def close(self) -> None:
        """Stop; raise what went wrong in the loop unseen, for that is a defect of the proxy."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_PATIENCE)
        self.loop.close()
        if self._errors:
            raise self._errors[0]

    def _run(self) -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
        self.loop.run_forever()

    def _keep(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._errors.append(context.get("exception") or RuntimeError(context["message"]))
