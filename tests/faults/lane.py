"""One direction of a link: what goes in comes out in the same order, and later.

Strategy: every item has a time of its own and waits for the one ahead of it. So
the time of travel is the same for one item and for a thousand that set out
together, and other lanes are not held up: latency without a loss of throughput.
A cut is an item like any other, and cannot overtake the bytes sent before it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

Item = bytes | Callable[[], None]


class Lane:
    """A queue of bytes to deliver and things to do, each at its time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[bytes], None]) -> None:
        self._loop = loop
        self._deliver = deliver
        self._items: deque[tuple[float, Item]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def put(self, item: Item, wait: float) -> None:
        """Send `item` on its way; it arrives at the first `flush` after `wait` seconds."""
        self._items.append((self._loop.time() + wait, item))

    def flush(self) -> None:
        """Let everything arrive whose time has come, and see to the rest when it is due."""
        now = self._loop.time()
        whole: list[bytes] = []  # bytes due together go out in one write, as they came in
        while self._items and self._items[0][0] <= now:
            item = self._items.popleft()[1]
            if isinstance(item, bytes):
                whole.append(item)
                continue
            self._hand_over(whole)
            item()
        self._hand_over(whole)
        if self._items and self._timer is None:
            self._timer = self._loop.call_at(self._items[0][0], self._ring)

    def close(self) -> None:
        """Forget what is still on its way."""
        self._items.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _ring(self) -> None:
        self._timer = None
        self.flush()

    def _hand_over(self, whole: list[bytes]) -> None:
        if whole:
            self._deliver(b"".join(whole))
            whole.clear()
