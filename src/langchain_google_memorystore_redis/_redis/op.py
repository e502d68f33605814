"""Operations as values: one round trip is an `Op`, several are a `Flow`.

Strategy: pure code decides what to send and how to read the reply. A flow is a generator that
yields steps and receives their answers. Neither knows whether it is run by blocking or by asyncio
code, on one server or on a cluster.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

T = TypeVar("T")

_MAX_PROBE_BYTES = 2**26
"""Far below the 512 MB that a server accepts as one argument."""


class Op(NamedTuple, Generic[T]):
    """Round trip: the command to send, and the function that decodes its reply.

    A named tuple, because creating one takes half as long as a frozen dataclass.
    """

    command: tuple[Any, ...]
    decode: Callable[[Any], T]
    source: str | None = None
    """Text of the Lua script that EVALSHA runs; None for a plain command."""
    node: str | None = None
    """Name of the primary to ask, as `PRIMARIES` returned it; None chooses by the key."""

    @property
    def key(self) -> bytes:
        """The first key, which determines the node of a cluster."""
        key: bytes = self.command[1] if self.source is None else self.command[3]
        return key

    def eval_command(self) -> tuple[Any, ...]:
        """Return EVAL with the script's text, which the server then also knows by its hash."""
        return self.command if self.source is None else ("EVAL", self.source, *self.command[2:])

    def eviction_probe(self) -> tuple[Any, ...]:
        """Return an EXISTS large enough to make Redis 5 evict before the script runs."""
        size = sum(len(part) for part in self.eval_command() if isinstance(part, (bytes, str)))
        # A script takes four copies: as received, as arguments, in Lua, and in its own calls.
        return ("EXISTS", self.key + b" " * min(4 * size + 4096, _MAX_PROBE_BYTES))


class Primaries:
    """Step that returns the names of a cluster's primaries, `(None,)` for a single server."""


PRIMARIES = Primaries()
"""The only instance; costs no round trip."""


@dataclass(frozen=True, slots=True)
class FanOut:
    """Step of operations on keys of any slots: one pipeline a node, and so one round trip a node.

    The answer of one that failed is its error, whatever became of the others. Each is sent again
    where that tells which of them failed.
    """

    ops: Sequence[Op[Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """Step that calls a function, or awaits its async twin, and returns the result."""

    function: Callable[..., Any]
    async_function: Callable[..., Awaitable[Any]]
    args: tuple[Any, ...]


Step: TypeAlias = Op[Any] | tuple[Op[Any], ...] | FanOut | Call | Primaries
"""An operation, several sent as one pipeline (one round trip either way), or another step."""

Flow: TypeAlias = Generator[Step, Any, T]
"""Steps of an operation that takes several round trips; returns the operation's answer."""


def raised(answers: Sequence[Any]) -> Sequence[Any]:
    """Return the answers of a `FanOut`; raise the first error among them."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def as_it_is(reply: Any) -> Any:
    """Return a reply, for operations that decode nothing."""
    return reply


def ignore_reply(_: Any) -> None:
    """Return None, for operations that have no answer."""


def ask(op: Op[T]) -> Flow[T]:
    """Yield one operation and return its answer with its type."""
    answer: T = yield op
    return answer
