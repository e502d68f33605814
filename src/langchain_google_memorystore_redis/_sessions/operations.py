"""Operations on the sessions under a key prefix.

Strategy: SCAN lists the keys of one node, a page at a time. One pipeline then describes or deletes
the sessions of the page, since all its keys live on the node that listed them. A script decides
whether a key is a session in the same step that describes or deletes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from langchain_google_memorystore_redis._codec.decode import time_of
from langchain_google_memorystore_redis._history.operations import HistoryOps
from langchain_google_memorystore_redis._redis.keys import session_key
from langchain_google_memorystore_redis._redis.op import Flow, Op, ask
from langchain_google_memorystore_redis._redis.scan import ScanCursor, scan_page
from langchain_google_memorystore_redis._redis.scripts import Script
from langchain_google_memorystore_redis._sessions.formats import PlacedElement
from langchain_google_memorystore_redis.errors import WrongTypeError

IMPORT_PAGE_ELEMENTS = 500
"""Limit of the elements that one round trip of an import sends."""

_IMPORT_PAGE_BYTES = 1_000_000
_MAX_TIMEDELTA_MS = timedelta.max // timedelta(milliseconds=1)
"""Limit of an expiry that is reported: Redis accepts later ones than a timedelta can hold."""

_DESCRIBE = Script(__package__, "describe")
_DELETE = Script(__package__, "delete")
_IMPORT = Script(__package__, "import")


@dataclass(frozen=True, slots=True)
class Session:
    """Size, age and expiry of a session, known without reading its messages."""

    session_id: str
    messages: int
    """Number of messages."""
    size_bytes: int | None
    """Memory on the server; None if the user has no permission for MEMORY USAGE."""
    first_written_at: datetime | None
    """Time of the oldest message by its writer's clock, in UTC.

    None if release 0.3.0 wrote it, or if it was imported from a format without times.
    """
    last_written_at: datetime | None
    """Time of the newest message, likewise."""
    expires_in: timedelta | None
    """Time to live; None if the session never expires. At most `timedelta.max`."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Result of an import."""

    sessions: int
    """Number of sessions in the input, including the refused ones."""
    added: int
    """Number of messages added."""
    present: int
    """Number of messages that were stored already, by an earlier run."""
    refused: tuple[str, ...]
    """Ids of sessions left unchanged, because they hold something else at the same indices."""

    def __add__(self, more: Imported) -> Imported:
        """Return the sum of two results."""
        return Imported(
            self.sessions + more.sessions,
            self.added + more.added,
            self.present + more.present,
            self.refused + more.refused,
        )


@dataclass(frozen=True, slots=True)
class Deleted:
    """Result of a deletion by prefix."""

    sessions: int
    """Number of sessions deleted."""
    refused: int
    """Number of keys under the prefix that are not chat sessions; they were left unchanged."""

    def __add__(self, more: Deleted) -> Deleted:
        """Return the sum of two results."""
        return Deleted(self.sessions + more.sessions, self.refused + more.refused)


@dataclass(frozen=True, slots=True)
class SessionsOps:
    """Operations on the sessions under a key prefix."""

    key_prefix: str

    def key(self, session_id: str) -> bytes:
        """Return the key of a session."""
        return session_key(self.key_prefix, session_id)

    def list_page(self, cursor: ScanCursor) -> Flow[tuple[list[Session], ScanCursor | None]]:
        """Return a page of sessions and the cursor of the next page. Two round trips."""
        ids, next_cursor = yield from scan_page(self.key_prefix, cursor)
        if not ids:
            return [], next_cursor
        found = yield tuple(self.describe(session_id) for session_id in ids)
        return [session for session in found if session], next_cursor

    def describe(self, session_id: str) -> Op[Session | None]:
        """Return size, age and expiry of a session; None if there is none."""
        return _DESCRIBE.op(
            [self.key(session_id)], (), lambda reply: _parse_session(session_id, reply)
        )

    def delete(self, session_id: str) -> Op[int]:
        """Delete a session; return 1, or 0 if there was none. Raises `WrongTypeError`."""
        key = self.key(session_id)

        def decode(outcome: int) -> int:
            if outcome < 0:
                raise WrongTypeError(key.decode())
            return outcome

        return _DELETE.op([key], (0,), decode)

    def delete_page(self, cursor: ScanCursor) -> Flow[tuple[Deleted, ScanCursor | None]]:
        """Delete a page of sessions; return also the cursor of the next page. Two round trips."""
        ids, next_cursor = yield from scan_page(self.key_prefix, cursor)
        if not ids:
            return Deleted(0, 0), next_cursor
        outcomes = yield tuple(_DELETE.op([self.key(session_id)], (1,), int) for session_id in ids)
        return Deleted(outcomes.count(1), outcomes.count(-1)), next_cursor

    def elements(self, session_id: str) -> Flow[list[bytes]]:
        """Return all elements of a session as they are stored, oldest first."""
        return HistoryOps(session_id, self.key(session_id)).elements()

    def import_elements(self, elements: Iterable[PlacedElement], ttl_ms: int) -> Flow[Imported]:
        """Store elements at their indices. Idempotent; one round trip a page."""
        sessions: set[str] = set()
        refused: dict[str, None] = {}
        added = present = 0
        for page in _import_pages(elements):
            session_id = page[0].session_id
            sessions.add(session_id)
            if session_id in refused:
                continue
            arguments = (ttl_ms, page[0].index, *(placed.element for placed in page))
            new = yield from ask(_IMPORT.op([self.key(session_id)], arguments, int))
            if new < 0:
                refused[session_id] = None
            else:
                added += new
                present += len(page) - new
        return Imported(len(sessions), added, present, tuple(refused))


def _import_pages(elements: Iterable[PlacedElement]) -> Iterator[list[PlacedElement]]:
    """Group consecutive elements of a session into pages of one round trip."""
    page: list[PlacedElement] = []
    size = 0
    for placed in elements:
        if page:
            last = page[-1]
            is_full = len(page) == IMPORT_PAGE_ELEMENTS or size > _IMPORT_PAGE_BYTES
            is_next = (placed.session_id, placed.index) == (last.session_id, last.index + 1)
            if is_full or not is_next:
                yield page
                page, size = [], 0
        page.append(placed)
        size += len(placed.element)
    if page:
        yield page


def _parse_session(session_id: str, reply: Any) -> Session | None:
    if reply is None:
        return None
    messages, size, first, last, ttl = reply
    return Session(
        session_id,
        messages,
        None if size < 0 else size,
        time_of(first),
        time_of(last),
        None if ttl < 0 else timedelta(milliseconds=min(ttl, _MAX_TIMEDELTA_MS)),
    )
