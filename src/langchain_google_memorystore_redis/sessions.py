"""Functions on the sessions under a key prefix: list, describe, export, import, migrate, delete.

Strategy: for operators rather than the code of a chat, because some of them scan all keys of the
server. Each takes any client of redis-py or valkey-py; its async twin, with an `a` in front, takes
an asyncio client, or uses a blocking one from a thread. `_sessions/operations.py` decides what is
sent, `_sessions/formats.py` the lines of a file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

from langchain_google_memorystore_redis._history.operations import HistoryOps, Page
from langchain_google_memorystore_redis._redis.arguments import (
    iterable_not_str,
    one_of,
    ttl_milliseconds,
)
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.scan import SCAN_COUNT, ScanCursor, start_scan
from langchain_google_memorystore_redis._sessions import formats
from langchain_google_memorystore_redis._sessions.formats import PlacedElement
from langchain_google_memorystore_redis._sessions.migration import (
    amigrate_sessions,
    migrate_sessions,
)
from langchain_google_memorystore_redis._sessions.names import ForeignFormat, Format
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

Progress = Callable[[int], None]


def list_sessions(
    client: Any, key_prefix: str = "", *, progress: Progress | None = None
) -> Iterator[Session]:
    """List the sessions under a prefix, in no order. Two round trips a page.

    SCAN examines 1,000 keys a page on every primary, and sessions are yielded page by page. A
    session written, deleted or moved meanwhile may be missing; any other is listed exactly once.
    Keys that are not sessions (other types, lists of something else) are skipped. `progress` is
    called with the approximate number of keys examined.

    Examples:
        >>> [(session.messages, session.expires_in) for session in list_sessions(client, "docs:")]
        [(1, None)]
    """
    ops, runner = SessionsOps(key_prefix), runners_for(client)[0]
    unique = _UniqueSessions(progress)
    cursor: ScanCursor | None = runner.run(start_scan())
    while cursor is not None:
        page, cursor = runner.run(ops.list_page(cursor))
        yield from unique.filter(page)


async def alist_sessions(
    client: Any, key_prefix: str = "", *, progress: Progress | None = None
) -> AsyncIterator[Session]:
    """Async twin of `list_sessions`."""
    ops, runner = SessionsOps(key_prefix), runners_for(client)[1]
    unique = _UniqueSessions(progress)
    cursor: ScanCursor | None = await runner.run(start_scan())
    while cursor is not None:
        page, cursor = await runner.run(ops.list_page(cursor))
        for session in unique.filter(page):
            yield session


def describe_session(client: Any, session_id: str, *, key_prefix: str = "") -> Session | None:
    """Return size, age and expiry of a session; None if there is none. One round trip.

    It does not read the messages.

    Examples:
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
    """Export sessions (None: all under the prefix) as the lines of a file, each with its newline.

    - "jsonl" has a line for each message, which contains the stored element byte for byte.
    - "openai" has a line for each session: its messages in the format of OpenAI's chat completions,
      without ids, times and metadata. Raises `CorruptEntryError` for an element that is not a
      message, and `InvalidArgumentError` for a message that the format cannot represent.

    One round trip for each 5,000 messages; one session at a time is held in memory. Expiry is not
    exported.

    Examples:
        >>> for line in export_sessions(client, [history.session_id]):
        ...     print(line.decode())  # doctest: +ELLIPSIS
        {"session_id": "...", "index": 0, "element": {"type":"human","data":{"content":"hi"},...}}
        <BLANKLINE>
    """
    ops, runner = SessionsOps(key_prefix), runners_for(client)[0]
    write = _line_writer(ops, format)
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
    write = _line_writer(ops, format)
    async for session_id in _session_ids(client, session_ids, key_prefix):
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
    """Import the lines of `export_sessions`, every message once and at its index.

    Idempotent: repeating an interrupted import continues it and adds nothing twice, even if the
    session has grown since. A session that holds other messages at the same indices is left
    unchanged and listed in the result. "langchain-redis" reads that package's JSON documents, one a
    line in any order, and holds all of them in memory. `ttl` (seconds or timedelta) is set where
    messages are added. One round trip for each 500 messages of a session, or fewer if they are
    long. Raises `InvalidArgumentError` with the number of an invalid line; what precedes it may be
    stored.

    Examples:
        >>> lines = list(export_sessions(client, [history.session_id]))
        >>> import_sessions(client, lines, key_prefix="copy:")
        Imported(sessions=1, added=1, present=0, refused=())
        >>> import_sessions(client, lines, key_prefix="copy:")
        Imported(sessions=1, added=0, present=1, refused=())
        >>> delete_prefix(client, "copy:")
        Deleted(sessions=1, refused=0)
    """
    flow = SessionsOps(key_prefix).import_elements(_read(lines, format), ttl_milliseconds(ttl))
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
    flow = SessionsOps(key_prefix).import_elements(_read(lines, format), ttl_milliseconds(ttl))
    return await runners_for(client)[1].run(flow)


def delete_sessions(client: Any, session_ids: Iterable[str], *, key_prefix: str = "") -> int:
    """Delete sessions and return how many existed. One round trip each. Idempotent.

    Raises `WrongTypeError` at the first key that is not a list, which is left unchanged. An id that
    cannot be one, such as an empty one, is refused before anything is deleted.

    Examples:
        >>> delete_sessions(client, [history.session_id, "never-was"])
        1
    """
    ops, runner = SessionsOps(key_prefix), runners_for(client)[0]
    deletions = [ops.delete(each) for each in iterable_not_str("session_ids", session_ids)]
    return sum(runner.run(deletion) for deletion in deletions)


async def adelete_sessions(client: Any, session_ids: Iterable[str], *, key_prefix: str = "") -> int:
    """Async twin of `delete_sessions`."""
    ops, runner = SessionsOps(key_prefix), runners_for(client)[1]
    deletions = [ops.delete(each) for each in iterable_not_str("session_ids", session_ids)]
    return sum([await runner.run(deletion) for deletion in deletions])


def delete_prefix(client: Any, key_prefix: str, *, progress: Progress | None = None) -> Deleted:
    """Delete every session whose key begins with `key_prefix`. Two round trips a page.

    Keys that are not sessions (other types, lists of something else) are left unchanged and
    counted as refused. Idempotent; a session written meanwhile may stay. If the client retries a
    page after a lost reply, its sessions are deleted but not counted. `progress` is called with the
    number of sessions deleted. Raises `InvalidArgumentError` for an empty prefix.

    Examples:
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


class _UniqueSessions:
    """Filter of a listing that yields each session once, and reports progress."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._seen: set[str] = set()
        self._keys_examined = 0

    def filter(self, page: Iterable[Session]) -> Iterator[Session]:
        self._keys_examined += SCAN_COUNT
        if self._progress:
            self._progress(self._keys_examined)
        for session in page:  # SCAN may list a key twice
            if session.session_id not in self._seen:
                self._seen.add(session.session_id)
                yield session


async def _session_ids(
    client: Any, session_ids: Iterable[str] | None, key_prefix: str
) -> AsyncIterator[str]:
    if session_ids is None:
        async for session in alist_sessions(client, key_prefix):
            yield session.session_id
    else:
        for session_id in iterable_not_str("session_ids", session_ids):
            yield session_id


def _line_writer(ops: SessionsOps, format: Format) -> Callable[[str, list[bytes]], Iterator[bytes]]:  # noqa: A002
    def jsonl(session_id: str, elements: list[bytes]) -> Iterator[bytes]:
        for index, element in enumerate(elements):
            yield formats.to_jsonl(PlacedElement(session_id, index, element)) + b"\n"

    def openai(session_id: str, elements: list[bytes]) -> Iterator[bytes]:
        history = HistoryOps(session_id, ops.key(session_id))
        messages = [entry[0] for entry in history.decode_page(Page(elements, 0))]
        if messages:
            yield formats.to_openai(session_id, messages) + b"\n"

    return jsonl if one_of("format", format, ("jsonl", "openai")) == "jsonl" else openai


def _read(lines: Iterable[bytes | str], format: ForeignFormat) -> Iterator[PlacedElement]:  # noqa: A002
    return formats.READERS[one_of("format", format, tuple(formats.READERS))](
        iterable_not_str("lines", lines)
    )


def _not_empty(key_prefix: str) -> str:
    if key_prefix == "":
        raise InvalidArgumentError(
            "key_prefix", "must not be empty: that would delete every session of the server"
        )
    return key_prefix
