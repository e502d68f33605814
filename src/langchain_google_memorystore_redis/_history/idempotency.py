"""Idempotent appends: a client's record of the appends that may have been stored.

Strategy: an append that raises may have been stored, because only its reply may be lost. Its batch
is kept, and an append of the same message objects to the same session sends that batch again, ids
included, which the server stores once. LangChain creates a history object for every turn, so the
record belongs to the client, not to a history.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._history.batch import Batch, IdempotencyKey
from langchain_google_memorystore_redis._history.inexact import warn_of_inexact
from langchain_google_memorystore_redis._history.newest import UNKNOWN, Newest, NewestEntries
from langchain_google_memorystore_redis._history.operations import (
    MAX_REFUSALS,
    AppendReply,
    HistoryOps,
    is_refused,
)
from langchain_google_memorystore_redis._redis.locks import create_lock
from langchain_google_memorystore_redis._redis.registry import ClientRegistry

_MAX_AGE = 600
"""After this, the same objects are new messages: for example a greeting that is created once and
appended to every session."""

_MAX_BYTES = 64 << 20
"""Limit of all unconfirmed batches. The oldest are forgotten first, but never the newest."""

_OVERHEAD_BYTES = 1_000
"""Size of Python's own objects for a message."""

_AppendId = tuple[bytes, str, tuple[int, ...]]
"""Key of the session, id of the first entry that is replaced, and identities of the messages: equal
text in two objects is two messages."""


class Attempt:
    """Attempt to append a batch, from before its first send to its confirmation."""

    __slots__ = ("_appends", "_refusals", "batch", "expires_at", "id", "key", "messages", "size")

    def __init__(
        self,
        appends: IdempotentAppends,
        append_id: _AppendId,
        messages: Sequence[BaseMessage],
        batch: Batch,
    ) -> None:
        self._appends = appends
        self._refusals = 0
        self.batch = batch
        self.id = append_id
        self.key = append_id[0]
        self.messages = messages
        """Kept so that no other objects get the same identities."""
        self.expires_at = time.monotonic() + _MAX_AGE
        self.size = 0

    def is_refused(self, reply: AppendReply) -> bool:
        """Tell whether the batch must be sent again, and name the entry that it then names."""
        if not is_refused(reply):
            return False
        _, length, tail = reply  # type: ignore[misc]
        self._refusals += 1
        # A copy that was sent before may have been stored before the entry that is the newest now.
        newest = Newest.of_reply(tail, length) if self._refusals < MAX_REFUSALS else UNKNOWN
        self.batch = self.batch._replace(newest=newest, may_precede=True)
        return True

    def confirm(self, reply: AppendReply) -> None:
        """Record that the batch is stored, and which entry is the newest now."""
        if type(reply) is int:
            newest = self.batch.name_newest(reply)
        else:
            newest = Newest.of_reply(reply[2], reply[1])  # type: ignore[index]
        self._appends.known.learn(self.key, newest)
        self._appends.forget(self)


class IdempotentAppends:
    """Unconfirmed batches and newest entries of one client."""

    def __init__(self) -> None:
        self.known = NewestEntries()
        self.failed: deque[Attempt] = deque()
        """Attempts that have just raised. A deque, since appending to it is one step: a second
        signal cannot strike in between."""
        self._lock = create_lock()
        # The batch that failed first comes first.
        self._unconfirmed: dict[_AppendId, Attempt] = {}
        self._bytes = 0

    def attempt(
        self,
        ops: HistoryOps,
        messages: Sequence[BaseMessage],
        idempotency_key: IdempotencyKey | None = None,
        absent_up_to: Newest = UNKNOWN,
        replaced: str = "",
    ) -> Attempt:
        """Return an attempt to append messages, with the batch of an earlier one that raised.

        `absent_up_to` names an entry up to which the session holds no batch of the key.
        """
        append_id = (ops.key, replaced, tuple(map(id, messages)))
        if self.failed or self._unconfirmed:
            with self._lock:
                self._keep_failed()
                earlier = self._unconfirmed.get(append_id)
            # If this raises, the batch that was sent is not forgotten.
            if earlier is not None and _is_repeat(earlier.batch, messages, idempotency_key):
                return Attempt(self, append_id, messages, earlier.batch)
        newest, may_precede = self.known.of(ops.key), False
        if idempotency_key is not None:
            # Another process may have stored a batch with the key before this one knew the session.
            if absent_up_to is UNKNOWN:
                absent_up_to = self.known.absent(ops.key, idempotency_key.ids)
            may_precede = absent_up_to is UNKNOWN
            newest = newest if may_precede else absent_up_to
        batch = Batch.of(
            messages,
            newest,
            idempotency_key,
            may_precede=may_precede,
            compress_min_bytes=ops.compress_min_bytes,
            convert_inexact=ops.convert_inexact,
        )
        warn_of_inexact(ops.session_id, batch.inexact)
        return Attempt(self, append_id, messages, batch)

    def forget(self, attempt: Attempt) -> None:
        """Forget the batch of an append that was confirmed."""
        if self.failed or self._unconfirmed:
            with self._lock:
                self._keep_failed()
                kept = self._unconfirmed.get(attempt.id)
                # The same objects may have been added twice at once.
                if kept is not None and kept.batch.tails is attempt.batch.tails:
                    self._forget(attempt.id)

    def _keep_failed(self) -> None:
        """Keep the batches that have failed, within the limits of age and size."""
        while self.failed:
            attempt = self.failed[0]
            attempt.size = sum(len(part) + _OVERHEAD_BYTES for part in attempt.batch.elements)
            self._forget(attempt.id)
            self._unconfirmed[attempt.id] = attempt
            self._bytes += attempt.size
            self.failed.popleft()  # last: an interrupt before it leaves all to do again
        if not self._unconfirmed:
            self._bytes = 0  # such an interrupt may have left a wrong sum
        while self._unconfirmed:
            oldest = next(iter(self._unconfirmed.values()))
            is_over = self._bytes > _MAX_BYTES and len(self._unconfirmed) > 1
            if not is_over and oldest.expires_at > time.monotonic():
                break
            self._forget(oldest.id)

    def _forget(self, append_id: _AppendId) -> None:
        if (found := self._unconfirmed.pop(append_id, None)) is not None:
            self._bytes -= found.size


def _is_repeat(batch: Batch, messages: Sequence[BaseMessage], key: IdempotencyKey | None) -> bool:
    """Tell whether these messages, as they are now, are those of a batch that was sent."""
    return (key is None or key.ids == batch.ids) and batch.is_of(messages)


APPENDS = ClientRegistry(IdempotentAppends)
"""The appends of each client."""
