"""Encoding of checkpoints and of pending writes.

Strategy: a checkpoint is a record: a head that scripts parse (`lua/_records.lua`), then what only
the serializer can read. put.lua makes it, because the values that have not changed are taken from
the head of the parent's record, on the server.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from langchain_google_memorystore_redis._checkpoint.names import escape, unescape
from langchain_google_memorystore_redis._checkpoint.values import (
    FIELD_BYTES,
    Serializer,
    ValueDecoder,
    dump,
    load,
    split_fields,
)


class RecordParts(NamedTuple):
    """Parts of a record between which put.lua inserts what it knows."""

    head: bytes
    """Ids, from which lua/_records.lua says what each is for."""
    delta_channels: bytes
    body: bytes


def encode_record(
    serde: Serializer,
    checkpoint: Mapping[str, Any],
    metadata: Mapping[str, Any],
    parent_id: str,
) -> RecordParts:
    """Encode a checkpoint without the values of its channels."""
    rest = {key: part for key, part in checkpoint.items() if key != "channel_values"}
    # A channel without a version was never written to: nothing of it is to be kept.
    deltas = (
        escape(channel)
        for channel in metadata.get("counters_since_delta_snapshot") or ()
        if channel not in checkpoint["channel_values"] and channel in checkpoint["channel_versions"]
    )
    parents = metadata.get("parents")
    top_id = parents.get("") if isinstance(parents, Mapping) else None
    ids = (parent_id, _id(metadata.get("run_id")), _id(top_id))
    head = b"p%b\0r%b\0t%b" % tuple(map(escape, ids))
    both = dump(serde, rest), dump(serde, metadata)
    return RecordParts(head, b"\1".join(deltas), b"%d\0%b%b" % (len(both[0]), *both))


def _id(value: Any) -> str:
    """Return an id found in metadata; empty for none."""
    return str(value) if isinstance(value, (str, int, uuid.UUID)) else ""


@dataclass(frozen=True, slots=True)
class Record:
    """Stored form of a checkpoint, without the values of its channels."""

    parent_id: str
    """Empty for none."""
    values: dict[str, bytes]
    """Field of the value of each channel that has one."""
    checkpoint: bytes
    metadata: bytes

    @classmethod
    def decode(cls, raw: bytes) -> Record:
        """Decode what put.lua stored; raises `ValueError`."""
        head, _, rest = raw.partition(b"\0\0")
        parent, _, _, _, _, *versions = head.split(b"\0")
        channels = [unescape(version[1:].partition(b"\1")[0]) for version in versions]
        end = FIELD_BYTES * len(channels)
        size, _, both = rest[end:].partition(b"\0")
        if not size.isdigit():
            raise ValueError("a checkpoint that cannot be parsed")
        values = dict(zip(channels, split_fields(rest[:end]), strict=True))
        return cls(unescape(parent[1:]), values, both[: int(size)], both[int(size) :])

    def decode_metadata(self, serde: Serializer) -> Any:
        """Return the metadata of the checkpoint."""
        return load(serde, self.metadata)

    def decode_checkpoint(self, decoder: ValueDecoder) -> Any:
        """Return the checkpoint as it was put."""
        rest = load(decoder.serde, self.checkpoint)
        return {**rest, "channel_values": decoder.decode(self.values)}


@dataclass(frozen=True, slots=True, order=True)
class PendingWrite:
    """Write of a task to a channel; they sort in the order in which LangGraph applies them."""

    task_path: str
    task_id: str
    index: int
    channel: str
    raw: bytes

    def decode(self, serde: Serializer) -> tuple[str, str, Any]:
        """Return task, channel and value, a new object every time."""
        return self.task_id, self.channel, load(serde, self.raw)


def encode_write(serde: Serializer, task_path: str, channel: str, value: Any) -> bytes:
    """Encode a pending write, to be stored under its `write_name`."""
    return b"%b\0%b\0%b" % (escape(task_path), escape(channel), dump(serde, value))


def decode_write(name: bytes, raw: bytes) -> PendingWrite:
    """Decode the write stored under a name; raises `ValueError`."""
    task_id, index = name.rsplit(b"\1", 2)[1:]
    task_path, channel, value = raw.split(b"\0", 2)
    return PendingWrite(
        unescape(task_path), unescape(task_id), int(index), unescape(channel), value
    )
