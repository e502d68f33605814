"""History of delta channels, from which LangGraph makes their values.

Strategy: a delta channel is stored as the writes to it, and now and then as a value. The server
walks from a checkpoint to its ancestors until one has a value of the channel: that value is the
seed, and the writes found on the way follow it, those stored beside the seed included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_google_memorystore_redis._checkpoint.codec import Record, Serializer, escape
from langchain_google_memorystore_redis._checkpoint.keys import ThreadKeys
from langchain_google_memorystore_redis._checkpoint.pages import CheckpointPage, NameRange
from langchain_google_memorystore_redis._redis.op import Flow, ask
from langchain_google_memorystore_redis._redis.scripts import Script

ANCESTORS_PER_PAGE = 500
"""Ancestors that one round trip visits at the most."""

_DELTA_HISTORY = Script(__package__, "delta_history")


def delta_history(
    keys: ThreadKeys, serde: Serializer, start: NameRange, channels: Sequence[str]
) -> Flow[dict[str, Any]]:
    """Return seed and writes of each channel, oldest first, at the newest checkpoint of `start`."""
    histories: dict[str, dict[str, Any]] = {channel: {"writes": []} for channel in channels}
    missing = set(channels)
    has_more = bool(missing)
    while has_more:
        args = (start.high, start.low, ANCESTORS_PER_PAGE, *sorted(map(escape, missing)))
        page = yield from ask(_DELTA_HISTORY.op(keys, args, CheckpointPage.from_reply))
        for name in page.names:
            for write in sorted(page.writes.get(name, ()), reverse=True):
                if write.channel in missing:
                    histories[write.channel]["writes"].append(write.decode(serde))
            values = page.decode_values(serde, Record.decode(page.fields[name]), name)
            for channel in missing & values.keys():
                histories[channel]["seed"] = values[channel]
                missing.remove(channel)
        has_more = page.has_more
        if page.names:
            start = NameRange.from_name(page.names[-1])
    for history in histories.values():
        history["writes"].reverse()
    return histories
