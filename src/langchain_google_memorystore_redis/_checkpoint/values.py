"""Encoding of channels' values, each stored under the hash of its bytes.

Strategy: a value is one field of a thread's hash, `e` and the hash of its bytes, so that equal
values of any channel, namespace or checkpoint are stored once. A list, such as the messages of a
chat, is a field `l` that names the fields of its elements, and a group of 32 elements is such a
list too: the next version of a growing list adds its new elements and a few names. A serializer
turns values to bytes and back; everything else works on names alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from langchain_google_memorystore_redis._checkpoint.names import escape, unescape

FIELD_BYTES = 17
"""Size of a value's field: its kind and its hash."""

_GROUP_ELEMENTS = 32
"""Elements of a list that are replaced by the field of their group."""

_MIN_ELEMENT_BYTES = 128
"""Average size at which an element is worth its own field of about 90 bytes and a name."""

_MAX_ELEMENTS = 100_000
"""Longest list stored by element: Redis 5 takes 2^20 arguments, and an element needs two."""

_MAX_REPETITION = 4
"""Size of a list stored by element, in sizes of its distinct elements, at the most.

The same holds for all values of a checkpoint that is read, if they are large, so that they cannot
decode to many times what was read.
"""

_MAX_REPEATED_BYTES = 16 << 20
"""Size up to which the values of a checkpoint may name the same elements any number of times."""


class Serializer(Protocol):
    """Interface of a saver's serializer."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Return the type and the bytes of a value."""
        ...

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Return the value of what `dumps_typed` returned."""
        ...


def dump(serde: Serializer, value: Any) -> bytes:
    """Encode a value as its type and its bytes."""
    kind, payload = serde.dumps_typed(value)
    return escape(kind) + b"\0" + payload


def load(serde: Serializer, raw: bytes) -> Any:
    """Decode what `dump` returned, a new object every time; raises `ValueError`."""
    kind, separator, payload = raw.partition(b"\0")
    if not separator:
        raise ValueError("a value without its type")
    try:
        return serde.loads_typed((unescape(kind), payload))
    except Exception as error:  # a serializer of anyone's, on bytes of anyone's
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _field(kind: bytes, content: bytes) -> bytes:
    """Return the field of some content, which depends on its bytes alone."""
    return kind + hashlib.blake2b(content, digest_size=FIELD_BYTES - 1).digest()


def encode_value(serde: Serializer, value: Any) -> tuple[bytes, dict[bytes, bytes]]:
    """Encode a value; returns its field, and the content of all fields it is stored in."""
    if type(value) is list and 1 < len(value) <= _MAX_ELEMENTS:
        elements = [dump(serde, each) for each in value]
        fields = [_field(b"e", each) for each in elements]
        stored = dict(zip(fields, elements, strict=True))
        size = sum(map(len, elements))
        most = _MAX_REPETITION * sum(map(len, stored.values()))
        if _MIN_ELEMENT_BYTES * len(elements) <= size <= most:
            return _encode_list(fields, stored), stored
    content = dump(serde, value)
    field = _field(b"e", content)
    return field, {field: content}


def _encode_list(fields: Sequence[bytes], stored: dict[bytes, bytes]) -> bytes:
    """Add the list of some fields and its groups to what is stored; returns the list's field."""
    grouped = len(fields) - len(fields) % _GROUP_ELEMENTS
    firsts = range(0, grouped, _GROUP_ELEMENTS)
    groups = [b"".join(fields[first : first + _GROUP_ELEMENTS]) for first in firsts]
    whole = b"".join([*(_field(b"l", group) for group in groups), *fields[grouped:]])
    stored |= {_field(b"l", names): names for names in (*groups, whole)}
    return _field(b"l", whole)


def to_stored(contents: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return contents as they are stored: the name of a sweep may come before the colon."""
    return {field: b":" + content for field, content in contents.items()}


def from_stored(raw: bytes) -> bytes:
    """Return the content of a field; empty for what no saver has stored."""
    return raw.partition(b":")[2]


def split_fields(content: bytes) -> list[bytes]:
    """Return the fields that a list names, in order."""
    return [content[at : at + FIELD_BYTES] for at in range(0, len(content), FIELD_BYTES)]


def decode_values(
    serde: Serializer, fields: Mapping[str, bytes], stored: Mapping[bytes, bytes]
) -> dict[str, Any]:
    """Decode the values in some fields, new objects every time; raises `ValueError`.

    The work is bounded by what was read, whatever it is: fields and lists that name the same
    elements again and again, lists that contain themselves.
    """
    elements, contents = _find_elements(fields, stored)
    size = sum(len(contents[each]) for parts in elements.values() for each in parts)
    distinct = sum(len(content) for field, content in contents.items() if field[:1] == b"e")
    if size > max(_MAX_REPETITION * distinct, _MAX_REPEATED_BYTES):
        raise ValueError("its values repeat the same elements too often")
    decoded = {}
    for key, field in fields.items():
        values = [load(serde, contents[each]) for each in elements[key]]
        decoded[key] = values[0] if field[:1] == b"e" else values
    return decoded


def _find_elements(
    fields: Mapping[str, bytes], stored: Mapping[bytes, bytes]
) -> tuple[dict[str, list[bytes]], dict[bytes, bytes]]:
    """Return the fields of each value's elements in order, and the content of all fields."""
    elements: dict[str, list[bytes]] = {}
    contents: dict[bytes, bytes] = {}
    named = distinct = 0
    for key, field in fields.items():
        elements[key], pending = [], [field]
        while pending:
            name = pending.pop()
            is_new = name not in contents
            if is_new:
                contents[name] = _content(name, stored)
            if name[:1] == b"e":
                elements[key].append(name)
                continue
            names = split_fields(contents[name])
            named += len(names)
            distinct += is_new and len(names)
            if named > max(_MAX_REPETITION * distinct, 2 * _MAX_ELEMENTS):
                raise ValueError("its lists name the same elements too often")
            pending += reversed(names)
    return elements, contents


def _content(field: bytes, stored: Mapping[bytes, bytes]) -> bytes:
    content = from_stored(stored.get(field, b""))
    if not content:
        raise ValueError(f"the value in field {field.hex()} is missing or corrupt")
    return content
