"""Moving from another package's history to this one.

Strategy: a migration reads a session by the layout of its origin (`origins.py`) and stores
it as an import does: every message in its place and once, so that it can be run again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

from langchain_google_memorystore_redis._redis.arguments import one_of, ttl_milliseconds
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._sessions.operations import Imported, SessionsOps
from langchain_google_memorystore_redis._sessions.origins import Community, LangchainRedis, Origin

OriginName = Literal["langchain-community", "langchain-redis"]
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
    """Copy the sessions of another package to this one's, one after the other.

    `source` and `target` may be one client. "langchain-community" keeps lists, newest first,
    under "message_store:" unless `source_prefix` says otherwise; their elements are copied to the
    byte. "langchain-redis" keeps JSON documents under "chat:"; reading them takes a server with a
    JSON module (without one, see `import_sessions`). Nothing is removed at the source. Running it
    again adds nothing twice. Stop the writers first: what they write meanwhile may be missing.
    `progress` hears how many sessions are done.
    """
    here, there, ttl_ms = _route(origin, source_prefix, key_prefix, ttl)
    reader, writer = runners_for(source)[0], runners_for(target)[0]
    done = Imported(0, 0, 0, ())
    for session_id, names in reader.run(here.find()).items():
        rows = reader.run(here.rows(session_id, names))
        done += writer.run(there.restore(rows, ttl_ms))
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
    here, there, ttl_ms = _route(origin, source_prefix, key_prefix, ttl)
    reader, writer = runners_for(source)[1], runners_for(target)[1]
    done = Imported(0, 0, 0, ())
    for session_id, names in (await reader.run(here.find())).items():
        rows = await reader.run(here.rows(session_id, names))
        done += await writer.run(there.restore(rows, ttl_ms))
        if progress:
            progress(done.sessions)
    return done


def _route(
    origin: OriginName, source_prefix: str | None, key_prefix: str, ttl: float | timedelta | None
) -> tuple[Origin, SessionsOps, int]:
    layout, usual_prefix = _ORIGINS[one_of("origin", origin, tuple(_ORIGINS))]
    here = layout(SessionsOps(usual_prefix if source_prefix is None else source_prefix))
    return here, SessionsOps(key_prefix), ttl_milliseconds(ttl)
