"""Appends whose outcome is unknown, so that repeating one stores it once.

Strategy: an append that raises may have been stored: the reply can be lost. Its batch is kept
here, and an append of the very same message objects to the same session sends that batch again,
ids and all, which the server stores once. Objects are compared by identity and must not have
changed: equal text said twice is two messages. One outbox serves the process, because LangChain
makes a history object for every turn.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._ops.batch import Batch

_MOST_BATCHES = 256
"""The oldest of more is forgotten; its messages would be new ones if they were added again."""

_Name = tuple[bytes, tuple[int, ...]]


class Outbox:
    """Batches that raised, by session and message objects."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # The messages are held as well, so that no other object takes their identity.
        self._unconfirmed: dict[_Name, tuple[Sequence[BaseMessage], Batch]] = {}

    @contextmanager
    def sending(self, key: bytes, messages: Sequence[BaseMessage], known: int) -> Iterator[Batch]:
        """The batch to send for these messages; kept if the body raises, whatever it raises."""
        name = (key, tuple(map(id, messages)))
        with self._lock:
            _, unconfirmed = self._unconfirmed.pop(name, (None, None))
        if unconfirmed is not None and unconfirmed.holds(messages):
            batch = unconfirmed
        else:
            batch = Batch.of(messages, known)
        try:
            yield batch
        except BaseException:  # cancellation too: its outcome is unknown as well
            with self._lock:
                self._unconfirmed[name] = (messages, batch)
                if len(self._unconfirmed) > _MOST_BATCHES:
                    del self._unconfirmed[next(iter(self._unconfirmed))]
            raise


OUTBOX = Outbox()
