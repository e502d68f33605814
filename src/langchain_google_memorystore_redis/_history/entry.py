"""What a session holds beside its messages.

Strategy: a value that a caller may keep; it knows the log's rows, not how they are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.decode import EntryTuple, time_of


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored message with what the log knows of it."""

    message: BaseMessage
    id: str | None
    """Unique to this append; None if release 0.3.0 wrote it."""
    written_at: datetime | None
    """By the writer's clock, in UTC; None if release 0.3.0 wrote it."""

    @classmethod
    def of(cls, row: EntryTuple) -> Entry:
        """The entry of a decoded row."""
        message, entry_id, at = row
        return cls(message, entry_id, time_of(at))
