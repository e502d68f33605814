"""Operations of caches.

Strategy: an entry begins with the generations in which it was written. A generation is random bytes
under a key of its own; `clear` removes it, and an entry whose generation is missing or another one
is stale, for every process at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

from langchain_google_memorystore_redis._cache.keys import CacheKeys
from langchain_google_memorystore_redis._cache.outages import OnOutage, Outages
from langchain_google_memorystore_redis._redis.arguments import ttl_milliseconds
from langchain_google_memorystore_redis._redis.op import (
    FanOut,
    Flow,
    Op,
    as_it_is,
    ignore_reply,
    raised,
)
from langchain_google_memorystore_redis._redis.scripts import Script

_LOOKUP = Script(__package__, "lookup")
_UPDATE = Script(__package__, "update")

_UNUSED_MS = 30 * 24 * 3600 * 1000
"""Life of an entry without `ttl` after its last use: nobody could find it after a `clear`."""
_GENERATION_BYTES = 8
_UNTIL_TTL, _WHILE_USED = b".", b"~"
"""Marks of an entry: lookup.lua renews the second kind."""


class CacheOps:
    """Operations on one cache."""

    def __init__(self, key_prefix: str, ttl: float | timedelta | None, on_outage: OnOutage) -> None:
        self.keys = CacheKeys(key_prefix)
        self._ttl_ms = ttl_milliseconds(ttl)
        self.outages = Outages(on_outage)

    def lookup(self, keys: Sequence[list[bytes]]) -> Flow[list[bytes | None]]:
        """Return the content of entries, None for each that is missing, stale or out of reach."""
        ops = [_LOOKUP.op(each, [_UNUSED_MS], as_it_is) for each in keys]
        found: list[bytes | None] = yield from self.outages.ask(ops)
        return found

    def update(self, entries: Sequence[tuple[list[bytes], bytes, int]]) -> Flow[None]:
        """Write entries: their keys, their content, and milliseconds to live (0: the default)."""
        generation = secrets.token_bytes(_GENERATION_BYTES)
        ops = []
        for keys, content, own_ms in entries:
            ttl_ms = own_ms or self._ttl_ms
            marked = (_UNTIL_TTL if ttl_ms else _WHILE_USED) + content
            args = [generation, marked, ttl_ms or _UNUSED_MS]
            ops.append(_UPDATE.op(keys, args, ignore_reply))
        yield from self.outages.ask(ops)

    def clear(self, namespaces: Sequence[Sequence[str]] | None) -> Flow[None]:
        """Make entries stale: those of namespaces, or of the whole cache. Raises in an outage."""
        deletions = [
            Op(("DEL", *keys), ignore_reply)
            for keys in self.keys.of_generations(namespaces)
            if keys
        ]
        if deletions:
            raised((yield FanOut(deletions)))
