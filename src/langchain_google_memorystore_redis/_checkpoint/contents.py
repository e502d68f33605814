"""Contents of fields as a process holds them, and the states of messages.

Strategy: the attributes of a message are packed in C, in less time than the serializer takes to
encode it, so that a message that was edited in place has another state. What cannot be packed
exactly has no state, and is held as the bytes that the serializer made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, TypeAlias

import ormsgpack
from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.model_parts import (
    new,
    set_extra,
    set_fields_set,
    set_private,
    set_values,
)

State: TypeAlias = tuple[type[BaseMessage], bytes]
"""Class and packed attributes of a message."""

_EXACT = (
    ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
"""Refuses all but None, booleans, numbers, text, bytes, and lists and dicts of these."""

_OVERHEAD_BYTES = 600
"""Size of Python's own objects for a content."""


@cache
def _is_message_class(cls: type) -> bool:
    """Return whether a class is one of LangChain's messages; others may hold more than fields."""
    return issubclass(cls, BaseMessage) and cls.__module__.startswith("langchain_core.messages.")


def state_of(value: Any) -> State | None:
    """Return the state of a message; None for any other value, or if it cannot be exact."""
    cls: Any = type(value)
    if not _is_message_class(cls) or value.__pydantic_extra__ or value.__pydantic_private__:
        return None
    try:
        return cls, ormsgpack.packb(value.__dict__, option=_EXACT)
    except TypeError:
        return None


@lru_cache(1024)
def _share(names: frozenset[str]) -> frozenset[str]:
    """Return an equal set, the same for most messages."""
    return names


@dataclass(frozen=True, slots=True)
class CachedContent:
    """Content of a field, as the serializer's bytes or as a message."""

    serde: Any
    """The serializer, which lives as long, so that its id is its own."""
    size: int
    """Bytes of the content, even if it is held as a message."""
    content: bytes | None
    """None if it is held as a message."""
    states: tuple[State, ...] = ()
    """States of the messages that are stored so; first that of the decoded one."""
    fields_set: frozenset[str] | None = None
    """Names of the fields that are set in the decoded message; None if it is held as bytes."""

    @classmethod
    def from_decoded(cls, serde: Any, content: bytes, value: Any) -> CachedContent:
        """Return the content from which a value was decoded."""
        state = state_of(value)
        if state is None:
            return cls(serde, len(content), content)
        fields_set = _share(frozenset(value.__pydantic_fields_set__))
        return cls(serde, len(content), None, (state,), fields_set)

    @property
    def bytes_held(self) -> int:
        """Size in memory, approximately."""
        states = sum(len(packed) for _, packed in self.states)
        return len(self.content or b"") + states + _OVERHEAD_BYTES

    def restore(self) -> BaseMessage:
        """Return a new message, which shares nothing mutable with any other."""
        cls, packed = self.states[0]
        message = new(cls)
        set_values(message, ormsgpack.unpackb(packed))
        set_fields_set(message, set(self.fields_set or ()))
        set_extra(message, {})
        set_private(message, None)
        return message
