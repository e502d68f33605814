"""The operations of one session's log.

Strategy: a session is one list, an element an entry, oldest first. This module decides which
commands an operation sends and what the replies mean; it holds no client and awaits nothing.
A read is an LRANGE of at most a page and one element more: the extra one tells whether there
is another page and, being unique, where that page begins if the list was trimmed meanwhile.
"""

from __future__ import annotations

import logging
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.decode import EntryTuple, UndecodableError, decode
from langchain_google_memorystore_redis._history.batch import Batch
from langchain_google_memorystore_redis._redis.arguments import index_or_none
from langchain_google_memorystore_redis._redis.op import Flow, Op, ask
from langchain_google_memorystore_redis._redis.scripts import Script
from langchain_google_memorystore_redis.errors import (
    CorruptEntryError,
    HistoryChangedError,
    MessageIndexError,
    NotReplicatedError,
    SessionExistsError,
    is_from_demoted_primary,
)

PAGE = 5_000
"""Messages a round trip moves at the most."""

T = TypeVar("T")

_FAR = 2**62
"""Beyond the end of any list, within what the server takes as an index."""

_MESSAGE: Callable[[EntryTuple], BaseMessage] = operator.itemgetter(0)
_logger = logging.getLogger("langchain_google_memorystore_redis")
_APPEND = Script(__package__, "append")
_CLEAR = Script(__package__, "clear")
_COPY = Script(__package__, "copy")
_REFRESH = Script(__package__, "refresh")


class Page(NamedTuple):
    """Raw elements in a row. `first` is the index of the first; negative counts from the end."""

    elements: list[bytes]
    first: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a read goes on: LRANGE indices, both inclusive, negative ones from the end."""

    start: int = 0
    stop: int = -1
    expected: bytes | None = None
    """The element at `start` when the page before was read."""

    @classmethod
    def of_slice(cls, start: int | None, stop: int | None) -> Cursor | None:
        """The cursor of `history[start:stop]`; None if that is empty whatever the list holds."""
        start, stop = index_or_none("start", start), index_or_none("stop", stop)
        if stop == 0:
            return None
        first = 0 if start is None else max(-_FAR, min(start, _FAR))
        last = -1 if stop is None else max(-_FAR, min(stop, _FAR)) - 1
        return None if (first < 0) == (last < 0) and first > last else cls(first, last)

    @property
    def is_one_page(self) -> bool:
        """Whether the indices alone bound the reply to a page."""
        return (self.start < 0) == (self.stop < 0) and self.stop - self.start < PAGE

    @property
    def goes_forward(self) -> bool:
        """Whether the read can go page by page without knowing the length."""
        return self.start >= 0 and (self.stop >= 0 or self.stop == -1)


def _same(reply: Any) -> Any:
    return reply


def _ignore(_: Any) -> None:
    return None


@dataclass(frozen=True, slots=True)
class HistoryOps:
    """What can be asked of one session."""

    session_id: str
    key: bytes
    ttl_ms: int = 0
    """Time to live in milliseconds, 0 for none."""
    max_messages: int = 0
    refresh_ttl_on_read: bool = False
    skip_corrupt: bool | None = None
    """What `on_corrupt` asks for; None where there is no such setting."""
    replicas_ack: int = 0
    replicas_ack_timeout_ms: int = 0
    compress_min_bytes: int = 0
    """From how many bytes on elements are compressed, 0 for none."""

    def append(self, batch: Batch) -> Flow[int] | Op[int]:
        """Append a batch once; the answer is how many messages there are then."""
        settings = (self.ttl_ms, self.max_messages, batch.known)
        append = _APPEND.op([self.key], (*settings, *batch.elements), int)
        return self._acknowledged(append) if self.replicas_ack else append

    def _acknowledged(self, append: Op[int]) -> Flow[int]:
        # WAIT asks about the writes of its own connection, so it travels with the append.
        wait = Op(("WAIT", self.replicas_ack, self.replicas_ack_timeout_ms), int)
        try:
            length, acknowledged = yield append, wait
        except Exception as error:
            if not is_from_demoted_primary(error):
                raise
            raise NotReplicatedError(self.session_id, 0, self.replicas_ack) from error
        if acknowledged < self.replicas_ack:
            raise NotReplicatedError(self.session_id, acknowledged, self.replicas_ack)
        return int(length)

    def count(self) -> Op[int]:
        """How many messages there are."""
        return Op(("LLEN", self.key), int)

    def clear(self) -> Op[None]:
        """Remove the session."""
        return _CLEAR.op([self.key], (), _ignore)

    def truncate(self, length: int) -> Op[None]:
        """Keep the first `length` messages."""
        if length == 0:
            return self.clear()
        return Op(("LTRIM", self.key, 0, min(length, _FAR) - 1), _ignore)

    def at(self, index: int) -> Flow[BaseMessage]:
        """The message at an index."""
        found = None
        if -_FAR < index < _FAR:
            found = yield from ask(self._read("LINDEX", index))
        if found is None:
            raise MessageIndexError(self.session_id, index)
        # Nothing is skipped where one message is asked for.
        strict = replace(self, skip_corrupt=None)
        return next(strict.decode_page(Page([found], index)))[0]

    def slice(self, start: int | None, stop: int | None) -> Flow[list[BaseMessage]]:
        """The messages of `history[start:stop]`."""
        return self._read_all(start, stop, _MESSAGE)

    def rows(self, start: int | None, stop: int | None) -> Flow[list[EntryTuple]]:
        """What `history[start:stop]` holds, with ids and times."""
        return self._read_all(start, stop, _same)

    def _read_all(
        self, start: int | None, stop: int | None, pick: Callable[[EntryTuple], T]
    ) -> Flow[list[T]]:
        """What `pick` takes of each row: what is not kept makes no work for the collector."""
        cursor = Cursor.of_slice(start, stop)
        picked: list[T] = []
        while cursor is not None:
            page, cursor = yield from self.page(cursor)
            picked.extend(map(pick, self.decode_page(page)))
        return picked

    def page(self, cursor: Cursor) -> Flow[tuple[Page, Cursor | None]]:
        """One page of raw elements, and where the next one begins, if there is one."""
        start, stop = cursor.start, cursor.stop
        if not (cursor.is_one_page or cursor.goes_forward):
            # A reply is never unbounded, and these indices do not say how long it would be.
            length = yield from ask(self.count())
            start = start if start >= 0 else max(0, start + length)
            stop = min(stop if stop >= 0 else stop + length, length - 1)
            if start > stop:
                return Page([], start), None
        end = min(start + PAGE, stop) if (start < 0) == (stop < 0) else start + PAGE
        got = yield from ask(self._read("LRANGE", start, end))
        if cursor.expected is not None and (not got or got[0] != cursor.expected):
            moved = start - (yield from self._find(cursor.expected, start))
            stop = stop - moved if stop >= 0 else stop
            return (yield from self.page(Cursor(start - moved, stop, cursor.expected)))
        first = start if start >= 0 else stop + 1 - len(got)
        if len(got) <= PAGE:
            return Page(got, first), None
        return Page(got[:PAGE], first), Cursor(start + PAGE, stop, got[PAGE])

    def elements(self, start: int = 0) -> Flow[list[bytes]]:
        """The raw elements from an index on."""
        elements: list[bytes] = []
        cursor: Cursor | None = Cursor(start)
        while cursor is not None:
            page, cursor = yield from self.page(cursor)
            elements += page.elements
        return elements

    def newest(self, most: int) -> Flow[Page]:
        """The last `most` elements and where they are: one round trip, which renews nothing."""
        read = Op(("LRANGE", self.key, -most, -1), list[bytes])
        length, elements = yield self.count(), read
        return Page(elements, length - len(elements))

    def _find(self, element: bytes, before: int) -> Flow[int]:
        """The index below `before` that an element has moved to, since trims cut the front."""
        while before > 0:
            first = max(0, before - PAGE)
            got = yield from ask(Op(("LRANGE", self.key, first, before - 1), list[bytes]))
            for offset in range(len(got) - 1, -1, -1):
                if got[offset] == element:
                    return first + offset
            before = first
        raise HistoryChangedError(self.session_id)

    def _read(self, command: str, *arguments: int) -> Op[Any]:
        """A reading command, which renews the time to live where that was asked for."""
        if self.refresh_ttl_on_read and self.ttl_ms:
            return _REFRESH.op([self.key], (self.ttl_ms, command, *arguments), _same)
        return Op((command, self.key, *arguments), _same)

    def copy_to(self, target: HistoryOps, length: int | None) -> Flow[None]:
        """Copy the first `length` entries, as they are, to a session that must not exist."""
        if (yield from ask(Op(("EXISTS", target.key), int))):
            raise SessionExistsError(target.session_id)
        cursor = Cursor.of_slice(None, length)
        copied = 0
        while cursor is not None:
            page, cursor = yield from self.page(cursor)
            if page.elements:
                arguments = (target.ttl_ms, copied, *page.elements)
                if not (yield from ask(_COPY.op([target.key], arguments, int))):
                    raise SessionExistsError(target.session_id)
                copied += len(page.elements)

    def decode_page(self, page: Page) -> Iterator[EntryTuple]:
        """The rows of a page, one by one; what is corrupt raises, or is skipped with a warning."""
        for index, element in enumerate(page.elements, page.first):
            try:
                yield decode(element)
            except UndecodableError as error:
                may_skip = self.skip_corrupt is False
                corrupt = CorruptEntryError(self.session_id, index, str(error), may_skip=may_skip)
                if not self.skip_corrupt:
                    raise corrupt from error
                _logger.warning("skipped a corrupt entry: %s", corrupt)
