"""The vocabulary of the whole package: one round trip as a value.

Strategy: what to send and how to read the answer are decided by pure code, as an `Op`; what
needs several round trips is a `Flow`, a generator that yields operations and receives their
answers. Neither knows whether it is run blocking or by asyncio, on one server or a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

T = TypeVar("T")

_MOST_ROOM = 2**26
"""Bytes; a server takes no argument of 512 MB."""


class Op(NamedTuple, Generic[T]):
    """One round trip: what to send, and how to read the answer.

    A named tuple: making one takes half as long as a frozen dataclass.
    """

    wire: tuple[Any, ...]
    decode: Callable[[Any], T]
    source: str | None = None
    """The Lua text, for a server that does not know the script of an EVALSHA."""
    node: str | None = None
    """The primary of a cluster to ask, by a name that `PRIMARIES` gave; None: the key says."""

    @property
    def with_source(self) -> tuple[Any, ...]:
        """What to send to a server that may lack the script: EVAL, which also teaches it."""
        return self.wire if self.source is None else ("EVAL", self.source, *self.wire[2:])

    @property
    def with_room(self) -> tuple[Any, ...]:
        """A read that takes a server as much memory as the script does, and finds nothing."""
        size = sum(len(part) for part in self.with_source if isinstance(part, (bytes, str)))
        # Four times: as received, as arguments, in Lua, and as Lua passes it to a command.
        return ("EXISTS", self.key + b" " * min(4 * size + 4096, _MOST_ROOM))

    @property
    def key(self) -> bytes:
        """The first key, which chooses the node of a cluster."""
        key: bytes = self.wire[1] if self.source is None else self.wire[3]
        return key


class Primaries:
    """Asks for the names of a cluster's primaries; `(None,)` on one server. No round trip."""


PRIMARIES = Primaries()

Step: TypeAlias = Op[Any] | tuple[Op[Any], ...] | Primaries
"""One operation, or several that travel together: one round trip either way."""

Flow: TypeAlias = Generator[Step, Any, T]


def ask(op: Op[T]) -> Flow[T]:
    """Yield one operation and return its answer, typed."""
    answer: T = yield op
    return answer
