"""Copies of messages, made without decoding them again.

Strategy: text and numbers are immutable, so copies share them; everything else of a message is
copied. `dict.copy` copies the attributes; lists and dicts among them are written with `marshal`,
which stays in memory and is the fastest deep copy of plain values in Python. The loops run in C
(docs/decisions/read_cache.md).
"""

from __future__ import annotations

import marshal
from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from sys import getsizeof
from typing import Any

from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.model_parts import (
    new,
    set_extra,
    set_fields_set,
    set_private,
    set_values,
)

_IMMUTABLE = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class MessageSnapshot:
    """Source of copies of some messages; never handed to a caller."""

    classes: list[type[BaseMessage]]
    values: list[dict[str, Any]]
    """The attributes of each message, with None for those that are mutable."""
    fields_set: list[frozenset[str]]
    mutable_at: dict[str, array[int]]
    """By attribute name, the indexes of the messages in which the attribute is mutable."""
    marshalled: bytes
    """The mutable attributes by name, and the extra fields by message index."""
    size: int
    """Bytes, approximately."""

    @property
    def count(self) -> int:
        """Number of messages."""
        return len(self.classes)


def take_snapshot(messages: Sequence[BaseMessage]) -> MessageSnapshot | None:
    """Return a snapshot of messages; None if one is nested too deeply for `marshal`."""
    values: list[dict[str, Any]] = []
    mutable_at: dict[str, array[int]] = {}
    mutable: dict[str, list[Any]] = {}
    for index, message in enumerate(messages):
        shared = {}
        for name, value in message.__dict__.items():
            if type(value) in _IMMUTABLE:
                shared[name] = value
            else:
                shared[name] = None
                mutable_at.setdefault(name, array("I")).append(index)
                mutable.setdefault(name, []).append(value)
        values.append(shared)
    extras = ((index, message.__pydantic_extra__) for index, message in enumerate(messages))
    extra = {index: fields for index, fields in extras if fields}
    try:
        marshalled = marshal.dumps((mutable, extra))
    except ValueError:
        return None
    classes = [type(message) for message in messages]
    size = sum(map(getsizeof, (marshalled, *mutable_at.values(), *values))) + _text_size(values)
    return MessageSnapshot(classes, values, _fields_set(messages), mutable_at, marshalled, size)


def _text_size(values: Iterable[dict[str, Any]]) -> int:
    each = (value for shared in values for value in shared.values())
    return sum(getsizeof(value) for value in each if type(value) is str)


def _fields_set(messages: Iterable[BaseMessage]) -> list[frozenset[str]]:
    distinct: dict[frozenset[str], frozenset[str]] = {}  # few differ: messages share equal ones
    sets = (frozenset(message.__pydantic_fields_set__) for message in messages)
    return [distinct.setdefault(names, names) for names in sets]


def restore_messages(snapshot: MessageSnapshot) -> list[BaseMessage]:
    """Return new messages, which share nothing mutable with any others."""
    mutable, extra = marshal.loads(snapshot.marshalled)  # noqa: S302 (never leaves the process)
    values = list(map(dict.copy, snapshot.values))
    for name, attributes in mutable.items():
        for index, value in zip(snapshot.mutable_at[name], attributes, strict=True):
            values[index][name] = value
    messages: list[BaseMessage] = list(map(new, snapshot.classes))
    extras: list[dict[str, Any]] = [{} for _ in messages]
    for index, fields in extra.items():
        extras[index] = fields
    for pairs in (
        map(set_values, messages, values),
        map(set_fields_set, messages, map(set, snapshot.fields_set)),
        map(set_extra, messages, extras),
        map(set_private, messages, repeat(None)),
    ):
        deque(pairs, maxlen=0)
    return messages
