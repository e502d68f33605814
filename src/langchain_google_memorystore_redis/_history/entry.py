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
    """A stored message, with its id, the time it was written, and what of it is not as it was."""

    message: BaseMessage
    id: str | None
    """Unique to this append; None if release 0.3.0 wrote it."""
    written_at: datetime | None
    """By the writer's clock, in UTC; None if release 0.3.0 wrote it."""
    inexact: tuple[str, ...] = ()
    """Names of the fields that are not equal to those of the message that was added: JSON cannot
    carry them, so they were stored in a plain form or left out (see `on_inexact`)."""

    @classmethod
    def of(cls, decoded: EntryTuple) -> Entry:
        """Create the entry of a decoded element."""
        message, entry_id, written_at_ms, inexact = decoded
        return cls(message, entry_id, time_of(written_at_ms), inexact)
