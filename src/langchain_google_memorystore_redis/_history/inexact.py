"""Warnings of fields that are stored in a plain form.

Strategy: an agent stores the same kind of artifact in every turn, so a field is named at most once
a minute, in all sessions together.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from cachetools import TTLCache

from langchain_google_memorystore_redis._codec.encode import InexactField
from langchain_google_memorystore_redis._redis.locks import create_lock

_SECONDS_BETWEEN_WARNINGS = 60

_MAX_FIELDS = 1_000
"""Fields that are remembered: extra fields may have any names."""

_logger = logging.getLogger("langchain_google_memorystore_redis")


class InexactWarnings:
    """Log of the fields that are stored in a plain form. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = create_lock()
        self._recent: TTLCache[tuple[str, str], None] = TTLCache(
            _MAX_FIELDS, _SECONDS_BETWEEN_WARNINGS, clock
        )

    def warn(self, session_id: str, inexact: Sequence[InexactField]) -> None:
        """Log one warning of the fields of a batch that none named in the last minute."""
        if due := list(filter(self._is_due, inexact)):
            _logger.warning(
                "session %r: JSON cannot carry all of a message exactly; stored in a plain form: "
                '%s. Entry.inexact names such fields, and on_inexact="raise" refuses them',
                session_id,
                ", ".join(map(_describe, due)),
            )

    def _is_due(self, field: InexactField) -> bool:
        name = field.message_class, field.name
        with self._lock:
            is_due = name not in self._recent
            if is_due:
                self._recent[name] = None
        return is_due


def _describe(field: InexactField) -> str:
    # Without the path in the field: keys of dicts are content, which is never logged.
    losses = (f"{loss.kind}{', left out' * loss.is_left_out}" for loss in field.losses)
    return f"messages[{field.message_index}], field {field.name} ({'; '.join(losses)})"


warn_of_inexact = InexactWarnings().warn
"""Function that warns of the fields of a batch, by the time of this process."""
