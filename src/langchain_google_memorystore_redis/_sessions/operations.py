"""The operations on all sessions under a prefix.

Strategy: sessions are found by SCAN, node by node, and a page of keys is then asked about or
deleted in one pipeline, since all of them live on the node that listed them. Whether a key is a
session at all is decided by the server, in the same step that describes or deletes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from langchain_google_memorystore_redis._codec.decode import time_of
from langchain_google_memorystore_redis._history.operations import HistoryOps
from langchain_google_memorystore_redis._redis.keys import session_key
from langchain_google_memorystore_redis._redis.op import Flow, Op, ask
from langchain_google_memorystore_redis._redis.scan import ScanCursor, scan_page
from langchain_google_memorystore_redis._redis.scripts import Script
from langchain_google_memorystore_redis._sessions.formats import Row
from langchain_google_memorystore_redis.errors import WrongTypeError

PAGE = 500
"""Messages that one round trip of an import moves at the most."""

_PAGE_BYTES = 1_000_000
_MOST_MILLISECONDS = timedelta.max // timedelta(milliseconds=1)
"""Somebody may have set an expiry in more years than a timedelta holds."""

_DESCRIBE = Script(__package__, "describe")
_DELETE = Script(__package__, "delete")
_IMPORT = Script(__package__, "import")


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of a session without reading it."""

    session_id: str
    messages: int
    size_bytes: int | None
    """Memory it takes; None where the user may not ask (MEMORY USAGE)."""
    first_written_at: datetime | None
    """By the writer's clock, in UTC; None if release 0.3.0 or an import wrote it."""
    last_written_at: datetime | None
    expires_in: timedelta | None
    """None if it never expires. Some 2,700,000 years at the most, as a timedelta holds."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    sessions: int
    """How many sessions the rows belong to, those refused included."""
    added: int
    """Messages added."""
    present: int
    """Messages that were there already, from an earlier run."""
    refused: tuple[str, ...]
    """Sessions that hold something else in the same place; left as they were found."""

    def __add__(self, more: Imported) -> Imported:
        """Both together."""
        return Imported(
            self.sessions + more.sessions,
            self.added + more.added,
            self.present + more.present,
            self.refused + more.refused,
        )


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion by prefix did."""

    sessions: int
    refused: int
    """Keys under the prefix that are no chat session; they were left alone."""

    def __add__(self, more: Deleted) -> Deleted:
        """Both together."""
        return Deleted(self.sessions + more.sessions, self.refused + more.refused)


@dataclass(frozen=True, slots=True)
class SessionsOps:
    """What can be asked of the sessions under a prefix."""

    key_prefix: str

    def key(self, session_id: str) -> bytes:
        """The key of a session."""
        return session_key(self.key_prefix, session_id)

    def page(self, cursor: ScanCursor) -> Flow[tuple[list[Session], ScanCursor | None]]:
        """A page of sessions: two round trips."""
        ids, following = yield from scan_page(self.key_prefix, cursor)
        if not ids:
            return [], following
        found = yield tuple(self.describe(session_id) for session_id in ids)
        return [session for session in found if session], following

    def describe(self, session_id: str) -> Op[Session | None]:
        """What is known of a session; None if there is none."""
        return _DESCRIBE.op([self.key(session_id)], (), lambda row: _session(session_id, row))

    def delete(self, session_id: str) -> Op[int]:
        """Remove a session: 1, or 0 if there was none; raises `WrongTypeError`."""
        key = self.key(session_id)

        def decode(outcome: int) -> int:
            if outcome < 0:
                raise WrongTypeError(key.decode())
            return outcome

        return _DELETE.op([key], (0,), decode)

    def delete_page(self, cursor: ScanCursor) -> Flow[tuple[Deleted, ScanCursor | None]]:
        """Remove a page of sessions: two round trips."""
        ids, following = yield from scan_page(self.key_prefix, cursor)
        if not ids:
            return Deleted(0, 0), following
        outcomes = yield tuple(_DELETE.op([self.key(one)], (1,), int) for one in ids)
        return Deleted(outcomes.count(1), outcomes.count(-1)), following

    def elements(self, session_id: str) -> Flow[list[bytes]]:
        """All elements of a session as they are stored, oldest first."""
        return HistoryOps(session_id, self.key(session_id)).elements()

    def restore(self, rows: Iterable[Row], ttl_ms: int) -> Flow[Imported]:
        """Put rows in their places, once, however often it is run."""
        seen: set[str] = set()
        refused: dict[str, None] = {}
        added = present = 0
        for page in pages(rows):
            session_id, offset, _ = page[0]
            seen.add(session_id)
            if session_id in refused:
                continue
            arguments = (ttl_ms, offset, *(row.element for row in page))
            new = yield from ask(_IMPORT.op([self.key(session_id)], arguments, int))
            if new < 0:
                refused[session_id] = None
            else:
                added += new
                present += len(page) - new
        return Imported(len(seen), added, present, tuple(refused))


def pages(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows that follow each other in one session, as many as one round trip should move."""
    page: list[Row] = []
    size = 0
    end: list[Row | None] = [None]
    for row in chain(rows, end):
        if page:
            last = page[-1]
            follows = row is not None and row[:2] == (last.session_id, last.position + 1)
            if not follows or len(page) == PAGE or size > _PAGE_BYTES:
                yield page
                page, size = [], 0
        if row is not None:
            page.append(row)
            size += len(row.element)


def _session(session_id: str, row: Any) -> Session | None:
    if row is None:
        return None
    messages, size, first, last, ttl = row
    return Session(
        session_id,
        messages,
        None if size < 0 else size,
        time_of(first),
        time_of(last),
        None if ttl < 0 else timedelta(milliseconds=min(ttl, _MOST_MILLISECONDS)),
    )
