"""Reading on from what was read before.

Strategy: elements never change, and a list only grows at its end and is cut at either end. So if
the newest elements that a reader holds are still in the list, one next to the other, then all
that it holds is still what precedes them, less what was cut off at the front. A read therefore
asks for these few and for what follows. Anything else (cleared, truncated, expired, restored
from an older state) fails that proof, and the session is read from its beginning.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.decode import EntryTuple
from langchain_google_memorystore_redis._history.copies import Frozen, freeze, thaw
from langchain_google_memorystore_redis._history.operations import HistoryOps, Page
from langchain_google_memorystore_redis._redis.arguments import positive
from langchain_google_memorystore_redis._redis.op import Flow

_PROOF_BYTES = 4096
_PROOF_ELEMENTS = 4
"""The least of elements that a read compares. The newest alone prove little: a server may have lost
its newest writes, or a batch been repeated after a cut, with others before it now."""

_MOST_CUT = 32
"""Messages that `max_messages` may have dropped between two reads, for the second to be short."""

_OVERHEAD = 500
"""Bytes of Python's own objects a session."""


@dataclass(frozen=True, slots=True)
class Held:
    """What one read found: the first messages of a session."""

    chunks: tuple[Frozen, ...] = ()
    """Messages in a row each."""
    skip: int = 0
    """How many messages at the front of the chunks the session has dropped."""
    proof: tuple[bytes, ...] = ()
    """The newest elements; the last was written with an id, so there is only one like it."""

    @property
    def count(self) -> int:
        """How many messages are held."""
        return sum(chunk.count for chunk in self.chunks) - self.skip

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(chunk.size for chunk in self.chunks) + sum(map(len, self.proof)) + _OVERHEAD

    def messages(self) -> list[BaseMessage]:
        """Copies of what is held."""
        copies: list[BaseMessage] = []
        for chunk in self.chunks:
            copies += thaw(chunk)
        del copies[: self.skip]
        return copies

    def less(self, dropped: int) -> Held:
        """Without the first `dropped`."""
        chunks, skip = self.chunks, self.skip + dropped
        while chunks and chunks[0].count <= skip:
            skip -= chunks[0].count
            chunks = chunks[1:]
        return Held(chunks, skip, self.proof)

    def more(self, elements: Sequence[bytes], rows: Sequence[EntryTuple]) -> Held | None:
        """With what follows, up to the last that was written with an id; None if nothing is."""
        known = next((n for n in range(len(rows), 0, -1) if rows[n - 1][1] is not None), 0)
        if not known:
            return self if self.chunks else None
        chunks, skip = list(self.chunks), self.skip
        messages = [row[0] for row in rows[:known]]
        # Small chunks are joined, so that there are few of them however often a little is added.
        while chunks and chunks[-1].count <= 2 * len(messages):
            messages = thaw(chunks.pop()) + messages
        if skip and not chunks:
            messages, skip = messages[skip:], 0
        frozen = freeze(messages)
        if frozen is None:
            return None
        chunks.append(frozen)
        return Held(tuple(chunks), skip, _newest((*self.proof, *elements[:known])))

    def end_in(self, elements: Sequence[bytes], first: int) -> int | None:
        """Behind which of these elements, the first at index `first`, the proof ends."""
        for end in range(len(elements), 0, -1):
            if elements[end - 1] == self.proof[-1]:
                found = tuple(elements[max(0, end - len(self.proof)) : end])
                whole = len(found) == len(self.proof) or first == 0
                good = whole and found == self.proof[-len(found) :] and first + end <= self.count
                return end if good else None
        return None


def _newest(elements: Sequence[bytes]) -> tuple[bytes, ...]:
    """The last elements, as many as make a proof."""
    start, size = len(elements) - 1, len(elements[-1])
    least = max(0, len(elements) - _PROOF_ELEMENTS)
    while start > least or (start and size + len(elements[start - 1]) <= _PROOF_BYTES):
        start -= 1
        size += len(elements[start])
    return tuple(elements[start:])


class ReadCache:
    """Remembers sessions that were read, so that reading on moves and decodes what is new.

    Args:
        max_bytes: how much it may hold; over that, the sessions read longest ago are forgotten.
            A message takes about 1.7 times what it takes in the server.

    Give one to the histories of a process, or to a single history that is read again and again:
    `messages` then asks the server for what follows the messages remembered, in the same one
    round trip, and gives copies: each caller may change its own. What is not in the session any
    more is not given: each read compares the newest elements remembered, four at the least, with
    the server's.
    Safe to share between threads, tasks, clients and clusters, best between those of one server.

    Do not use one where a process reads a session once, or only its last few messages. What was
    read stays in the process's memory until it is forgotten, also after another process has
    cleared the session.

    Example:
        >>> from langchain_google_memorystore_redis import MemorystoreChatMessageHistory, ReadCache
        >>> cache = ReadCache(max_bytes=64 * 1024 * 1024)
        >>> history = MemorystoreChatMessageHistory(client, "docs:cached", cache=cache)
        >>> history.add_user_message("hi")
        >>> history.messages == history.messages
        True
        >>> cache.bytes_held > 0
        True
        >>> history.clear()
    """

    def __init__(self, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._max_bytes = positive("max_bytes", max_bytes)
        self._lock = threading.Lock()
        # In the order of their last use.
        self._held: dict[bytes, Held] = {}
        self._bytes = 0

    @property
    def bytes_held(self) -> int:
        """How much it holds now; no round trip."""
        return self._bytes

    def __len__(self) -> int:
        """How many sessions it holds."""
        return len(self._held)

    def __bool__(self) -> bool:
        """Always true: an empty cache is one all the same."""
        return True

    def forget(self, key: str) -> None:
        """Forget the session of this key, which `history.key` tells; its own `clear` does so.

        Example:
            >>> from langchain_google_memorystore_redis import ReadCache
            >>> ReadCache().forget(history.key)
        """
        self._put(key.encode(), None)

    def clear(self) -> None:
        """Forget all sessions.

        Example:
            >>> from langchain_google_memorystore_redis import ReadCache
            >>> cache = ReadCache()
            >>> cache.clear()
            >>> len(cache), cache.bytes_held
            (0, 0)
        """
        with self._lock:
            self._held.clear()
            self._bytes = 0

    def _get(self, key: bytes) -> Held | None:
        with self._lock:
            held = self._held.pop(key, None)
            if held is not None:
                self._held[key] = held
            return held

    def _put(self, key: bytes, held: Held | None) -> None:
        with self._lock:
            before = self._held.pop(key, None)
            self._bytes -= before.size if before else 0
            if held is None or held.size > self._max_bytes:
                return
            self._held[key] = held
            self._bytes += held.size
            while self._bytes > self._max_bytes:
                self._bytes -= self._held.pop(next(iter(self._held))).size


def read_on(ops: HistoryOps, cache: ReadCache) -> Flow[list[BaseMessage]]:
    """All messages of a session; what the cache holds of them is not asked for again."""
    held = cache._get(ops.key)
    start = 0
    if held is not None:
        start = max(0, held.count - len(held.proof) - (_MOST_CUT if ops.max_messages else 0))
    elements = yield from ops.elements(start)
    end = held.end_in(elements, start) if held else None
    if held is not None and end is not None:
        held = held.less(held.count - start - end)
        elements, start = elements[end:], start + end
    else:
        elements = (yield from ops.elements()) if start else elements
        held, start = Held(), 0
    rows = list(ops.decode_page(Page(elements, start)))
    whole = held.messages()
    whole += [row[0] for row in rows]
    if len(rows) == len(elements):  # nothing was skipped, so rows are where their elements are
        cache._put(ops.key, held.more(elements, rows))
    return whole
