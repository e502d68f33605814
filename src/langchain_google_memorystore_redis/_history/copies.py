"""Copies of messages without decoding them again.

Strategy: text and numbers cannot be changed, so a copy shares them; all else a message consists of
is its own. `dict.copy` copies the attributes, and what lists and dicts are among them is written
with `marshal`, in memory only: the fastest deep copy of plain values that Python has. The loops run
in C (docs/decisions/read_cache.md).
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

_SHARED = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class Frozen:
    """What `thaw` makes messages of; nobody else may have it."""

    classes: list[type[BaseMessage]]
    values: list[dict[str, Any]]
    """The attributes of each message, None where one is a list or a dict."""
    fields_set: list[frozenset[str]]
    places: dict[str, array[int]]
    """By the name of such an attribute: which messages have it."""
    rest: bytes
    """Marshalled: by that name, the attributes themselves; by message, fields that are extra."""
    size: int
    """Bytes, about."""

    @property
    def count(self) -> int:
        """How many messages it is of."""
        return len(self.classes)


def freeze(messages: Sequence[BaseMessage]) -> Frozen | None:
    """What `thaw` makes equal messages of; None for what is nested too deeply."""
    values: list[dict[str, Any]] = []
    places: dict[str, array[int]] = {}
    own: dict[str, list[Any]] = {}
    for index, message in enumerate(messages):
        shared = {}
        for name, value in message.__dict__.items():
            if type(value) in _SHARED:
                shared[name] = value
            else:
                shared[name] = None
                places.setdefault(name, array("I")).append(index)
                own.setdefault(name, []).append(value)
        values.append(shared)
    found = ((index, message.__pydantic_extra__) for index, message in enumerate(messages))
    extra = {index: fields for index, fields in found if fields}
    try:
        rest = marshal.dumps((own, extra))
    except ValueError:
        return None
    classes = [type(message) for message in messages]
    size = sum(map(getsizeof, (rest, *places.values(), *values))) + _size_of_texts(values)
    return Frozen(classes, values, _fields_set(messages), places, rest, size)


def _size_of_texts(values: Iterable[dict[str, Any]]) -> int:
    each = (value for shared in values for value in shared.values())
    return sum(getsizeof(value) for value in each if type(value) is str)


def _fields_set(messages: Iterable[BaseMessage]) -> list[frozenset[str]]:
    once: dict[frozenset[str], frozenset[str]] = {}  # few differ: messages share the equal ones
    names = (frozenset(message.__pydantic_fields_set__) for message in messages)
    return [once.setdefault(each, each) for each in names]


def thaw(frozen: Frozen) -> list[BaseMessage]:
    """New messages, which share nothing that can change with any others."""
    own, extra = marshal.loads(frozen.rest)  # noqa: S302 (never leaves the process)
    values = list(map(dict.copy, frozen.values))
    for name, found in own.items():
        for index, value in zip(frozen.places[name], found, strict=True):
            values[index][name] = value
    messages: list[BaseMessage] = list(map(new, frozen.classes))
    extras: list[dict[str, Any]] = [{} for _ in messages]
    for index, fields in extra.items():
        extras[index] = fields
    for pairs in (
        map(set_values, messages, values),
        map(set_fields_set, messages, map(set, frozen.fields_set)),
        map(set_extra, messages, extras),
        map(set_private, messages, repeat(None)),
    ):
        deque(pairs, maxlen=0)
    return messages
