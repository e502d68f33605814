r"""Encoding of checkpoints: the names of what a thread stores, its records, values and writes.

Strategy: all of a thread are fields of one hash, and the names that have an order are members of
one sorted set too; a name joins its components, escaped so that they still sort, with \x01. A list,
such as the messages of a chat, is stored element by element under the hash of its bytes, and so are
the hashes of each 32 elements: the next version of a growing list adds its new elements and a few
hashes. Users' values go through the saver's serializer; nothing else here depends on LangGraph.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from langchain_google_memorystore_redis.errors import InvalidArgumentError

_HASH_BYTES = 16
"""Size of a hash: large enough that nobody finds two elements with the same one."""

_GROUP_ELEMENTS = 32
"""Elements of a list that are replaced by the hash of their hashes."""

_MIN_ELEMENT_BYTES = 128
"""Average size at which an element is worth its own field of about 90 bytes and a hash."""

_MAX_ELEMENTS = 100_000
"""Longest list stored by element: Redis 5 takes 2^20 arguments, and an element needs two."""


class Serializer(Protocol):
    """Interface of a saver's serializer."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Return the type and the bytes of a value."""
        ...

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Return the value of what `dumps_typed` returned."""
        ...


def escape(text: str) -> bytes:
    r"""Encode text without \x00 and \x01, in a way that keeps the order of texts and prefixes."""
    if text.isprintable():
        return text.encode()
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        # LangGraph's serializer would store a question mark instead.
        raise InvalidArgumentError(
            "id, namespace, channel or path", "holds a lone surrogate, which UTF-8 cannot carry"
        ) from error
    return raw.replace(b"\2", b"\2\4").replace(b"\1", b"\2\3").replace(b"\0", b"\2\2")


def unescape(raw: bytes) -> str:
    """Decode what `escape` returned."""
    if b"\2" not in raw:
        return raw.decode()
    return raw.replace(b"\2\2", b"\0").replace(b"\2\3", b"\1").replace(b"\2\4", b"\2").decode()


def checkpoint_name(namespace: str, checkpoint_id: str) -> bytes:
    """Return the name of a checkpoint: a field, and a member of the index."""
    return b"c%b\1%b" % (escape(namespace), escape(checkpoint_id))


def write_name(namespace: str, checkpoint_id: str, task_id: str, index: int) -> bytes:
    """Return the name of a pending write: a field, and a member of the index."""
    name = checkpoint_name(namespace, checkpoint_id)[1:]
    return b"w%b\1%b\1%d" % (name, escape(task_id), index)


def version_name(channel: str, version: Any) -> bytes:
    """Return a record's name for a version of a channel; 1 and "1" are two versions."""
    return b"%b\1%b" % (escape(channel), escape(repr(version)))


def value_name(namespace: str, version: bytes) -> bytes:
    """Return the field that holds the value of a channel at a version, named by `version_name`."""
    return b"v%b\1%b" % (escape(namespace), version)


def _dump(serde: Serializer, value: Any) -> bytes:
    kind, payload = serde.dumps_typed(value)
    return escape(kind) + b"\0" + payload


def _load(serde: Serializer, raw: bytes) -> Any:
    kind, _, payload = raw.partition(b"\0")
    return serde.loads_typed((unescape(kind), payload))


def _element_field(element: bytes) -> bytes:
    """Return the field of an element, which depends on its bytes alone."""
    return b"e" + hashlib.blake2b(element, digest_size=_HASH_BYTES).digest()


def _join_hashes(fields: Iterable[bytes]) -> bytes:
    """Encode a list, or a group of its elements, as the hashes in their fields."""
    return b"L" + b"".join(field[1:] for field in fields)


def encode_value(serde: Serializer, value: Any) -> tuple[bytes, dict[bytes, bytes]]:
    """Encode a value; returns its bytes, and by field the elements that they refer to."""
    if type(value) is list and 1 < len(value) <= _MAX_ELEMENTS:
        elements = [b"V" + _dump(serde, each) for each in value]
        if sum(map(len, elements)) >= _MIN_ELEMENT_BYTES * len(elements):
            return _encode_list(elements)
    return b"V" + _dump(serde, value), {}


def _encode_list(elements: list[bytes]) -> tuple[bytes, dict[bytes, bytes]]:
    fields = [_element_field(element) for element in elements]
    grouped = len(fields) - len(fields) % _GROUP_ELEMENTS
    firsts = range(0, grouped, _GROUP_ELEMENTS)
    groups = [_join_hashes(fields[first : first + _GROUP_ELEMENTS]) for first in firsts]
    group_fields = [_element_field(group) for group in groups]
    # A list comes before the elements that it refers to: put.lua relies on that order.
    stored = zip([*group_fields, *fields], [*groups, *elements], strict=True)
    return _join_hashes([*group_fields, *fields[grouped:]]), dict(stored)


def decode_value(serde: Serializer, raw: bytes, fields: Mapping[bytes, bytes]) -> Any:
    """Decode a value, a new object every time; `fields` hold the elements it refers to."""
    if raw[:1] == b"V":
        return _load(serde, raw[1:])
    return [_load(serde, element[1:]) for element in _elements(raw, fields)]


def _elements(raw: bytes, fields: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """Yield the elements of a list in order, those of its groups included."""
    for start in range(1, len(raw), _HASH_BYTES):
        element = fields[b"e" + raw[start : start + _HASH_BYTES]]
        if element[:1] == b"L":
            yield from _elements(element, fields)
        else:
            yield element


@dataclass(frozen=True, slots=True)
class Record:
    """Stored form of a checkpoint, without the values of its channels."""

    parent_id: str
    """Empty for none."""
    run_id: str
    """Empty for none."""
    delta_channels: tuple[str, ...]
    """LangGraph's delta channels that have no value here: theirs is made from ancestors' writes."""
    versions: tuple[bytes, ...]
    """`version_name` of every channel."""
    checkpoint: bytes
    metadata: bytes

    def encode(self) -> bytes:
        """Encode the record: a head that scripts parse, then what only the serializer can read."""
        deltas = b"\1".join(map(escape, self.delta_channels))
        marks = (b"p" + escape(self.parent_id), b"r" + escape(self.run_id), b"d" + deltas)
        head = b"\0".join((*marks, *(b"v" + version for version in self.versions)))
        size = b"%d\0" % len(self.checkpoint)
        return b"%b\0\0%b%b%b" % (head, size, self.checkpoint, self.metadata)

    @classmethod
    def decode(cls, raw: bytes) -> Record:
        """Decode what `encode` returned."""
        head, _, body = raw.partition(b"\0\0")
        parent, run, deltas, *versions = head.split(b"\0")
        size, _, both = body.partition(b"\0")
        return cls(
            unescape(parent[1:]),
            unescape(run[1:]),
            tuple(unescape(name) for name in deltas[1:].split(b"\1") if name),
            tuple(version[1:] for version in versions),
            both[: int(size)],
            both[int(size) :],
        )


def encode_record(
    serde: Serializer,
    checkpoint: Mapping[str, Any],
    metadata: Mapping[str, Any],
    parent_id: str,
    versions: Iterable[bytes],
) -> bytes:
    """Encode a checkpoint whose channels have these versions, named by `version_name`."""
    values = checkpoint["channel_values"]
    rest = {key: part for key, part in checkpoint.items() if key != "channel_values"}
    deltas = metadata.get("counters_since_delta_snapshot") or ()
    run_id = metadata.get("run_id")
    return Record(
        parent_id,
        run_id if isinstance(run_id, str) else "",
        tuple(channel for channel in deltas if channel not in values),
        tuple(versions),
        _dump(serde, rest),
        _dump(serde, metadata),
    ).encode()


def decode_metadata(serde: Serializer, record: Record) -> Any:
    """Return the metadata of a checkpoint."""
    return _load(serde, record.metadata)


def decode_values(
    serde: Serializer, record: Record, namespace: str, fields: Mapping[bytes, bytes]
) -> dict[str, Any]:
    """Return the values of those channels that have one."""
    values = {}
    for version in record.versions:
        raw = fields.get(value_name(namespace, version))
        if raw is not None:
            values[unescape(version.partition(b"\1")[0])] = decode_value(serde, raw, fields)
    return values


def decode_checkpoint(serde: Serializer, record: Record, values: Mapping[str, Any]) -> Any:
    """Return a checkpoint as it was put."""
    return {**_load(serde, record.checkpoint), "channel_values": values}


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
        return self.task_id, self.channel, _load(serde, self.raw)


def encode_write(serde: Serializer, task_path: str, channel: str, value: Any) -> bytes:
    """Encode a pending write, to be stored under its `write_name`."""
    return b"%b\0%b\0%b" % (escape(task_path), escape(channel), _dump(serde, value))


def decode_write(name: bytes, raw: bytes) -> PendingWrite:
    """Decode the write stored under a name."""
    task_id, index = name.rsplit(b"\1", 2)[1:]
    task_path, channel, value = raw.split(b"\0", 2)
    return PendingWrite(
        unescape(task_path), unescape(task_id), int(index), unescape(channel), value
    )
