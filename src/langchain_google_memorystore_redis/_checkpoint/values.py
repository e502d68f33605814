"""Values of channels, each stored under the hash of its bytes, and how they are decoded.

Strategy: a value is one field of a thread's hash, `e` and the hash of its bytes, so that equal
values of any channel, namespace or checkpoint are stored once. A list, such as the messages of a
chat, is a field `l` that names the fields of its elements, and of groups of them (`encoding.py`).
A serializer turns values to bytes and back; everything else works on names alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from langchain_google_memorystore_redis._checkpoint.contents import CachedContent
from langchain_google_memorystore_redis._checkpoint.names import escape, unescape
from langchain_google_memorystore_redis.errors import MissingExtraError

FIELD_BYTES = 17
"""Size of a value's field: its kind and its hash."""

LIST_KINDS = (b"l",)
"""First bytes of the fields that name others."""

MAX_ELEMENTS = 100_000
"""Longest list stored by element: Redis 5 takes 2^20 arguments, and an element needs two."""

MAX_REPETITION = 4
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
    except MissingExtraError:
        raise
    except Exception as error:  # a serializer of anyone's, on bytes of anyone's
        raise ValueError(f"{type(error).__name__}: {error}") from error


def field_of(kind: bytes, content: bytes) -> bytes:
    """Return the field of some content, which depends on its bytes alone."""
    return kind + hashlib.blake2b(content, digest_size=FIELD_BYTES - 1).digest()


def to_stored(contents: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return contents as they are stored: the name of a sweep may come before the colon."""
    return {field: b":" + content for field, content in contents.items()}


def from_stored(raw: bytes) -> bytes:
    """Return the content of a field; empty for what no saver has stored."""
    return raw.partition(b":")[2]


def split_fields(content: bytes) -> list[bytes]:
    """Return the fields that a list names, in order."""
    return [content[at : at + FIELD_BYTES] for at in range(0, len(content), FIELD_BYTES)]


@dataclass(frozen=True, slots=True)
class ValueDecoder:
    """Decoder of the values of checkpoints that were read.

    The work is bounded by what was read, whatever it is: fields and lists that name the same
    elements again and again, lists that contain themselves.
    """

    serde: Serializer
    stored: Mapping[bytes, bytes]
    """Contents that were read, as they are stored."""
    cached: Mapping[bytes, CachedContent] = field(default_factory=dict)
    """Contents that the process held."""
    decoded: dict[bytes, CachedContent] = field(default_factory=dict)
    """Contents that the process may hold now."""

    def decode(self, fields: Mapping[str, bytes]) -> dict[str, Any]:
        """Decode the values in some fields, new objects every time; raises `ValueError`."""
        elements, sizes = self._find_elements(fields)
        size = sum(sizes[each] for parts in elements.values() for each in parts)
        distinct = sum(size for name, size in sizes.items() if name[:1] == b"e")
        if size > max(MAX_REPETITION * distinct, _MAX_REPEATED_BYTES):
            raise ValueError("its values repeat the same elements too often")
        decoded = {}
        for key, name in fields.items():
            values = list(map(self._decode_element, elements[key]))
            decoded[key] = values[0] if name[:1] == b"e" else values
        return decoded

    def _decode_element(self, name: bytes) -> Any:
        cached = self.cached.get(name)
        if cached is not None and cached.fields_set is not None:
            return cached.restore()
        content = self._content(name)
        value = load(self.serde, content)
        self.decoded[name] = CachedContent.from_decoded(self.serde, content, value)
        return value

    def _find_elements(
        self, fields: Mapping[str, bytes]
    ) -> tuple[dict[str, list[bytes]], dict[bytes, int]]:
        """Return the fields of each value's elements in order, and the sizes of all contents."""
        elements: dict[str, list[bytes]] = {}
        sizes: dict[bytes, int] = {}
        named = distinct = 0
        for key, whole in fields.items():
            elements[key], pending = [], [whole]
            while pending:
                name = pending.pop()
                is_new = name not in sizes
                if name[:1] == b"e":
                    if is_new:
                        cached = self.cached.get(name)
                        sizes[name] = cached.size if cached else len(self._content(name))
                    elements[key].append(name)
                    continue
                content = self._content(name)
                if is_new:
                    sizes[name] = len(content)
                    self.decoded[name] = CachedContent(self.serde, len(content), content)
                names = split_fields(content)
                named += len(names)
                distinct += is_new and len(names)
                if named > max(MAX_REPETITION * distinct, 2 * MAX_ELEMENTS):
                    raise ValueError("its lists name the same elements too often")
                pending += reversed(names)
        return elements, sizes

    def _content(self, name: bytes) -> bytes:
        cached = self.cached.get(name)
        if cached is not None and cached.content is not None:
            return cached.content
        content = from_stored(self.stored.get(name, b""))
        if not content:
            raise ValueError(f"the value in field {name.hex()} is missing or corrupt")
        return content
