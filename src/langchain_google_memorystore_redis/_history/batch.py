"""A batch of messages on its way to the server.

Strategy: everything that makes a batch itself is fixed here before it is first sent: its bytes,
and the ids of its entries. The server finds it by these when it is sent again, and stores it once.
"""

from __future__ import annotations

import hashlib
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.compression import compress_if_smaller
from langchain_google_memorystore_redis._codec.encode import element_tail, encode
from langchain_google_memorystore_redis.errors import ArgumentTypeError


class Stamp(NamedTuple):
    """What makes batches of equal messages the same batch, whoever makes them."""

    name: str
    written_at: int
    """Milliseconds since 1970."""


class Batch(NamedTuple):
    """Entries that are stored together or not at all."""

    elements: tuple[bytes, ...]
    ends: Sequence[bytes]
    """Id and time of each entry, as they stand in its element."""
    known: int
    """How many messages the writer knew of before it first sent the batch, -1 if that is unsure."""
    compress_min_bytes: int = 0
    """From how many bytes on elements were compressed, 0 for none."""

    @classmethod
    def of(
        cls,
        messages: Sequence[BaseMessage],
        known: int,
        stamp: Stamp | None = None,
        compress_min_bytes: int = 0,
    ) -> Batch:
        """Encode messages whole; raises `InvalidMessageError` before anything is sent."""
        ends = _new_ends(len(messages)) if stamp is None else _ends_of(stamp, len(messages))
        elements = _encode(messages, ends, compress_min_bytes)
        return cls(elements, ends, known, compress_min_bytes)

    def holds(self, messages: Sequence[BaseMessage]) -> bool:
        """Whether these messages, as they are now, are what the batch was made of."""
        return _encode(messages, self.ends, self.compress_min_bytes) == self.elements


def as_messages(messages: Iterable[BaseMessage]) -> list[BaseMessage]:
    """A list of what a caller passed as messages; encoding checks what is in it."""
    # A list first: asking the abstract class takes as long as encoding a short message.
    if type(messages) is not list and (
        isinstance(messages, (str, bytes, BaseMessage)) or not isinstance(messages, Iterable)
    ):
        raise ArgumentTypeError(
            "messages", f"must be a list of messages, not {type(messages).__name__}"
        )
    return list(messages)


def _encode(
    messages: Sequence[BaseMessage], ends: Sequence[bytes], compress_min_bytes: int
) -> tuple[bytes, ...]:
    elements = [
        encode(message, index, end)
        for index, (message, end) in enumerate(zip(messages, ends, strict=True))
    ]
    if not compress_min_bytes:
        return tuple(elements)
    return tuple(
        compress_if_smaller(element) if len(element) >= compress_min_bytes else element
        for element in elements
    )


def _new_ends(count: int) -> list[bytes]:
    # 72 random bits each: in a session of a million entries two ids are the same with a chance of
    # one in ten billion. 12 characters (9 bytes), because every entry pays for them.
    ids, now = urlsafe_b64encode(os.urandom(9 * count)), time.time_ns() // 1_000_000
    return [element_tail(ids[start : start + 12], now) for start in range(0, 12 * count, 12)]


def _ends_of(stamp: Stamp, count: int) -> list[bytes]:
    names = (f"{at} {stamp.name}".encode() for at in range(count))
    digests = (hashlib.blake2b(name, digest_size=9).digest() for name in names)
    return [element_tail(urlsafe_b64encode(digest), stamp.written_at) for digest in digests]
