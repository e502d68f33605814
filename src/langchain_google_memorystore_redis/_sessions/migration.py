"""Migration of sessions from another package to this one.

Strategy: read each session by the layout of its origin (`origins.py`), and store it as an import
does, every message once and at its index, so that a migration can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from langchain_google_memorystore_redis._redis.arguments import one_of, ttl_milliseconds
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._sessions.names import OriginName
from langchain_google_memorystore_redis._sessions.operations import Imported, SessionsOps
from langchain_google_memorystore_redis._sessions.origins import Community, LangchainRedis, Origin

_ORIGINS: dict[str, tuple[Callable[[SessionsOps], Origin], str]] = {
    "langchain-community": (Community, "message_store:"),
    "langchain-redis": (LangchainRedis, "chat:"),
}


def migrate_sessions(
    source: Any,
    target: Any,
    origin: OriginName,
    *,
    source_prefix: str | None = None,
    key_prefix: str = "",
    ttl: float | timedelta | None = None,
    progress: Callable[[int], None] | None = None,
) -> Imported:
    """Copy the sessions of another package to this one, one after the other.

    `source` and `target` may be the same client. Nothing is deleted at the source. Idempotent:
    repeating a migration adds nothing twice. Stop all writers first: messages written meanwhile may
    be missing. A session whose key holds something else is left unchanged and listed in the result.
    `progress` is called with the number of sessions done.

    - "langchain-community" stores lists, newest first, by default under "message_store:". Elements
      are copied byte for byte.
    - "langchain-redis" stores JSON documents, by default under "chat:". Reading them takes a server
      with a JSON module (without one, see `import_sessions`), and one round trip a message.

    Storing takes one round trip for each 500 messages of a session, or fewer if they are long.

    Examples:
        >>> from langchain_google_memorystore_redis.sessions import delete_prefix
        >>> migrate_sessions(
        ...     client, client, "langchain-community", source_prefix="docs:", key_prefix="new:"
        ... )
        Imported(sessions=1, added=1, present=0, refused=())
        >>> delete_prefix(client, "new:")
        Deleted(sessions=1, refused=0)
    """
    layout, ops, ttl_ms = _prepare(origin, source_prefix, key_prefix, ttl)
    reader, writer = runners_for(source)[0], runners_for(target)[0]
    done = Imported(0, 0, 0, ())
    for session_id, names in reader.run(layout.find_sessions()).items():
        elements = reader.run(layout.read_session(session_id, names))
        done += writer.run(ops.import_elements(elements, ttl_ms))
        if progress:
            progress(done.sessions)
    return done


async def amigrate_sessions(
    source: Any,
    target: Any,
    origin: OriginName,
    *,
    source_prefix: str | None = None,
    key_prefix: str = "",
    ttl: float | timedelta | None = None,
    progress: Callable[[int], None] | None = None,
) -> Imported:
    """Async twin of `migrate_sessions`."""
    layout, ops, ttl_ms = _prepare(origin, source_prefix, key_prefix, ttl)
    reader, writer = runners_for(source)[1], runners_for(target)[1]
    done = Imported(0, 0, 0, ())
    for session_id, names in (await reader.run(layout.find_sessions())).items():
        elements = await reader.run(layout.read_session(session_id, names))
        done += await writer.run(ops.import_elements(elements, ttl_ms))
        if progress:
            progress(done.sessions)
    return done


def _prepare(
    origin: OriginName, source_prefix: str | None, key_prefix: str, ttl: float | timedelta | None
) -> tuple[Origin, SessionsOps, int]:
    layout, default_prefix = _ORIGINS[one_of("origin", origin, tuple(_ORIGINS))]
    source = SessionsOps(default_prefix if source_prefix is None else source_prefix)
    return layout(source), SessionsOps(key_prefix), ttl_milliseconds(ttl)
