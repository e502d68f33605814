"""Entries of a session: messages with their ids and times.

Strategy: a value that a caller may keep; it does not depend on the session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.decode import EntryTuple, time_of
from langchain_google_memorystore_redis._codec.encode import element_tail
from langchain_google_memorystore_redis._history.newest import UNKNOWN, Newest


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


def newest_of(entries: Sequence[Entry]) -> Newest:
    """Name the newest of all entries of a session; `UNKNOWN` if it has no id."""
    last = entries[-1] if entries else None
    if last is None or last.id is None or last.written_at is None:
        return UNKNOWN
    written_at_ms = round(last.written_at.timestamp() * 1000)
    return Newest(element_tail(last.id.encode(), written_at_ms), len(entries) - 1)
