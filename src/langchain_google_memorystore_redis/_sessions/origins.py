"""Sessions as other packages keep them.

Strategy: an origin knows how another package lays its sessions out: which of them there are, and
the rows of one. It only reads; storing the rows is the work of `SessionsOps.restore`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from langchain_google_memorystore_redis._redis.op import Flow, Op, ask
from langchain_google_memorystore_redis._redis.scan import ScanCursor, scan_page, start_scan
from langchain_google_memorystore_redis._sessions.formats import Row, from_langchain_redis
from langchain_google_memorystore_redis._sessions.operations import SessionsOps

# langchain-redis puts a ULID behind the session id.
_DOCUMENT = re.compile(r"(.+):([0-9A-HJKMNP-TV-Z]{26})", re.DOTALL)


class Origin(Protocol):
    """How another package keeps its sessions."""

    def find(self) -> Flow[Mapping[str, Sequence[str]]]:
        """The ids of its sessions, and for each what `rows` needs to know."""
        ...

    def rows(self, session_id: str, names: Sequence[str]) -> Flow[list[Row]]:
        """The rows of a session, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Community:
    """langchain-community: a list a session, elements as ours, the newest first."""

    ops: SessionsOps

    def find(self) -> Flow[Mapping[str, Sequence[str]]]:
        """The ids of the lists of messages under the prefix."""
        found: dict[str, Sequence[str]] = {}
        cursor: ScanCursor | None = yield from start_scan()
        while cursor is not None:
            page, cursor = yield from self.ops.page(cursor)
            found.update((session.session_id, ()) for session in page)
        return found

    def rows(self, session_id: str, names: Sequence[str]) -> Flow[list[Row]]:
        """Its elements the other way round."""
        elements = yield from self.ops.elements(session_id)
        return [Row(session_id, index, one) for index, one in enumerate(reversed(elements))]


@dataclass(frozen=True, slots=True)
class LangchainRedis:
    """langchain-redis: a JSON document a message, under prefix, session id and a ULID.

    Reading them takes JSON.GET, so a server with a JSON module; one round trip each, because they
    live on any node of a cluster.
    """

    ops: SessionsOps

    def find(self) -> Flow[Mapping[str, Sequence[str]]]:
        """The ids of the sessions, each with the ULIDs of its documents."""
        found: dict[str, dict[str, None]] = {}
        cursor: ScanCursor | None = yield from start_scan()
        while cursor is not None:
            page, cursor = yield from scan_page(self.ops.key_prefix, cursor)
            for name in filter(None, map(_DOCUMENT.fullmatch, page)):
                found.setdefault(name[1], {})[name[2]] = None
        return {session_id: tuple(names) for session_id, names in found.items()}

    def rows(self, session_id: str, names: Sequence[str]) -> Flow[list[Row]]:
        """Its documents as elements, by their time; those that expired meanwhile are missing."""
        documents: list[bytes] = []
        for name in names:
            get = Op(("JSON.GET", self.ops.key(f"{session_id}:{name}")), _bytes)
            document = yield from ask(get)
            if document is not None:
                documents.append(document)
        return list(from_langchain_redis(documents))


def _bytes(reply: Any) -> bytes | None:
    return reply.encode() if isinstance(reply, str) else reply
