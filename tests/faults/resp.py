"""RESP, as far as a proxy needs it: where a value ends, and which command it is.

Strategy: a value's end follows from counting. One value is owed; a scalar pays
one, an aggregate of n pays one and owes n more. So a cursor and a number are the
whole state, nested or not, and bytes already walked are never walked again: a
reply of many megabytes costs time linear in its size, however it is chopped up.
Bulk strings are jumped over, not scanned. No value is ever decoded here.

This file must not know about sockets, faults or time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice

_LINES = frozenset(b"+-:_#,(")  # simple, error, integer, null, boolean, double, big number
_BLOBS = frozenset(b"$!=")  # bulk, bulk error, verbatim
_GROUPS = {ord("*"): 1, ord("~"): 1, ord(">"): 1, ord("%"): 2, ord("|"): 2}  # values per entry
_ATTRIBUTE = ord("|")  # describes the value after it, and is not one itself
PUSH = b">"

# Their second word is part of their name: "CLUSTER SLOTS", not "CLUSTER".
_CONTAINERS = frozenset(
    {"ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "FUNCTION", "LATENCY", "MEMORY", "MODULE"}
    | {"OBJECT", "PUBSUB", "SCRIPT", "SLOWLOG", "XGROUP", "XINFO"}
)
# What clients send on their own account: to open a connection, to keep it alive, to learn the
# commands and the topology. COMMAND GETKEYS is not here: it costs the caller a round trip.
_HANDSHAKE = frozenset(
    {"HELLO", "AUTH", "SELECT", "PING", "READONLY", "READWRITE"}
    | {"COMMAND", "COMMAND COUNT", "COMMAND DOCS", "COMMAND INFO", "COMMAND LIST"}
    | {"CLUSTER SLOTS", "CLUSTER SHARDS", "CLUSTER NODES", "CLUSTER MYID"}
)
# Answered by any number of pushes rather than by one reply.
_SUBSCRIBING = frozenset(
    {"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"}
)


class Splitter:
    """Cuts one direction of a connection into whole values."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._cursor = 0
        self._owed = 1

    @property
    def partial(self) -> bool:
        """Whether the beginning of a value has arrived and its end has not."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each value that `data` completes, as the bytes it came in."""
        self._buffer += data
        while self._buffer and self._walk():
            with memoryview(self._buffer) as view:
                value = bytes(view[: self._cursor])
            # Cheap: a bytearray gives up its front by moving a pointer.
            del self._buffer[: self._cursor]
            self._cursor, self._owed = 0, 1
            yield value

    def _walk(self) -> bool:
        """Move the cursor on; True once it stands behind a whole value."""
        while self._owed:
            end = self._buffer.find(b"\r\n", self._cursor)
            if end < 0:
                return False
            kind, header, after = self._buffer[self._cursor], self._cursor + 1, end + 2
            paid = 1
            if kind in _BLOBS:
                size = int(self._buffer[header:end])
                after += size + 2 if size >= 0 else 0  # -1 is RESP2's null
                if after > len(self._buffer):
                    return False
            elif kind in _GROUPS:
                paid -= _GROUPS[kind] * max(0, int(self._buffer[header:end]))
                paid -= kind == _ATTRIBUTE
            elif kind not in _LINES:
                raise ValueError(f"not RESP: {bytes(self._buffer[self._cursor : end])[:80]!r}")
            self._cursor = after
            self._owed -= paid
        return True


@lru_cache(200)  # names are few, and a pipeline repeats them by the thousand
def _upper(word: bytes) -> str:
    return word.decode("utf-8", "replace").upper()


@dataclass(frozen=True)
class Command:
    """One command as the client sent it."""

    raw: bytes

    def _words(self) -> Iterator[bytes]:
        at = self.raw.index(b"\r\n") + 2
        while at < len(self.raw):
            start = self.raw.index(b"\r\n", at) + 2
            end = start + int(self.raw[at + 1 : start - 2])
            yield self.raw[start:end]
            at = end + 2

    @cached_property
    def name(self) -> str:
        """Upper case, with the subcommand where there is one: `EVALSHA`, `SCRIPT LOAD`."""
        words = self._words()
        first = _upper(next(words))
        return f"{first} {_upper(next(words, b''))}".rstrip() if first in _CONTAINERS else first

    @cached_property
    def arguments(self) -> tuple[bytes, ...]:
        """All after the first word."""
        return tuple(islice(self._words(), 1, None))

    @property
    def is_handshake(self) -> bool:
        """Whether a client sends it of itself, for the connection or the topology."""
        return self.name in _HANDSHAKE or self.name.startswith("CLIENT ")

    @property
    def is_answered(self) -> bool:
        """Whether exactly one reply will come for it."""
        return self.name not in _SUBSCRIBING

    def is_called(self, name: str) -> bool:
        """Whether `name` is its name, or the first word of it; case does not matter."""
        return name.upper() in (self.name, self.name.partition(" ")[0])
