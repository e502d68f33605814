"""The sessions under a key prefix: list, describe, export, import, migrate, delete.

Strategy: for operators, not for a chat's own code: these need SCAN, which nothing else here does.
Every function takes any client of redis-py or valkey-py, and its twin with an `a` in front takes
an asyncio client, or a blocking one that it uses from a thread. What is sent is decided in
`_sessions/operations.py`, what a line of a file holds in `_sessions/formats.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, Literal

from langchain_google_memorystore_redis._history.operations import HistoryOps, Page
from langchain_google_memorystore_redis._redis.arguments import (
    iterable_not_str,
    one_of,
    ttl_milliseconds,
)
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.scan import SCAN_COUNT, ScanCursor, start_scan
from langchain_google_memorystore_redis._sessions import formats
from langchain_google_memorystore_redis._sessions.formats import Row
from langchain_google_memorystore_redis._sessions.migration import (
    amigrate_sessions,
    migrate_sessions,
)
from langchain_google_memorystore_redis._sessions.operations import (
    Deleted,
    Imported,
    Session,
    SessionsOps,
)
from langchain_google_memorystore_redis.errors import InvalidArgumentError

__all__ = [
    "Deleted",
    "Imported",
    "Session",
    "adelete_prefix",
    "adelete_sessions",
    "adescribe_session",
    "aexport_sessions",
    "aimport_sessions",
    "alist_sessions",
    "amigrate_sessions",
    "delete_prefix",
    "delete_sessions",
    "describe_session",
    "export_sessions",
    "import_sessions",
    "list_sessions",
    "migrate_sessions",
]

Format = Literal["jsonl", "openai"]
ForeignFormat = Literal["jsonl", "openai", "langchain-redis"]
Progress = Callable[[int], None]


def list_sessions(
    client: Any, key_prefix: str = "", *, progress: Progress | None = None
) -> Iterator[Session]:
    """The sessions under a prefix, in no order, as they are found: two round trips a page.

    Found by SCAN on every primary, 1,000 keys at a time. A session written, removed or moved
    meanwhile may be missing; one that is there all the time is there once. Keys that are no
    session (other types, lists of something else) are passed over. `progress` hears how many keys
    have been looked at, about.

    Example:
        >>> [(session.messages, session.expires_in) for session in list_sessions(client, "docs:")]
        [(1, None)]
    """
    ops, runner = SessionsOps(key_prefix), runners_for(client)[0]
    listing = _Listing(progress)
    cursor: ScanCursor | None = runner.run(start_scan())
    while cursor is not None:
        page, cursor = runner.run(ops.page(cursor))
        yield from listing.new(page)


async def alist_sessions(
    client: Any, key_prefix: str = "", *, progress: Progress | None = None
) -> AsyncIterator[Session]:
    """Async twin of `list_sessions`."""
    ops, runner = SessionsOps(key_prefix), runners_for(client)[1]
    listing = _Listing(progress)
    cursor: ScanCursor | None = await runner.run(start_scan())
    while cursor is not None:
        page, cursor = await runner.run(ops.page(cursor))
        for session in listing.new(page):
            yield session


def describe_session(client: Any, session_id: str, *, key_prefix: str = "") -> Session | None:
    """What is known of a session without reading it; None if there is none. One round trip.

    Example:
        >>> describe_session(client, history.session_id).messages
        1
    """
    return runners_for(client)[0].run(SessionsOps(key_prefix).describe(session_id))


async def adescribe_session(
    client: Any, session_id: str, *, key_prefix: str = ""
) -> Session | None:
    """Async twin of `describe_session`."""
    return await runners_for(client)[1].run(SessionsOps(key_prefix).describe(session_id))


def export_sessions(
    client: Any,
    session_ids: Iterable[str] | None = None,
    *,
    key_prefix: str = "",
    format: Format = "jsonl",  # noqa: A002  (what users call it)
) -> Iterator[bytes]:
    """The lines of a file that holds these sessions (None: all under the prefix).

    "jsonl" has a line for each message, with the stored element to the byte; "openai" has a line
    for each session, with its messages as OpenAI's chat completions take them, which loses ids,
    times and metadata, and raises `CorruptEntryError` for an element that is no message. Lines end
    in a newline. One round trip for each 5,000 messages; one session at a time is held in memory.
    Expiry is not exported.

    Example:
        >>> for line in export_sessions(client, [history.session_id]):
        ...     print(line.decode())  # doctest: +ELLIPSIS
        {"session_id": "...", "index": 0, "element": {"type":"human","data":{"content":"hi"},...}}
        <BLANKLINE>
    """
    ops, runner = SessionsOps(key_prefix), runners_for(client)[0]
    write = _writer(ops, format)
    if session_ids is None:
        session_ids = (session.session_id for session in list_sessions(client, key_prefix))
    for session_id in iterable_not_str("session_ids", session_ids):
        yield from write(session_id, runner.run(ops.elements(session_id)))


async def aexport_sessions(
    client: Any,
    session_ids: Iterable[str] | None = None,
    *,
    key_prefix: str = "",
    format: Format = "jsonl",  # noqa: A002
) -> AsyncIterator[bytes]:
    """Async twin of `export_sessions`."""
    ops, runner = SessionsOps(key_prefix), runners_for(client)[1]
    write = _writer(ops, format)
    async for session_id in _each_id(client, session_ids, key_prefix):
        for line in write(session_id, await runner.run(ops.elements(session_id))):
            yield line


def import_sessions(
    client: Any,
    lines: Iterable[bytes | str],
    *,
    key_prefix: str = "",
    ttl: float | timedelta | None = None,
    format: ForeignFormat = "jsonl",  # noqa: A002
) -> Imported:
    """Store the sessions that `export_sessions` wrote, every message in its place and once.

    Running it again after it broke off goes on where it stopped, and adds nothing twice, also
    when the session has grown since. A session that holds other messages in the same places is
    left as it is and named in the answer. "langchain-redis" takes that package's JSON documents,
    one in a line, in any order, all of them in memory at once. One round trip for each 500
    messages of a session. Raises `InvalidArgumentError` with the number of the line.

    Example:
        >>> lines = list(export_sessions(client, [history.session_id]))
        >>> import_sessions(client, lines, key_prefix="copy:")
        Imported(sessions=1, added=1, present=0, refused=())
        >>> import_sessions(client, lines, key_prefix="copy:")
        Imported(sessions=1, added=0, present=1, refused=())
        >>> delete_prefix(client, "copy:")
        Deleted(sessions=1, refused=0)
    """
    flow = SessionsOps(key_prefix).restore(_rows(lines, format), ttl_milliseconds(ttl))
    return runners_for(client)[0].run(flow)


async def aimport_sessions(
    client: Any,
    lines: Iterable[bytes | str],
    *,
    key_prefix: str = "",
    ttl: float | timedelta | None = None,
    format: ForeignFormat = "jsonl",  # noqa: A002
) -> Imported:
    """Async twin of `import_sessions`."""
    flow = SessionsOps(key_prefix).restore(_rows(lines, format), ttl_milliseconds(ttl))
    return await runners_for(client)[1].run(flow)


def delete_sessions(client: Any, session_ids: Iterable[str], *, key_prefix: str = "") -> int:
    """Remove sessions, and say how many there were. One round trip each. Safe to repeat.

    Raises `WrongTypeError` at the first key that is no list, which is left alone.

    Example:
        >>> delete_sessions(client, [history.session_id, "never-was"])
        1
    """
    ops, runner = SessionsOps(key_prefix), runners_for(client)[0]
    ids = iterable_not_str("session_ids", session_ids)
    return sum(runner.run(ops.delete(session_id)) for session_id in ids)


async def adelete_sessions(client: Any, session_ids: Iterable[str], *, key_prefix: str = "") -> int:
    """Async twin of `delete_sessions`."""
    ops, runner = SessionsOps(key_prefix), runners_for(client)[1]
    ids = iterable_not_str("session_ids", session_ids)
    return sum([await runner.run(ops.delete(session_id)) for session_id in ids])


def delete_prefix(client: Any, key_prefix: str, *, progress: Progress | None = None) -> Deleted:
    """Remove every session whose key begins with `key_prefix`. Two round trips a page.

    Keys that are no session (other types, lists of something else) are left alone and counted.
    Safe to repeat; a session written meanwhile may stay. A page whose reply was lost and that the
    client sent again is gone too, but not counted. An empty prefix is refused. `progress` hears
    how many sessions are gone.

    Example:
        >>> delete_prefix(client, "docs:")
        Deleted(sessions=1, refused=0)
    """
    ops, runner = SessionsOps(_not_empty(key_prefix)), runners_for(client)[0]
    done = Deleted(0, 0)
    cursor: ScanCursor | None = runner.run(start_scan())
    while cursor is not None:
        page, cursor = runner.run(ops.delete_page(cursor))
        done += page
        if progress:
            progress(done.sessions)
    return done


async def adelete_prefix(
    client: Any, key_prefix: str, *, progress: Progress | None = None
) -> Deleted:
    """Async twin of `delete_prefix`."""
    ops, runner = SessionsOps(_not_empty(key_prefix)), runners_for(client)[1]
    done = Deleted(0, 0)
    cursor: ScanCursor | None = await runner.run(start_scan())
    while cursor is not None:
        page, cursor = await runner.run(ops.delete_page(cursor))
        done += page
        if progress:
            progress(done.sessions)
    return done


class _Listing:
    """What twins share: each session once, progress told."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._seen: set[str] = set()
        self._looked_at = 0

    def new(self, page: Iterable[Session]) -> Iterator[Session]:
        self._looked_at += SCAN_COUNT
        if self._progress:
            self._progress(self._looked_at)
        for session in page:  # SCAN may list a key twice
            if session.session_id not in self._seen:
                self._seen.add(session.session_id)
                yield session


async def _each_id(
    client: Any, session_ids: Iterable[str] | None, key_prefix: str
) -> AsyncIterator[str]:
    if session_ids is None:
        async for session in alist_sessions(client, key_prefix):
            yield session.session_id
    else:
        for session_id in iterable_not_str("session_ids", session_ids):
            yield session_id


def _writer(ops: SessionsOps, format: Format) -> Callable[[str, list[bytes]], Iterator[bytes]]:  # noqa: A002
    def jsonl(session_id: str, elements: list[bytes]) -> Iterator[bytes]:
        for index, element in enumerate(elements):
            yield formats.to_jsonl(Row(session_id, index, element)) + b"\n"

    def openai(session_id: str, elements: list[bytes]) -> Iterator[bytes]:
        history = HistoryOps(session_id, ops.key(session_id))
        messages = [row[0] for row in history.decode_page(Page(elements, 0))]
        if messages:
            yield formats.to_openai(session_id, messages) + b"\n"

    return jsonl if one_of("format", format, ("jsonl", "openai")) == "jsonl" else openai


def _rows(lines: Iterable[bytes | str], format: ForeignFormat) -> Iterator[Row]:  # noqa: A002
    return formats.READERS[one_of("format", format, tuple(formats.READERS))](
        iterable_not_str("lines", lines)
    )


def _not_empty(key_prefix: str) -> str:
    if key_prefix == "":
        raise InvalidArgumentError(
            "key_prefix", "must not be empty here: it would delete every session there is"
        )
    return key_prefix
