"""History of delta channels, from which LangGraph makes their values.

Strategy: a delta channel is stored as the writes to it, and now and then as a value. The server
walks from a checkpoint to its ancestors until one has a value of the channel: that value is the
seed, and the writes found on the way follow it, those stored beside the seed included. The walk
ends where it meets a checkpoint again: nothing forbids one that is its own ancestor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from langchain_google_memorystore_redis._checkpoint.contents import CachedContent
from langchain_google_memorystore_redis._checkpoint.keys import ThreadKeys
from langchain_google_memorystore_redis._checkpoint.names import escape
from langchain_google_memorystore_redis._checkpoint.pages import (
    CheckpointAddress,
    CheckpointPage,
    NameRange,
)
from langchain_google_memorystore_redis._checkpoint.thread_cache import CachedThread
from langchain_google_memorystore_redis._checkpoint.values import Serializer, ValueDecoder
from langchain_google_memorystore_redis._redis.op import Flow, ask
from langchain_google_memorystore_redis._redis.scripts import Script

ANCESTORS_PER_PAGE = 500
"""Ancestors that one round trip visits at the most."""

ANCESTOR_BYTES_PER_PAGE = 1_000_000
"""Size at which a page ends, however few ancestors it holds."""

_MIN_HELD_BYTES = 128
"""Size from which on delta_history.lua looks whether a write is held."""

_DELTA_HISTORY = Script(__package__, "delta_history", begin=("_records", "_replies"))


def delta_history(
    keys: ThreadKeys,
    serde: Serializer,
    address: CheckpointAddress,
    channels: Sequence[str],
    thread: CachedThread,
) -> Flow[dict[str, Any]]:
    """Return seed and writes of each channel, oldest first, at an address.

    A write is no content, since an ancestor may get one later: the server names all that there are,
    and replies with the hash of one that the process holds.
    """
    histories: dict[str, dict[str, Any]] = {channel: {"writes": []} for channel in channels}
    missing, visited = set(channels), set[bytes]()
    has_more = bool(missing)
    held = _HeldContents(thread)
    start = NameRange.from_ids(address.namespace, address.checkpoint_id)
    while has_more:
        limits = (ANCESTORS_PER_PAGE, ANCESTOR_BYTES_PER_PAGE, len(held.claims), *held.claims)
        args = (start.high, start.low, *limits, *sorted(map(escape, missing)))
        decode = partial(CheckpointPage.from_reply, address.thread_id)
        page = yield from ask(_DELTA_HISTORY.op(keys, args, decode))
        held.exchange_writes(page.named, serde)
        writes = page.writes()
        has_more = page.has_more and visited.isdisjoint(page.names)
        for name in (each for each in page.names if each not in visited):
            visited.add(name)
            for write in reversed(writes[name]):
                if write.channel in missing:
                    with page.decoding(name):
                        decoded = write.decode(serde)
                    histories[write.channel]["writes"].append(decoded)
            seeds = held.decode_seeds(page, name, missing, serde) if name in page.named else {}
            for channel, seed in seeds.items():
                histories[channel]["seed"] = seed
            missing -= seeds.keys()
        if page.names:
            start = NameRange.from_name(page.names[-1])
    thread.learn(held.contents, held.fields, is_all=True)
    for history in histories.values():
        history["writes"].reverse()
    return histories


class _HeldContents:
    """Seeds and large writes that the process holds, and those that it has read.

    Args:
        thread: what the process holds of the deltas of a namespace.
    """

    def __init__(self, thread: CachedThread) -> None:
        fields, self._cached = thread.recall()
        self._writes = {
            b"=w" + each[1:].hex().encode(): each for each in fields if each[:1] == b"w"
        }
        seeds = [each for each in fields if each[:1] != b"w"]
        self.claims = [*(mark[1:] for mark in self._writes), *seeds]
        """Contents that the server need not send."""
        self.contents: dict[bytes, CachedContent] = {}
        """Contents that were read or used."""
        self.fields: list[bytes] = []
        """Fields of the seeds and of the writes."""

    def exchange_writes(self, named: dict[bytes, bytes], serde: Serializer) -> None:
        """Put the writes that are held in the place of their hashes."""
        for name, raw in named.items():
            if name[:1] != b"w":
                continue
            field = self._writes.get(raw)
            if field is not None:
                self.contents[field] = self._cached[field]
                named[name] = self._cached[field].content or b""
            elif len(raw) >= _MIN_HELD_BYTES:
                field = b"w" + hashlib.sha1(raw, usedforsecurity=False).digest()[:16]
                self.contents[field] = CachedContent(serde, len(raw), raw)
            if field is not None:
                self.fields.append(field)

    def decode_seeds(
        self, page: CheckpointPage, name: bytes, channels: set[str], serde: Serializer
    ) -> dict[str, Any]:
        """Return the values that a checkpoint has of some channels."""
        values = page.record(name).values
        found = {channel: values[channel] for channel in channels & values.keys()}
        decoder = ValueDecoder(serde, page.values, self._cached)
        with page.decoding(name):
            seeds = decoder.decode(found)
        self.contents |= decoder.decoded
        self.fields += found.values()
        return seeds
