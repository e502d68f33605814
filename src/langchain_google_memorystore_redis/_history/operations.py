"""Operations of one session: the commands they send and the meaning of the replies.

Strategy: a session is one list of elements, the oldest first. A read is an LRANGE of at most a
page and one element more. The extra element says whether there is another page and, being unique,
where that page begins if the list was trimmed meanwhile.
"""

from __future__ import annotations

import json
import logging
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, NamedTuple, TypeAlias, TypeVar

from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.decode import EntryTuple, UndecodableError, decode
from langchain_google_memorystore_redis._history.batch import Batch, IdempotencyKey
from langchain_google_memorystore_redis._history.newest import UNKNOWN, Newest, NewestEntries
from langchain_google_memorystore_redis._redis.arguments import index_or_none
from langchain_google_memorystore_redis._redis.op import Flow, Op, as_it_is, ask
from langchain_google_memorystore_redis._redis.scripts import Script
from langchain_google_memorystore_redis._redis.translation import is_from_demoted_primary
from langchain_google_memorystore_redis.errors import (
    ArgumentTypeError,
    CorruptEntryError,
    EntryNotFoundError,
    HistoryChangedError,
    InvalidArgumentError,
    MessageIndexError,
    NotReplicatedError,
    SessionExistsError,
)

ELEMENTS_PER_PAGE = 5_000

T = TypeVar("T")

_MAX_INDEX = 2**62
"""Beyond the end of any list, and within what the server accepts as an index."""

_message_of: Callable[[EntryTuple], BaseMessage] = operator.itemgetter(0)
_logger = logging.getLogger("langchain_google_memorystore_redis")
MAX_REFUSALS = 3
"""Times that a request is sent again because the newest entry that it names is gone."""

_APPEND = Script(__package__, "append", begin=["_entries"])
_COPY = Script(__package__, "copy")
_FIND_BATCH = Script(__package__, "find_batch", begin=["_entries"])
_REFRESH = Script(__package__, "refresh")
_REPLACE_FROM = Script(__package__, "replace_from", begin=["_entries"])
_TRUNCATE = Script(__package__, "truncate", begin=["_entries"])


class OnCorrupt(Enum):
    """Policy for elements that cannot be decoded."""

    RAISE = "raise"
    """Raise `CorruptEntryError`, which advises `on_corrupt="skip"`."""
    SKIP = "skip"
    """Leave the element out and log a warning."""
    RAISE_ALWAYS = "raise always"
    """Raise without that advice, where the caller has no such setting."""


class Page(NamedTuple):
    """Consecutive elements, not decoded."""

    elements: list[bytes]
    first: int
    """Index of the first; negative counts from the end."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Position of a paged read: LRANGE indices, both inclusive, negative ones from the end."""

    start: int = 0
    stop: int = -1
    expected: bytes | None = None
    """The element at `start` when the previous page was read."""

    @classmethod
    def of_slice(cls, start: int | None, stop: int | None) -> Cursor | None:
        """Return the cursor of `history[start:stop]`; None if no list has such elements."""
        start, stop = index_or_none("start", start), index_or_none("stop", stop)
        if stop == 0:
            return None
        first = 0 if start is None else max(-_MAX_INDEX, min(start, _MAX_INDEX))
        last = -1 if stop is None else max(-_MAX_INDEX, min(stop, _MAX_INDEX)) - 1
        return None if (first < 0) == (last < 0) and first > last else cls(first, last)

    @property
    def is_one_page(self) -> bool:
        """True if the indices alone limit the reply to a page."""
        return (self.start < 0) == (self.stop < 0) and self.stop - self.start < ELEMENTS_PER_PAGE

    @property
    def is_independent_of_length(self) -> bool:
        """True if the read can go page by page without knowing the length of the list."""
        return self.start >= 0 and (self.stop >= 0 or self.stop == -1)


AppendReply: TypeAlias = int | list[Any]
"""Length after an append; or, if nothing was appended, the list that `append.lua` describes."""


def is_refused(reply: AppendReply) -> bool:
    """Tell whether a batch was not stored, because the entry that it names is gone."""
    return type(reply) is not int and not reply[0]  # type: ignore[index]


@dataclass(frozen=True, slots=True)
class HistoryOps:
    """Operations on one session, with its settings."""

    session_id: str
    key: bytes
    ttl_ms: int = 0
    """Milliseconds, 0 for no expiry."""
    max_messages: int = 0
    """0 for no limit."""
    refresh_ttl_on_read: bool = False
    on_corrupt: OnCorrupt = OnCorrupt.RAISE_ALWAYS
    replicas_ack: int = 0
    replicas_ack_timeout_ms: int = 0
    compress_min_bytes: int = 0
    """Size from which elements are compressed, 0 for never."""
    convert_inexact: bool = True
    """Store a plain form of what JSON cannot carry exactly; False refuses it."""
    known: NewestEntries = field(default_factory=NewestEntries, repr=False, compare=False)
    """The newest entries that the client knows."""

    def append(self, batch: Batch) -> Flow[AppendReply] | Op[AppendReply]:
        """Append a batch once, if the entry that it names is still there."""
        newest = batch.newest
        append = _APPEND.op(
            [self.key],
            (
                *(self.ttl_ms, self.max_messages, newest.tail, newest.place),
                *(int(batch.may_precede), batch.ids, *batch.elements),
            ),
            as_it_is,
        )
        return self._append_and_wait(append) if self.replicas_ack else append

    def _append_and_wait(self, append: Op[AppendReply]) -> Flow[AppendReply]:
        # WAIT counts the replicas that have the writes of its own connection, so both commands
        # travel in one pipeline.
        wait = Op(("WAIT", self.replicas_ack, self.replicas_ack_timeout_ms), int)
        try:
            reply, acknowledged = yield append, wait
        except Exception as error:
            if not is_from_demoted_primary(error):
                raise
            raise NotReplicatedError(self.session_id, 0, self.replicas_ack) from error
        if not is_refused(reply) and acknowledged < self.replicas_ack:
            raise NotReplicatedError(self.session_id, acknowledged, self.replicas_ack)
        return reply  # type: ignore[no-any-return]

    def find_batch(self, key: IdempotencyKey) -> Flow[list[EntryTuple]]:
        """Return the entries that were appended with a key, and record if there are none."""
        reply = yield from ask(_FIND_BATCH.op([self.key], (key.ids,), list[Any]))
        length, tail, index, *elements = reply
        newest = Newest.of_reply(tail, length)
        self.known.learn(self.key, newest)
        if not elements:
            self.known.learn_absent(self.key, key.ids, newest)
        return list(self.decode_page(Page(elements[::-1], index)))

    def count(self) -> Op[int]:
        """Return the number of messages."""
        return Op(("LLEN", self.key), int)

    def truncate(self, length: int) -> Flow[None]:
        """Keep the first `length` messages and remove the rest; 0 removes the session.

        Asks for the newest entry if none is known.
        """
        newest, refusals = self.known.of(self.key), 0
        while True:
            name = (newest.tail, newest.place, int(refusals == MAX_REFUSALS))
            truncate = _TRUNCATE.op([self.key], (min(length, _MAX_INDEX), *name), tuple[Any, ...])
            is_done, left, tail = yield from ask(truncate)
            if is_done:
                break
            refusals += 1
            newest = Newest.of_reply(tail, left) if refusals < MAX_REFUSALS else UNKNOWN
        self.known.learn(self.key, Newest.of_reply(tail, left))

    def replace_from(self, entry_id: str, batch: Batch) -> Flow[AppendReply]:
        """Replace an entry and all after it by a batch, once.

        The entry itself goes with the others, so that a late copy of the request finds it gone and
        changes nothing.
        """
        if not batch.elements:
            raise InvalidArgumentError("messages", "must not be empty; truncate only removes")
        if not isinstance(entry_id, str):
            raise ArgumentTypeError(
                "entry_id",
                f"must be the id of an entry, not {type(entry_id).__name__}; an entry of release "
                "0.3.0 has none: use truncate",
            )
        if not entry_id:
            raise InvalidArgumentError("entry_id", "must not be empty")
        name = json.dumps(entry_id, ensure_ascii=False).encode("utf-8", "surrogatepass")
        replace = _REPLACE_FROM.op([self.key], (self.ttl_ms, name, *batch.elements), as_it_is)
        reply = yield from (self._append_and_wait(replace) if self.replicas_ack else ask(replace))
        if is_refused(reply):
            raise EntryNotFoundError(self.session_id, entry_id)
        return reply

    def message_at(self, index: int) -> Flow[BaseMessage]:
        """Return the message at an index."""
        element = None
        if -_MAX_INDEX < index < _MAX_INDEX:
            element = yield from ask(self._read_op("LINDEX", index))
        if element is None:
            raise MessageIndexError(self.session_id, index)
        # The only message asked for cannot be skipped.
        strict = replace(self, on_corrupt=OnCorrupt.RAISE_ALWAYS)
        return next(strict.decode_page(Page([element], index)))[0]

    def get_messages(self, start: int | None, stop: int | None) -> Flow[list[BaseMessage]]:
        """Return the messages of `history[start:stop]`."""
        return self._read_slice(start, stop, _message_of)

    def entries(self, start: int | None, stop: int | None) -> Flow[list[EntryTuple]]:
        """Return the entries of `history[start:stop]`: messages with their ids and times."""
        return self._read_slice(start, stop, as_it_is)

    def _read_slice(
        self, start: int | None, stop: int | None, select: Callable[[EntryTuple], T]
    ) -> Flow[list[T]]:
        """Return what `select` takes from each entry of a slice.

        What it leaves is freed at once, and makes no work for the garbage collector.
        """
        cursor = Cursor.of_slice(start, stop)
        selected: list[T] = []
        while cursor is not None:
            page, cursor = yield from self.page(cursor)
            selected.extend(map(select, self.decode_page(page)))
        return selected

    def page(self, cursor: Cursor) -> Flow[tuple[Page, Cursor | None]]:
        """Return a page of elements, and the cursor of the next page, None at the end."""
        start, stop = cursor.start, cursor.stop
        if not (cursor.is_one_page or cursor.is_independent_of_length):
            # The reply must not be unbounded, and these indices do not say how long it would be.
            length = yield from ask(self.count())
            start = start if start >= 0 else max(0, start + length)
            stop = min(stop if stop >= 0 else stop + length, length - 1)
            if start > stop:
                return Page([], start), None
        limit = start + ELEMENTS_PER_PAGE
        end = min(limit, stop) if (start < 0) == (stop < 0) else limit
        elements = yield from ask(self._read_op("LRANGE", start, end))
        if cursor.expected is not None and (not elements or elements[0] != cursor.expected):
            shift = start - (yield from self._find_shifted(cursor.expected, start))
            stop = stop - shift if stop >= 0 else stop
            return (yield from self.page(Cursor(start - shift, stop, cursor.expected)))
        first = start if start >= 0 else stop + 1 - len(elements)
        if len(elements) <= ELEMENTS_PER_PAGE:
            if stop == -1:
                self._learn(elements, first)
            return Page(elements, first), None
        *elements, expected = elements
        return Page(elements, first), Cursor(limit, stop, expected)

    def _learn(self, elements: list[bytes], first: int) -> None:
        """Record the newest entry, as the last page of a read to the end shows it."""
        if elements:
            self.known.learn(self.key, Newest.of(elements, first + len(elements)))
        elif first <= 0:
            self.known.learn(self.key, UNKNOWN)  # there is none

    def elements(self, start: int = 0) -> Flow[list[bytes]]:
        """Return the elements from index `start` to the end."""
        elements: list[bytes] = []
        cursor: Cursor | None = Cursor(start)
        while cursor is not None:
            page, cursor = yield from self.page(cursor)
            elements += page.elements
        return elements

    def newest(self, limit: int) -> Flow[Page]:
        """Return the last `limit` elements, in one round trip that does not renew the expiry."""
        read = Op(("LRANGE", self.key, -limit, -1), list[bytes])
        length, elements = yield self.count(), read
        return Page(elements, length - len(elements))

    def _find_shifted(self, element: bytes, before: int) -> Flow[int]:
        """Return the lower index to which trims at the front have shifted an element."""
        while before > 0:
            first = max(0, before - ELEMENTS_PER_PAGE)
            elements = yield from ask(Op(("LRANGE", self.key, first, before - 1), list[bytes]))
            for offset in range(len(elements) - 1, -1, -1):
                if elements[offset] == element:
                    return first + offset
            before = first
        raise HistoryChangedError(self.session_id)

    def _read_op(self, command: str, *arguments: int) -> Op[Any]:
        """Return a read command, which also renews the expiry if that is set."""
        if self.refresh_ttl_on_read and self.ttl_ms:
            return _REFRESH.op([self.key], (self.ttl_ms, command, *arguments), as_it_is)
        return Op((command, self.key, *arguments), as_it_is)

    def copy(self, target: HistoryOps, length: int | None) -> Flow[None]:
        """Copy the first `length` elements, unchanged, to a session that must not exist."""
        if (yield from ask(Op(("EXISTS", target.key), int))):
            raise SessionExistsError(target.session_id)
        cursor = Cursor.of_slice(None, length)
        copied, last = 0, b""
        while cursor is not None:
            page, cursor = yield from self.page(cursor)
            if page.elements:
                arguments = (target.ttl_ms, copied, last, *page.elements)
                if not (yield from ask(_COPY.op([target.key], arguments, int))):
                    raise SessionExistsError(target.session_id)
                copied, last = copied + len(page.elements), page.elements[-1]

    def decode_page(self, page: Page) -> Iterator[EntryTuple]:
        """Yield the entries of a page; treat corrupt elements as `on_corrupt` says."""
        for index, element in enumerate(page.elements, page.first):
            try:
                yield decode(element)
            except UndecodableError as error:
                may_skip = self.on_corrupt is OnCorrupt.RAISE
                corrupt = CorruptEntryError(self.session_id, index, str(error), may_skip=may_skip)
                if self.on_corrupt is not OnCorrupt.SKIP:
                    raise corrupt from error
                _logger.warning("skipped a corrupt entry: %s", corrupt)
