"""Encoding of channels' values, each stored under the hash of its bytes.

Strategy: a value is one field of a thread's hash, `e` and the hash of its bytes, so that equal
values of any channel, namespace or checkpoint are stored once. A list, such as the messages of a
chat, is a field `l` that names the fields of its elements, and a group of 32 elements is such a
list too: the next version of a growing list adds its new elements and a few names. A serializer
turns values to bytes and back; everything else works on names alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
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

So that a stored list cannot decode to many times what was read.
"""


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
    """Decode what `dump` returned, a new object every time."""
    kind, separator, payload = raw.partition(b"\0")
    if not separator:
        raise ValueError("a value without its type")
    return serde.loads_typed((unescape(kind), payload))


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


def to_stored(fields: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return contents as they are stored: a sweep's name may come before the colon."""
    return {field: b":" + content for field, content in fields.items()}


def from_stored(raw: bytes) -> bytes:
    """Return the content of a value's field."""
    return raw.partition(b":")[2]


def split_fields(content: bytes) -> list[bytes]:
    """Return the fields that a list names, in order."""
    return [content[at : at + FIELD_BYTES] for at in range(0, len(content), FIELD_BYTES)]


def decode_value(serde: Serializer, field: bytes, contents: Mapping[bytes, bytes]) -> Any:
    """Decode the value in a field, a new object every time; raises `ValueError`."""
    if field[:1] == b"e":
        return load(serde, _content(field, contents))
    return [load(serde, each) for each in _elements(field, contents)]


def _elements(field: bytes, contents: Mapping[bytes, bytes]) -> list[bytes]:
    """Return the elements of a list in order, those of its groups included.

    The work is bounded whatever is stored: lists that contain themselves, or that name the same
    elements again and again.
    """
    found: list[bytes] = []
    pending, named = [field], 1
    while pending:
        name = pending.pop()
        content = _content(name, contents)
        if name[:1] == b"e":
            found.append(content)
            continue
        names = split_fields(content)
        named += len(names)
        if named > 2 * _MAX_ELEMENTS:
            raise ValueError(f"a list of more than {_MAX_ELEMENTS:,} elements")
        pending += reversed(names)
    if _total(found) > _MAX_REPETITION * _total({id(each): each for each in found}.values()):
        raise ValueError("a list that names the same elements again and again")
    return found


def _content(field: bytes, contents: Mapping[bytes, bytes]) -> bytes:
    try:
        return contents[field]
    except KeyError:
        raise ValueError(f"a value without the field {field.hex()}") from None


def _total(parts: Iterable[bytes]) -> int:
    return sum(map(len, parts))
