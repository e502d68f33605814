"""Storage layouts of other packages, from which sessions can be migrated.

Strategy: an origin lists the sessions of another package and reads the elements of one. It never
writes; `SessionsOps.import_elements` stores what it returns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from langchain_google_memorystore_redis._redis.op import Flow, Op, ask
from langchain_google_memorystore_redis._redis.scan import ScanCursor, scan_page, start_scan
from langchain_google_memorystore_redis._sessions.formats import PlacedElement, from_langchain_redis
from langchain_google_memorystore_redis._sessions.operations import SessionsOps

# langchain-redis appends a ULID to the session id.
_DOCUMENT = re.compile(r"(.+):([0-9A-HJKMNP-TV-Z]{26})", re.DOTALL)


class Origin(Protocol):
    """Interface to the sessions that another package has stored."""

    def find_sessions(self) -> Flow[Mapping[str, Sequence[str]]]:
        """Return the session ids, each with the names that `read_session` takes."""
        ...

    def read_session(self, session_id: str, names: Sequence[str]) -> Flow[list[PlacedElement]]:
        """Return the elements of a session, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Community:
    """Layout of langchain-community: a list a session, elements like ours, newest first."""

    ops: SessionsOps

    def find_sessions(self) -> Flow[Mapping[str, Sequence[str]]]:
        """Return the ids of the sessions; it needs no names."""
        found: dict[str, Sequence[str]] = {}
        cursor: ScanCursor | None = yield from start_scan()
        while cursor is not None:
            page, cursor = yield from self.ops.list_page(cursor)
            found.update((session.session_id, ()) for session in page)
        return found

    def read_session(self, session_id: str, names: Sequence[str]) -> Flow[list[PlacedElement]]:
        """Return the elements of a session, in reverse of the stored order."""
        elements = yield from self.ops.elements(session_id)
        return [
            PlacedElement(session_id, index, element)
            for index, element in enumerate(reversed(elements))
        ]


@dataclass(frozen=True, slots=True)
class LangchainRedis:
    """Layout of langchain-redis: a JSON document a message; its key ends in session id and ULID.

    Reading takes JSON.GET, so a server with a JSON module. One round trip a document, because the
    documents of a session live on any node of a cluster.
    """

    ops: SessionsOps

    def find_sessions(self) -> Flow[Mapping[str, Sequence[str]]]:
        """Return the ids of the sessions, each with the ULIDs of its documents."""
        found: dict[str, dict[str, None]] = {}
        cursor: ScanCursor | None = yield from start_scan()
        while cursor is not None:
            page, cursor = yield from scan_page(self.ops.key_prefix, cursor)
            for match in filter(None, map(_DOCUMENT.fullmatch, page)):
                found.setdefault(match[1], {})[match[2]] = None
        return {session_id: tuple(names) for session_id, names in found.items()}

    def read_session(self, session_id: str, names: Sequence[str]) -> Flow[list[PlacedElement]]:
        """Return the documents of a session as elements, by time; without any expired meanwhile."""
        documents: list[bytes] = []
        for name in names:
            get = Op(("JSON.GET", self.ops.key(f"{session_id}:{name}")), _to_bytes)
            document = yield from ask(get)
            if document is not None:
                documents.append(document)
        return list(from_langchain_redis(documents))


def _to_bytes(reply: Any) -> bytes | None:
    return reply.encode() if isinstance(reply, str) else reply
