"""Batches of messages, encoded for the server.

Strategy: the bytes of a batch and the ids of its entries are fixed before it is first sent. The
server recognises a batch that is sent again by these, and stores it once.
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
from langchain_google_memorystore_redis._codec.encode import InexactField, element_tail, encode
from langchain_google_memorystore_redis.errors import ArgumentTypeError


class IdempotencyKey(NamedTuple):
    """Key from which every process derives the same ids and times for the same messages."""

    name: str
    written_at_ms: int
    """Milliseconds since 1970."""


class Batch(NamedTuple):
    """Elements that are stored together or not at all."""

    elements: tuple[bytes, ...]
    tails: Sequence[bytes]
    """Id and time of each entry, as they end its element."""
    known_length: int
    """Length of the session as the writer knew it before the first send; -1 if unknown."""
    compress_min_bytes: int = 0
    """Size from which elements are compressed, 0 for never."""
    inexact: Sequence[InexactField] = ()
    """Fields that are stored in a plain form."""

    @classmethod
    def of(
        cls,
        messages: Sequence[BaseMessage],
        known_length: int,
        idempotency_key: IdempotencyKey | None = None,
        compress_min_bytes: int = 0,
        *,
        convert_inexact: bool = True,
    ) -> Batch:
        """Encode all messages; raises `InvalidMessageError` before anything is sent."""
        inexact: list[InexactField] | None = [] if convert_inexact else None
        if idempotency_key is None:
            tails = _random_tails(len(messages))
        else:
            tails = _derived_tails(idempotency_key, len(messages))
        elements = _encode(messages, tails, compress_min_bytes, inexact)
        return cls(elements, tails, known_length, compress_min_bytes, inexact or ())

    def is_of(self, messages: Sequence[BaseMessage]) -> bool:
        """Tell whether these messages, as they are now, encode to this batch."""
        return _encode(messages, self.tails, self.compress_min_bytes, []) == self.elements


def message_list(messages: Iterable[BaseMessage]) -> list[BaseMessage]:
    """Check an iterable of messages and return it as a list; encoding checks each message."""
    # A list first: the check against the abstract class takes as long as encoding a short message.
    if type(messages) is not list and (
        isinstance(messages, (str, bytes, BaseMessage)) or not isinstance(messages, Iterable)
    ):
        raise ArgumentTypeError(
            "messages", f"must be a list of messages, not {type(messages).__name__}"
        )
    return list(messages)


def _encode(
    messages: Sequence[BaseMessage],
    tails: Sequence[bytes],
    compress_min_bytes: int,
    inexact: list[InexactField] | None,
) -> tuple[bytes, ...]:
    elements = [
        encode(message, index, tail, inexact)
        for index, (message, tail) in enumerate(zip(messages, tails, strict=True))
    ]
    if not compress_min_bytes:
        return tuple(elements)
    return tuple(
        compress_if_smaller(element) if len(element) >= compress_min_bytes else element
        for element in elements
    )


def _random_tails(count: int) -> list[bytes]:
    # 72 random bits each: in a session of a million entries, the chance that two ids are equal is
    # one in ten billion. No longer than 12 characters (9 bytes), because every entry stores them.
    ids, now_ms = urlsafe_b64encode(os.urandom(9 * count)), time.time_ns() // 1_000_000
    return [element_tail(ids[start : start + 12], now_ms) for start in range(0, 12 * count, 12)]


def _derived_tails(key: IdempotencyKey, count: int) -> list[bytes]:
    names = (f"{index} {key.name}".encode() for index in range(count))
    digests = (hashlib.blake2b(name, digest_size=9).digest() for name in names)
    return [element_tail(urlsafe_b64encode(digest), key.written_at_ms) for digest in digests]
