r"""Checkpoints to bytes and back: names inside a thread's two keys, records, values and writes.

Strategy: everything of a thread is a field of one hash, and the ordered names are members of one
sorted set as well. A name is components with \x01 between them; ids are escaped so that they
hold neither \x00 nor \x01 and still sort as they did. What a user stores goes through the
serializer of the saver, and nothing else here depends on LangGraph.

A list, such as the messages of a chat, is stored element by element under the hash of its bytes,
and so are the hashes of each 32 elements. The next version of a growing list then adds what is
new to it, and a few hashes for all the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from langchain_google_memorystore_redis.errors import InvalidArgumentError

_DIGEST = 16
"""Bytes of a hash: enough that nobody finds two elements with the same."""

_GROUP = 32
"""Elements of a list that are referred to together, once there are as many."""

_LEAST_ELEMENT = 128
"""Average bytes of an element that is worth an entry of its own (about 90 bytes, and its hash)."""


_MOST_ELEMENTS = 100_000
"""Of a list that is stored element by element; Redis 5 takes 2^20 arguments, and two are needed."""


class Serializer(Protocol):
    """What a saver's serializer offers."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """A value as a type and bytes."""
        ...

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """What `dumps_typed` was given."""
        ...


def escape(text: str) -> bytes:
    r"""Text without \x00 and \x01; the order of two texts, and of one and its prefix, stays."""
    if text.isprintable():
        return text.encode()
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        # LangGraph's serializer would store it as a question mark, so what came back were another.
        raise InvalidArgumentError(
            "id, namespace, channel or path", "holds a lone surrogate, which UTF-8 cannot carry"
        ) from error
    return raw.replace(b"\2", b"\2\4").replace(b"\1", b"\2\3").replace(b"\0", b"\2\2")


def unescape(raw: bytes) -> str:
    """What `escape` was given."""
    if b"\2" not in raw:
        return raw.decode()
    return raw.replace(b"\2\2", b"\0").replace(b"\2\3", b"\1").replace(b"\2\4", b"\2").decode()


def checkpoint_name(namespace: str, checkpoint_id: str) -> bytes:
    """The name of a checkpoint: a field, and a member of the index."""
    return b"c%b\1%b" % (escape(namespace), escape(checkpoint_id))


def write_name(namespace: str, checkpoint_id: str, task_id: str, index: int) -> bytes:
    """The name of a pending write: a field, and a member of the index."""
    name = checkpoint_name(namespace, checkpoint_id)[1:]
    return b"w%b\1%b\1%d" % (name, escape(task_id), index)


def channel_name(channel: str, version: Any) -> bytes:
    """A version of a channel, as a record refers to it; 1 and "1" are two versions."""
    return b"%b\1%b" % (escape(channel), escape(repr(version)))


def value_name(namespace: str, name: bytes) -> bytes:
    """The field that holds the value of a channel's version."""
    return b"v%b\1%b" % (escape(namespace), name)


def _typed(serde: Serializer, value: Any) -> bytes:
    kind, payload = serde.dumps_typed(value)
    return escape(kind) + b"\0" + payload


def _untyped(serde: Serializer, raw: bytes) -> Any:
    kind, _, payload = raw.partition(b"\0")
    return serde.loads_typed((unescape(kind), payload))


def _element(part: bytes) -> tuple[bytes, bytes]:
    """The field that an element is stored under, which its bytes alone decide."""
    return b"e" + hashlib.blake2b(part, digest_size=_DIGEST).digest(), part


def _row(elements: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A list, as the hashes of its elements."""
    return b"L" + b"".join(field[1:] for field, _ in elements)


def encode_value(serde: Serializer, value: Any) -> tuple[bytes, dict[bytes, bytes]]:
    """What to store for a value, and the elements it refers to, by field."""
    if type(value) is list and 1 < len(value) <= _MOST_ELEMENTS:
        parts = [_element(b"V" + _typed(serde, one)) for one in value]
        if sum(len(part) for _, part in parts) >= _LEAST_ELEMENT * len(parts):
            whole = len(parts) - len(parts) % _GROUP
            firsts = range(0, whole, _GROUP)
            groups = [_element(_row(parts[first : first + _GROUP])) for first in firsts]
            return _row([*groups, *parts[whole:]]), dict([*groups, *parts])
    return b"V" + _typed(serde, value), {}


def decode_value(serde: Serializer, raw: bytes, fields: Mapping[bytes, bytes]) -> Any:
    """The value stored as `raw`; every call makes a new one."""
    if raw[:1] == b"V":
        return _untyped(serde, raw[1:])
    return [_untyped(serde, part[1:]) for part in _parts(raw, fields)]


def _parts(raw: bytes, fields: Mapping[bytes, bytes]) -> Iterator[bytes]:
    for at in range(1, len(raw), _DIGEST):
        part = fields[b"e" + raw[at : at + _DIGEST]]
        if part[:1] == b"L":
            yield from _parts(part, fields)
        else:
            yield part


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored of a checkpoint besides the values of its channels."""

    parent_id: str
    """Empty for none."""
    run_id: str
    """Empty for none."""
    deltas: tuple[str, ...]
    """Channels whose value is made from writes of ancestors (LangGraph's delta channels)."""
    channels: tuple[bytes, ...]
    """`channel_name` of every channel."""
    checkpoint: bytes
    metadata: bytes

    def encode(self) -> bytes:
        """A head that the scripts can read, then what only the serializer can."""
        deltas = b"\1".join(map(escape, self.deltas))
        marks = (b"p" + escape(self.parent_id), b"r" + escape(self.run_id), b"d" + deltas)
        head = b"\0".join((*marks, *(b"v" + name for name in self.channels)))
        size = b"%d\0" % len(self.checkpoint)
        return b"%b\0\0%b%b%b" % (head, size, self.checkpoint, self.metadata)

    @classmethod
    def decode(cls, raw: bytes) -> Record:
        """What `encode` made."""
        head, _, body = raw.partition(b"\0\0")
        parent, run, deltas, *channels = head.split(b"\0")
        size, _, both = body.partition(b"\0")
        names = tuple(unescape(name) for name in deltas[1:].split(b"\1") if name)
        ids = unescape(parent[1:]), unescape(run[1:])
        versions = tuple(name[1:] for name in channels)
        return cls(*ids, names, versions, both[: int(size)], both[int(size) :])


def encode_record(
    serde: Serializer,
    checkpoint: Mapping[str, Any],
    metadata: Mapping[str, Any],
    parent_id: str,
    channels: Iterable[bytes],
) -> bytes:
    """The record of a checkpoint with these versions of channels."""
    values = checkpoint["channel_values"]
    rest = {name: part for name, part in checkpoint.items() if name != "channel_values"}
    deltas = metadata.get("counters_since_delta_snapshot") or ()
    run_id = metadata.get("run_id")
    return Record(
        parent_id,
        run_id if isinstance(run_id, str) else "",
        tuple(channel for channel in deltas if channel not in values),
        tuple(channels),
        _typed(serde, rest),
        _typed(serde, metadata),
    ).encode()


def decode_metadata(serde: Serializer, record: Record) -> Any:
    """The metadata of a checkpoint."""
    return _untyped(serde, record.metadata)


def decode_values(
    serde: Serializer, record: Record, namespace: str, fields: Mapping[bytes, bytes]
) -> dict[str, Any]:
    """The values of those channels that have one."""
    values = {}
    for name in record.channels:
        raw = fields.get(value_name(namespace, name))
        if raw is not None:
            values[unescape(name.partition(b"\1")[0])] = decode_value(serde, raw, fields)
    return values


def decode_checkpoint(serde: Serializer, record: Record, values: Mapping[str, Any]) -> Any:
    """A checkpoint as it was put."""
    return {**_untyped(serde, record.checkpoint), "channel_values": values}


@dataclass(frozen=True, slots=True, order=True)
class Write:
    """A pending write, in the order in which LangGraph applies them."""

    task_path: str
    task_id: str
    index: int
    channel: str
    raw: bytes

    def decode(self, serde: Serializer) -> tuple[str, str, Any]:
        """Task, channel and value; every call makes a new one."""
        return self.task_id, self.channel, _untyped(serde, self.raw)


def encode_write(serde: Serializer, task_path: str, channel: str, value: Any) -> bytes:
    """What to store for a pending write under its name."""
    return b"%b\0%b\0%b" % (escape(task_path), escape(channel), _typed(serde, value))


def decode_write(name: bytes, raw: bytes) -> Write:
    """The write stored under a name."""
    task_id, index = name.rsplit(b"\1", 2)[1:]
    task_path, channel, value = raw.split(b"\0", 2)
    return Write(unescape(task_path), unescape(task_id), int(index), unescape(channel), value)
