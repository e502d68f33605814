"""Sessions, loaded for a run that may have an idempotency key.

Strategy: one read shows both the messages and whether the turn is stored, since entries have ids.
A `ReadCache` keeps messages without ids, so there the server is asked first.
"""

from __future__ import annotations

from langchain_google_memorystore_redis._history.batch import IdempotencyKey
from langchain_google_memorystore_redis._history.entry import Entry, newest_of
from langchain_google_memorystore_redis._history.history import MemorystoreChatMessageHistory
from langchain_google_memorystore_redis._history.turn import Loaded
from langchain_google_memorystore_redis._redis.op import Flow

_SEARCHED = 1_000
"""Newest entries among which the server, too, looks for a key."""


def load(history: MemorystoreChatMessageHistory, key: IdempotencyKey | None) -> Flow[Loaded]:
    """Load a session; one round trip up to 5,000 messages, one more with a key and a cache."""
    session_id, ops = history.session_id, history._ops
    if key is None:
        return Loaded(session_id, (yield from history._read(None, None)))
    if history._cache is not None:
        stored: object = yield from ops.find_batch(key)
        return Loaded(session_id, (yield from history._read(None, None)), key.name, bool(stored))
    entries = [Entry.of(each) for each in (yield from ops.entries(None, None))]
    ids = key.ids.decode()
    is_stored = any((entry.id or "").startswith(ids) for entry in entries[-_SEARCHED:])
    if not is_stored:
        ops.known.learn_absent(ops.key, key.ids, newest_of(entries))
    return Loaded(session_id, [entry.message for entry in entries], key.name, is_stored)
