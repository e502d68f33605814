"""History of delta channels, from which LangGraph makes their values.

Strategy: a delta channel is stored as the writes to it, and now and then as a value. The server
walks from a checkpoint to its ancestors until one has a value of the channel: that value is the
seed, and the writes found on the way follow it, those stored beside the seed included. The walk
ends where it meets a checkpoint again: nothing forbids one that is its own ancestor.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from langchain_google_memorystore_redis._checkpoint.keys import ThreadKeys
from langchain_google_memorystore_redis._checkpoint.names import escape
from langchain_google_memorystore_redis._checkpoint.pages import CheckpointPage, NameRange
from langchain_google_memorystore_redis._checkpoint.values import Serializer, ValueDecoder
from langchain_google_memorystore_redis._redis.op import Flow, ask
from langchain_google_memorystore_redis._redis.scripts import Script

ANCESTORS_PER_PAGE = 500
"""Ancestors that one round trip visits at the most."""

ANCESTOR_BYTES_PER_PAGE = 1_000_000
"""Size at which a page ends, however few ancestors it holds."""

_DELTA_HISTORY = Script(__package__, "delta_history", begin=("_records", "_replies"))


def delta_history(
    thread_id: str,
    keys: ThreadKeys,
    serde: Serializer,
    start: NameRange,
    channels: Sequence[str],
) -> Flow[dict[str, Any]]:
    """Return seed and writes of each channel, oldest first, at the newest checkpoint of `start`."""
    histories: dict[str, dict[str, Any]] = {channel: {"writes": []} for channel in channels}
    missing, visited = set(channels), set[bytes]()
    has_more = bool(missing)
    while has_more:
        limits = (ANCESTORS_PER_PAGE, ANCESTOR_BYTES_PER_PAGE)
        args = (start.high, start.low, *limits, *sorted(map(escape, missing)))
        decode = partial(CheckpointPage.from_reply, thread_id)
        page = yield from ask(_DELTA_HISTORY.op(keys, args, decode))
        writes = page.writes()
        has_more = page.has_more and visited.isdisjoint(page.names)
        for name in (each for each in page.names if each not in visited):
            visited.add(name)
            for write in reversed(writes[name]):
                if write.channel in missing:
                    with page.decoding(name):
                        decoded = write.decode(serde)
                    histories[write.channel]["writes"].append(decoded)
            fields = page.record(name).values
            found = {channel: fields[channel] for channel in missing & fields.keys()}
            with page.decoding(name):
                seeds = ValueDecoder(serde, page.values).decode(found)
            for channel, seed in seeds.items():
                histories[channel]["seed"] = seed
            missing -= seeds.keys()
        if page.names:
            start = NameRange.from_name(page.names[-1])
    for history in histories.values():
        history["writes"].reverse()
    return histories
