"""Entries of a session: messages with their ids and times.

Strategy: a value that a caller may keep; it does not depend on the session.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.decode import EntryTuple, time_of


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored message, with its id and the time it was written."""

    message: BaseMessage
    id: str | None
    """Unique to this append; None if release 0.3.0 wrote it."""
    written_at: datetime | None
    """By the writer's clock, in UTC; None if release 0.3.0 wrote it."""

    @classmethod
    def of(cls, decoded: EntryTuple) -> Entry:
        """Create the entry of a decoded element."""
        message, entry_id, written_at_ms = decoded
        return cls(message, entry_id, time_of(written_at_ms))
