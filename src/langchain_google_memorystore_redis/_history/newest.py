"""Newest entries of the sessions that a client has read or written.

Strategy: a request names the newest entry that its sender knew, by its place and by the end of its
bytes, which holds its id. So the server can tell what has come since, and what has gone. A large
entry is passed over for a short one near it, since the server copies what it compares.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from langchain_google_memorystore_redis._redis.locks import create_lock

_MAX_TAIL_BYTES = 96
_TAIL = re.compile(rb', ?"id": ?"[^"]+", ?"ts": ?\d+}$')

LARGE_BYTES = 4096
"""Size from which the server would spend more on a copy of an element than on a search."""

_MAX_STEPS_BACK = 8

_MAX_SESSIONS = 10_000
"""Limit of the sessions, and of the keys. Those recorded longest ago are forgotten first."""


class Newest(NamedTuple):
    """Name of an entry near the end of a session."""

    tail: bytes
    """End of its element, empty for an unknown entry."""
    place: int
    """Its index; negative from the end, where the length of the session is unknown."""

    @classmethod
    def of(cls, elements: Sequence[bytes], end: int) -> Newest:
        """Name an entry among the last elements of a session of length `end`, 0 if unknown.

        Returns `UNKNOWN` if none of the last has an id.
        """
        smallest, found = 0, UNKNOWN
        for back in range(1, min(len(elements), _MAX_STEPS_BACK) + 1):
            element = elements[-back]
            size = len(element)
            if found is UNKNOWN or size < smallest:
                if match := _TAIL.search(element[-_MAX_TAIL_BYTES:]):
                    smallest, found = size, cls(match[0], end - back)
                    if size <= LARGE_BYTES:
                        break
        return found

    @classmethod
    def of_reply(cls, tail: bytes, length: int) -> Newest:
        """Name the newest entry as a script reports it."""
        return cls(tail, length - 1) if tail else UNKNOWN


UNKNOWN = Newest(b"", -1)


class NewestEntries:
    """Names of the newest entries that a client knows, by session."""

    def __init__(self) -> None:
        self._lock = create_lock()
        # Recorded longest ago first. An LRUCache would add 2 us to each append.
        self._newest: dict[bytes, Newest] = {}
        self._absent: dict[tuple[bytes, bytes], Newest] = {}

    def of(self, key: bytes) -> Newest:
        """Return the newest entry known of a session."""
        return self._newest.get(key, UNKNOWN)

    def learn(self, key: bytes, newest: Newest) -> None:
        """Record the newest entry of a session; `UNKNOWN` forgets it."""
        with self._lock:
            known = self._newest.pop(key, None)
            if newest is UNKNOWN:
                return
            if newest.place < 0 and known is not None and known.tail == newest.tail:
                newest = known  # an index from the front says more
            self._newest[key] = newest
            if len(self._newest) > _MAX_SESSIONS:
                del self._newest[next(iter(self._newest))]

    def absent(self, key: bytes, ids: bytes) -> Newest:
        """Return the entry up to which a session holds no ids that begin with `ids`."""
        return self._absent.get((key, ids), UNKNOWN)

    def learn_absent(self, key: bytes, ids: bytes, newest: Newest) -> None:
        """Record that a session holds no such ids up to an entry."""
        with self._lock:
            self._absent.pop((key, ids), None)
            self._absent[key, ids] = newest
            if len(self._absent) > _MAX_SESSIONS:
                del self._absent[next(iter(self._absent))]
