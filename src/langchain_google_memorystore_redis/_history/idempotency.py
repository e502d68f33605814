"""What a process remembers of its appends, so that each is stored once.

Strategy: an append that raises may have been stored: the reply can be lost. Its batch is kept
here, and an append of the very same message objects to the same session sends that batch again,
ids and all, which the server stores once. Objects are compared by identity and must not have
changed: equal text said twice is two messages.

A batch also says how long its writer knew the session to be, which bounds how far back the server
looks for it; one that may have been sent before says nothing, since what the writer knows may be
younger than what it sent. LangChain makes a history object for every turn, so both are remembered
for a client and not for a history.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Sequence
from typing import NamedTuple

from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._history.batch import Batch, Stamp
from langchain_google_memorystore_redis._history.operations import HistoryOps

_MOST_SECONDS = 600
"""Later the same objects are new messages: a greeting made once, say, and given every session."""

_MOST_BYTES = 64 << 20
"""Held at once; the oldest batches of more are forgotten, but never the newest."""

_OVERHEAD = 1_000
"""Bytes of Python's own objects a message."""

_MOST_SESSIONS = 10_000
"""The one used longest ago is forgotten; its next append makes the server look further back."""

_Name = tuple[bytes, tuple[int, ...]]


class _Unconfirmed(NamedTuple):
    """A batch that may have been stored."""

    messages: Sequence[BaseMessage]
    """Held so that no other object takes their identity."""
    batch: Batch
    size: int
    until: float
    """When it is forgotten, by the monotonic clock."""


class Outbox:
    """The appends of one client."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lengths: dict[bytes, int] = {}
        # In the order in which they failed.
        self._unconfirmed: dict[_Name, _Unconfirmed] = {}
        self._bytes = 0

    def saw(self, key: bytes, length: int) -> None:
        """Note how many messages a session was just seen to hold."""
        with self._lock:
            self._lengths.pop(key, None)
            self._lengths[key] = length
            if len(self._lengths) > _MOST_SESSIONS:
                del self._lengths[next(iter(self._lengths))]

    def sending(
        self, ops: HistoryOps, messages: Sequence[BaseMessage], stamp: Stamp | None = None
    ) -> _Sending:
        """`with` it: the batch to send; kept if the body raises, whatever it raises."""
        key = ops.key
        name = (key, tuple(map(id, messages)))
        with self._lock:
            self._forget_late()
            unconfirmed = self._unconfirmed.get(name)
            known = self._lengths.get(key, -1) if stamp is None else -1
        # Asked first: if a message cannot be stored any more, what was sent is not forgotten.
        if unconfirmed is not None and unconfirmed.batch.holds(messages):
            batch = unconfirmed.batch._replace(known=-1)
        else:
            batch = Batch.of(messages, known, stamp, ops.compress_min_bytes)
        return _Sending(self, name, messages, batch, is_repeat=unconfirmed is not None)

    def _keep(self, name: _Name, messages: Sequence[BaseMessage], batch: Batch) -> None:
        size = sum(len(element) + _OVERHEAD for element in batch.elements)
        until = time.monotonic() + _MOST_SECONDS
        with self._lock:
            self._forget(name)
            self._unconfirmed[name] = _Unconfirmed(messages, batch, size, until)
            self._bytes += size
            while self._bytes > _MOST_BYTES and len(self._unconfirmed) > 1:
                self._forget(next(iter(self._unconfirmed)))

    def _confirm(self, name: _Name) -> None:
        with self._lock:
            self._forget(name)

    def _forget_late(self) -> None:
        while self._unconfirmed:
            oldest = next(iter(self._unconfirmed))
            if self._unconfirmed[oldest].until > time.monotonic():
                break
            self._forget(oldest)

    def _forget(self, name: _Name) -> None:
        if (found := self._unconfirmed.pop(name, None)) is not None:
            self._bytes -= found.size


class _Sending:
    """A class, not a generator: a tenth of what an append costs beside its round trip."""

    __slots__ = ("_batch", "_is_repeat", "_messages", "_name", "_outbox")

    def __init__(
        self,
        outbox: Outbox,
        name: _Name,
        messages: Sequence[BaseMessage],
        batch: Batch,
        *,
        is_repeat: bool,
    ) -> None:
        self._outbox, self._name, self._messages, self._batch = outbox, name, messages, batch
        self._is_repeat = is_repeat

    def __enter__(self) -> Batch:
        return self._batch

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:  # cancellation too: its outcome is unknown as well
            self._outbox._keep(self._name, self._messages, self._batch)
        elif self._is_repeat:
            self._outbox._confirm(self._name)


_OUTBOXES: weakref.WeakKeyDictionary[object, Outbox] = weakref.WeakKeyDictionary()
_LOCK = threading.Lock()


def outbox_of(client: object) -> Outbox:
    """The outbox of a client, which lives as long as the client does."""
    with _LOCK:
        try:
            outbox = _OUTBOXES.get(client)
            if outbox is None:
                outbox = _OUTBOXES[client] = Outbox()
            return outbox
        except TypeError:  # an object of the user's own that cannot be held weakly
            return Outbox()
