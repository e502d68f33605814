"""Copies of messages without decoding them again.

Strategy: what decoded messages consist of is written with `marshal`, in memory only, and each
copy is read from that. It is the fastest deep copy of plain values that Python has, its size is
known to the byte, and nobody can change it. The loops run in C (docs/decisions/read_cache.md).
"""

from __future__ import annotations

import marshal
from collections import deque
from collections.abc import Sequence
from itertools import repeat

from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.shapes import (
    SHAPE_OF_TYPE,
    SHAPES,
    set_extra,
    set_fields_set,
    set_private,
    set_values,
)

_CLASSES = {name: shape.cls for name, shape in SHAPE_OF_TYPE.items()}


def freeze(messages: Sequence[BaseMessage]) -> bytes | None:
    """What `thaw` makes equal messages of; None if it cannot be written (nested too deeply)."""
    try:
        return marshal.dumps(
            (
                [SHAPES[type(message)].type for message in messages],
                [message.__dict__ for message in messages],
                [message.__pydantic_fields_set__ for message in messages],
                [message.__pydantic_extra__ for message in messages],
            )
        )
    except ValueError:
        return None


def thaw(frozen: bytes) -> list[BaseMessage]:
    """New messages, which share nothing with any others."""
    types, values, fields_set, extra = marshal.loads(frozen)  # noqa: S302 (never leaves the process)
    messages: list[BaseMessage] = list(map(object.__new__, map(_CLASSES.__getitem__, types)))
    for pairs in (
        map(set_values, messages, values),
        map(set_fields_set, messages, fields_set),
        map(set_extra, messages, extra),
        map(set_private, messages, repeat(None)),
    ):
        deque(pairs, maxlen=0)
    return messages
