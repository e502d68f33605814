"""What LangGraph makes the values of delta channels from.

Strategy: a delta channel is stored as the writes to it, and as a value now and then. Its value at
a checkpoint is made by walking to the parents, on the server, until one has a value of the channel:
that value is the seed, and the writes beside it and beside those passed on the way follow it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_google_memorystore_redis._checkpoint.codec import Record, Serializer, escape
from langchain_google_memorystore_redis._checkpoint.keys import ThreadKeys
from langchain_google_memorystore_redis._checkpoint.pages import Page, Range
from langchain_google_memorystore_redis._redis.op import Flow, ask
from langchain_google_memorystore_redis._redis.scripts import Script

ANCESTORS = 500
"""Ancestors that a round trip walks at the most."""

_ANCESTORS = Script(__package__, "ancestors")


def delta_history(
    keys: ThreadKeys, serde: Serializer, start: Range, channels: Sequence[str]
) -> Flow[dict[str, Any]]:
    """Seed and writes of each channel, oldest first, at the highest checkpoint of a range."""
    found: dict[str, dict[str, Any]] = {channel: {"writes": []} for channel in channels}
    missing = set(channels)
    has_more = bool(missing)
    while has_more:
        wanted = sorted(map(escape, missing))
        args = (start.high, start.low, ANCESTORS, *wanted)
        page = yield from ask(_ANCESTORS.op(keys, args, Page.of))
        for name in page.names:
            for write in sorted(page.writes.get(name, ()), reverse=True):
                if write.channel in missing:
                    found[write.channel]["writes"].append(write.decode(serde))
            values = page.values(serde, Record.decode(page.fields[name]), name)
            for channel in missing & values.keys():
                found[channel]["seed"] = values[channel]
                missing.remove(channel)
        has_more = page.has_more
        if page.names:
            start = Range.of_name(page.names[-1])
    for entry in found.values():
        entry["writes"].reverse()
    return found
