"""Cache of sessions that were read, so that a later read moves and decodes new messages only.

Strategy: elements never change, and a list grows only at its end and is cut only at its ends. So if
the newest elements in the cache are still in the list, next to each other, all older messages in
the cache still precede them, less those cut from the front. A read asks for these elements and for
what follows; if they are not there (the session was cleared, truncated, restored from an older
state, or has expired), it reads the whole session.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from cachetools import LRUCache
from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.decode import EntryTuple
from langchain_google_memorystore_redis._history.copies import (
    MessageSnapshot,
    restore_messages,
    take_snapshot,
)
from langchain_google_memorystore_redis._history.operations import HistoryOps, Page
from langchain_google_memorystore_redis._redis.arguments import milliseconds, positive
from langchain_google_memorystore_redis._redis.locks import create_lock
from langchain_google_memorystore_redis._redis.op import Flow
from langchain_google_memorystore_redis._redis.sharing import SharesClient

_PROOF_BYTES = 4096
_MIN_PROOF_ELEMENTS = 4
"""The newest element alone proves little: a server may have lost its newest writes, or a batch may
have been repeated after a cut, so that other elements precede it now."""

_MAX_DROPPED = 32
"""Messages that `max_messages` may drop between two reads without the second reading all."""

_OVERHEAD_BYTES = 500
"""Size of Python's own objects for a session."""


@dataclass(frozen=True, slots=True)
class CachedSession:
    """The first messages of a session, and the proof that they are still there."""

    chunks: tuple[MessageSnapshot, ...] = ()
    skip: int = 0
    """Messages at the front of the chunks that the session has dropped."""
    proof: tuple[bytes, ...] = ()
    """The newest elements. The last has an id, so no other element is equal to it."""
    read_at: float = 0.0
    """Time by the monotonic clock when it was last read whole."""

    @property
    def count(self) -> int:
        """Number of messages."""
        return sum(chunk.count for chunk in self.chunks) - self.skip

    @property
    def size(self) -> int:
        """Bytes."""
        proof_bytes = sum(map(len, self.proof))
        return sum(chunk.size for chunk in self.chunks) + proof_bytes + _OVERHEAD_BYTES

    def messages(self) -> list[BaseMessage]:
        """Return copies of the messages."""
        copies: list[BaseMessage] = []
        for chunk in self.chunks:
            copies += restore_messages(chunk)
        del copies[: self.skip]
        return copies

    def without_oldest(self, count: int) -> CachedSession:
        """Return the session without its first `count` messages."""
        chunks, skip = self.chunks, self.skip + count
        while chunks and chunks[0].count <= skip:
            skip -= chunks[0].count
            chunks = chunks[1:]
        return replace(self, chunks=chunks, skip=skip)

    def with_newer(
        self, elements: Sequence[bytes], entries: Sequence[EntryTuple]
    ) -> CachedSession | None:
        """Return the session with newer messages, up to the last that has an id.

        None if no message has one, or if the messages cannot be copied.
        """
        count = next((n for n in range(len(entries), 0, -1) if entries[n - 1][1] is not None), 0)
        if not count:
            return self if self.chunks else None
        chunks, skip = list(self.chunks), self.skip
        messages = [entry[0] for entry in entries[:count]]
        # Small chunks are joined, so that many small additions leave few chunks.
        while chunks and chunks[-1].count <= 2 * len(messages):
            messages = restore_messages(chunks.pop()) + messages
        if skip and not chunks:
            messages, skip = messages[skip:], 0
        chunk = take_snapshot(messages)
        if chunk is None:
            return None
        proof = _proof_from((*self.proof, *elements[:count]))
        return CachedSession((*chunks, chunk), skip, proof, self.read_at)

    def find_proof_end(self, elements: Sequence[bytes], first: int) -> int | None:
        """Return the offset at which the proof ends in elements that begin at index `first`.

        None if it is not there, so that the cached messages may not be there either.
        """
        for end in range(len(elements), 0, -1):
            if elements[end - 1] == self.proof[-1]:
                found = tuple(elements[max(0, end - len(self.proof)) : end])
                # The session may have dropped the front of the proof.
                is_complete = len(found) == len(self.proof) or first == 0
                is_equal = is_complete and found == self.proof[-len(found) :]
                return end if is_equal and first + end <= self.count else None
        return None


def _proof_from(elements: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return as many of the last elements as a proof needs."""
    start, size = len(elements) - 1, len(elements[-1])
    max_start = max(0, len(elements) - _MIN_PROOF_ELEMENTS)
    while start > max_start or (start and size + len(elements[start - 1]) <= _PROOF_BYTES):
        start -= 1
        size += len(elements[start])
    return tuple(elements[start:])


class ReadCache(SharesClient):
    """Cache of sessions, with which reading all messages again moves and decodes new ones only.

    Args:
        max_bytes: limit of its size; the sessions read longest ago are evicted first. A message
            takes about 1.7 times what it takes in the server.
        max_age: seconds after which a session is read whole again. This bounds for how long text
            is returned that something else has replaced in place, under the same ids (an edited
            export that was imported over it); `forget` and `clear` end it at once.

    Share one between the histories of a process, or give one to a single history that is read again
    and again. `messages` then asks the server only for what follows the cached messages, in the
    same one round trip. Each caller gets copies and may change them. Each read compares the newest
    cached elements, at least four, with the server's: messages that are no longer in the session
    are never returned, except for up to `max_age` those replaced in place. Safe to share between
    threads, tasks, clients and clusters; sessions of two servers under one key replace each other.

    Do not use one in a process that reads a session once, or only its last few messages. Cached
    messages stay in the process's memory until they are evicted, even if another process has
    cleared the session.

    Examples:
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

    def __init__(self, max_bytes: int = 64 * 1024 * 1024, *, max_age: float = 300) -> None:
        self._lock = create_lock()
        self._max_age = milliseconds("max_age", max_age) / 1000
        self._sessions: LRUCache[bytes, CachedSession] = LRUCache(
            positive("max_bytes", max_bytes), getsizeof=attrgetter("size")
        )

    @property
    def bytes_held(self) -> int:
        """Size of all cached sessions in bytes; no round trip."""
        return int(self._sessions.currsize)

    def __len__(self) -> int:
        """Return the number of cached sessions."""
        return len(self._sessions)

    def __bool__(self) -> bool:
        """Return True: an empty cache is a cache too."""
        return True

    def forget(self, key: str) -> None:
        """Forget the session under `key` (`history.key`), as `history.clear` does by itself.

        Examples:
            >>> from langchain_google_memorystore_redis import ReadCache
            >>> ReadCache().forget(history.key)
        """
        self._put(key.encode(), None)

    def clear(self) -> None:
        """Forget all sessions.

        Examples:
            >>> from langchain_google_memorystore_redis import ReadCache
            >>> cache = ReadCache()
            >>> cache.clear()
            >>> len(cache), cache.bytes_held
            (0, 0)
        """
        with self._lock:
            self._sessions.clear()

    def _get(self, key: bytes) -> CachedSession | None:
        with self._lock:
            session = self._sessions.get(key)
            if session is not None and time.monotonic() - session.read_at > self._max_age:
                return None
            return session

    def _put(self, key: bytes, session: CachedSession | None) -> None:
        with self._lock:
            # Removed first, so that its bytes are free before others are evicted for the new value.
            self._sessions.pop(key, None)
            if session is not None and session.size <= self._sessions.maxsize:
                self._sessions[key] = session


def read_with_cache(ops: HistoryOps, cache: ReadCache) -> Flow[list[BaseMessage]]:
    """Return all messages of a session, asking the server for those that are not cached."""
    session = cache._get(ops.key)
    start = 0
    if session is not None:
        dropped = _MAX_DROPPED if ops.max_messages else 0
        start = max(0, session.count - len(session.proof) - dropped)
    elements = yield from ops.elements(start)
    end = session.find_proof_end(elements, start) if session else None
    if session is not None and end is not None:
        session = session.without_oldest(session.count - start - end)
        elements, start = elements[end:], start + end
    else:
        elements = (yield from ops.elements()) if start else elements
        session, start = CachedSession(read_at=time.monotonic()), 0
    entries = list(ops.decode_page(Page(elements, start)))
    messages = session.messages()
    messages += [entry[0] for entry in entries]
    if len(entries) == len(elements):  # none was skipped, so entries and elements correspond
        cache._put(ops.key, session.with_newer(elements, entries))
    return messages
