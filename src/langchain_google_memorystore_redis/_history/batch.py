"""Batches of messages, encoded for the server.

Strategy: the bytes of a batch, the ids of its entries and the newest entry that its writer knew are
fixed before it is first sent. The server recognises a batch that is sent again by its bytes or ids,
and looks for it behind that entry.
"""

from __future__ import annotations

import hashlib
import os
import string
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.compression import compress_if_smaller
from langchain_google_memorystore_redis._codec.encode import InexactField, element_tail, encode
from langchain_google_memorystore_redis._history.newest import LARGE_BYTES, UNKNOWN, Newest
from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError

_BASE64_DIGITS = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_").encode()


class IdempotencyKey(NamedTuple):
    """Key from which every process derives the same ids."""

    name: str
    written_at_ms: int | None = None
    """Milliseconds since 1970; None for the time of the append."""

    @classmethod
    def of(cls, name: str) -> IdempotencyKey:
        """Check a key that a user has given."""
        if not isinstance(name, str):
            raise ArgumentTypeError("idempotency_key", f"must be a str, not {type(name).__name__}")
        if not name:
            raise InvalidArgumentError("idempotency_key", "must not be empty")
        return cls(name)

    @classmethod
    def or_none(cls, name: str | None) -> IdempotencyKey | None:
        """Check a key that a user may have given."""
        return None if name is None else cls.of(name)

    def is_of(self, entry_id: str | None) -> bool:
        """Tell whether the entry with this id was appended with the key."""
        return (entry_id or "").startswith(self.ids.decode())

    @property
    def ids(self) -> bytes:
        """Beginning of the ids of a batch with this key."""
        # 66 bits; the last characters count the entries.
        name = self.name.encode("utf-8", "surrogatepass")
        return urlsafe_b64encode(hashlib.blake2b(name, digest_size=9).digest())[:11]


class Batch(NamedTuple):
    """Elements that are stored together or not at all."""

    elements: tuple[bytes, ...]
    tails: Sequence[bytes]
    """Id and time of each entry, as they end its element."""
    newest: Newest = UNKNOWN
    """Entry that must still be there for the batch to be stored, if any is known."""
    may_precede: bool = False
    """True if a copy of the batch may precede that entry."""
    ids: bytes = b""
    """Beginning of the ids, if they derive from a key."""
    compress_min_bytes: int = 0
    """Size from which elements are compressed, 0 for never."""
    inexact: Sequence[InexactField] = ()
    """Fields that are stored in a plain form."""

    @classmethod
    def of(
        cls,
        messages: Sequence[BaseMessage],
        newest: Newest = UNKNOWN,
        idempotency_key: IdempotencyKey | None = None,
        *,
        may_precede: bool = False,
        compress_min_bytes: int = 0,
        convert_inexact: bool = True,
    ) -> Batch:
        """Encode all messages; raises `InvalidMessageError` before anything is sent."""
        inexact: list[InexactField] | None = [] if convert_inexact else None
        if idempotency_key is None:
            ids, tails = b"", _random_tails(len(messages))
        else:
            ids, tails = idempotency_key.ids, _derived_tails(idempotency_key, len(messages))
        elements = _encode(messages, tails, compress_min_bytes, inexact)
        return cls(elements, tails, newest, may_precede, ids, compress_min_bytes, inexact or ())

    def name_newest(self, length: int) -> Newest:
        """Name one of the last entries of the batch, appended to a session that is now so long."""
        if length and len(self.elements[-1]) <= LARGE_BYTES:
            return Newest(self.tails[-1], length - 1)
        # A session with a limit may have kept fewer than the batch has.
        return Newest.of(self.elements[-length:] if length else (), length)

    def is_of(self, messages: Sequence[BaseMessage]) -> bool:
        """Tell whether these messages, as they are now, encode to this batch."""
        return _encode(messages, self.tails, self.compress_min_bytes, []) == self.elements


def message_of(cls: type[BaseMessage], message: BaseMessage | str) -> BaseMessage:
    """Return the message, or one of a class with this text."""
    return message if isinstance(message, cls) else cls(content=message)  # type: ignore[arg-type]


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
    ids = key.ids
    written_at_ms = time.time_ns() // 1_000_000 if key.written_at_ms is None else key.written_at_ms
    return [element_tail(ids + _to_base64(index), written_at_ms) for index in range(count)]


def _to_base64(number: int) -> bytes:
    """Return a number in the digits of base64, the highest first."""
    high, low = divmod(number, 64)
    return (_to_base64(high) if high else b"") + _BASE64_DIGITS[low : low + 1]
