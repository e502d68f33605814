"""What a process remembers of its appends, so that each is stored once.

Strategy: an append that raises may have been stored: the reply can be lost. Its batch is kept
here, and an append of the very same message objects to the same session sends that batch again,
ids and all, which the server stores once. Objects are compared by identity and must not have
changed: equal text said twice is two messages.

A batch also says how long its writer knew the session to be, which bounds how far back the server
looks for it. LangChain makes a history object for every turn, so both are remembered for a client
and not for a history.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._ops.batch import Batch, Stamp
from langchain_google_memorystore_redis._ops.history import HistoryOps

_MOST_BATCHES = 256
"""The oldest of more is forgotten; its messages would be new ones if they were added again."""

_MOST_SESSIONS = 10_000
"""The one used longest ago is forgotten; its next append makes the server look further back."""

_Name = tuple[bytes, tuple[int, ...]]


class Outbox:
    """The appends of one client."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lengths: dict[bytes, int] = {}
        # The messages are held as well, so that no other object takes their identity.
        self._unconfirmed: dict[_Name, tuple[Sequence[BaseMessage], Batch]] = {}

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
            _, unconfirmed = self._unconfirmed.pop(name, (None, None))
            known = self._lengths.get(key, -1)
        if unconfirmed is not None and unconfirmed.holds(messages):
            batch = unconfirmed
        else:
            batch = Batch.of(messages, known, stamp, ops.compress_min_bytes)
        return _Sending(self, name, messages, batch)

    def _keep(self, name: _Name, messages: Sequence[BaseMessage], batch: Batch) -> None:
        with self._lock:
            self._unconfirmed[name] = (messages, batch)
            if len(self._unconfirmed) > _MOST_BATCHES:
                del self._unconfirmed[next(iter(self._unconfirmed))]


class _Sending:
    """A class, not a generator: a tenth of what an append costs beside its round trip."""

    __slots__ = ("_batch", "_messages", "_name", "_outbox")

    def __init__(
        self, outbox: Outbox, name: _Name, messages: Sequence[BaseMessage], batch: Batch
    ) -> None:
        self._outbox, self._name, self._messages, self._batch = outbox, name, messages, batch

    def __enter__(self) -> Batch:
        return self._batch

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:  # cancellation too: its outcome is unknown as well
            self._outbox._keep(self._name, self._messages, self._batch)


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
