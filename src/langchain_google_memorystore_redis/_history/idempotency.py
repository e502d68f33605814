"""Idempotent appends: a client's record of the appends that may have been stored.

Strategy: an append that raises may have been stored, because only its reply may be lost. Its batch
is kept, and an append of the same message objects to the same session sends that batch again, ids
included, which the server stores once. LangChain creates a history object for every turn, so the
record belongs to the client, not to a history.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._history.batch import Batch, IdempotencyKey
from langchain_google_memorystore_redis._history.inexact import warn_of_inexact
from langchain_google_memorystore_redis._history.operations import HistoryOps
from langchain_google_memorystore_redis._redis.locks import create_lock
from langchain_google_memorystore_redis._redis.registry import ClientRegistry

_MAX_AGE = 600
"""After this, the same objects are new messages: for example a greeting that is created once and
appended to every session."""

_MAX_BYTES = 64 << 20
"""Limit of all unconfirmed batches. The oldest are forgotten first, but never the newest."""

_OVERHEAD_BYTES = 1_000
"""Size of Python's own objects for a message."""

_MAX_SESSIONS = 10_000
"""Limit of known lengths. An append to a forgotten session makes the server search further back."""

_AppendId = tuple[bytes, tuple[int, ...]]
"""Key of the session and identities of the messages: equal text in two objects is two messages."""


class _UnconfirmedBatch(NamedTuple):
    """A batch that may have been stored."""

    messages: Sequence[BaseMessage]
    """Kept so that no other objects get the same identities."""
    batch: Batch
    size: int
    expires_at: float
    """By the monotonic clock."""


class IdempotentAppends:
    """Unconfirmed batches and known session lengths of one client.

    The known length limits how far back the server searches for a batch that it may have stored.
    """

    def __init__(self) -> None:
        self._lock = create_lock()
        # The session recorded longest ago comes first. An LRUCache would add 2 us to each append.
        self._lengths: dict[bytes, int] = {}
        # The batch that failed first comes first.
        self._unconfirmed: dict[_AppendId, _UnconfirmedBatch] = {}
        self._bytes = 0

    def record_length(self, key: bytes, length: int) -> None:
        """Record the length of a session that the server has just reported."""
        with self._lock:
            self._lengths.pop(key, None)
            self._lengths[key] = length
            if len(self._lengths) > _MAX_SESSIONS:
                del self._lengths[next(iter(self._lengths))]

    def attempt(
        self,
        ops: HistoryOps,
        messages: Sequence[BaseMessage],
        idempotency_key: IdempotencyKey | None = None,
    ) -> _Attempt:
        """Return a context whose value is the batch to send, kept if the body raises anything."""
        key = ops.key
        append_id = (key, tuple(map(id, messages)))
        with self._lock:
            self._forget_expired()
            unconfirmed = self._unconfirmed.get(append_id)
            # Another process may have sent a batch with a key before this one knew the session.
            known_length = self._lengths.get(key, -1) if idempotency_key is None else -1
        # Encoding comes first: if it raises, the batch that was sent is not forgotten.
        if unconfirmed is not None and unconfirmed.batch.is_of(messages):
            # The length known now may be newer than the first send, and so may miss the batch.
            batch = unconfirmed.batch._replace(known_length=-1)
        else:
            batch = Batch.of(
                messages,
                known_length,
                idempotency_key,
                ops.compress_min_bytes,
                convert_inexact=ops.convert_inexact,
            )
            warn_of_inexact(ops.session_id, batch.inexact)
        return _Attempt(self, append_id, messages, batch, is_repeat=unconfirmed is not None)

    def _keep(self, append_id: _AppendId, messages: Sequence[BaseMessage], batch: Batch) -> None:
        size = sum(len(element) + _OVERHEAD_BYTES for element in batch.elements)
        expires_at = time.monotonic() + _MAX_AGE
        with self._lock:
            self._forget(append_id)
            self._unconfirmed[append_id] = _UnconfirmedBatch(messages, batch, size, expires_at)
            self._bytes += size
            while self._bytes > _MAX_BYTES and len(self._unconfirmed) > 1:
                self._forget(next(iter(self._unconfirmed)))

    def _confirm(self, append_id: _AppendId) -> None:
        with self._lock:
            self._forget(append_id)

    def _forget_expired(self) -> None:
        while self._unconfirmed:
            oldest = next(iter(self._unconfirmed))
            if self._unconfirmed[oldest].expires_at > time.monotonic():
                break
            self._forget(oldest)

    def _forget(self, append_id: _AppendId) -> None:
        if (found := self._unconfirmed.pop(append_id, None)) is not None:
            self._bytes -= found.size


class _Attempt:
    """Context of one attempt to append a batch.

    A generator (`contextlib.contextmanager`) would cost a tenth of our own time in an append.
    """

    __slots__ = ("_append_id", "_appends", "_batch", "_is_repeat", "_messages")

    def __init__(
        self,
        appends: IdempotentAppends,
        append_id: _AppendId,
        messages: Sequence[BaseMessage],
        batch: Batch,
        *,
        is_repeat: bool,
    ) -> None:
        self._appends, self._append_id = appends, append_id
        self._messages, self._batch = messages, batch
        self._is_repeat = is_repeat

    def __enter__(self) -> Batch:
        return self._batch

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:  # cancellation too: its outcome is unknown as well
            self._appends._keep(self._append_id, self._messages, self._batch)
        elif self._is_repeat:
            self._appends._confirm(self._append_id)


APPENDS = ClientRegistry(IdempotentAppends)
"""The appends of each client."""
