"""`MemorystoreChatMessageHistory`, LangChain's interface to a session.

Strategy: a thin adapter. What an operation sends and what its answer means is decided in
`operations.py`; here each method is a line, and its async twin the same line with `await`.
LangChain removes `BaseChatMessageHistory` in 2.0: nothing below this module knows of it.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal, NoReturn, overload

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.compression import compression_threshold
from langchain_google_memorystore_redis._history.batch import Stamp, as_messages
from langchain_google_memorystore_redis._history.display import Display
from langchain_google_memorystore_redis._history.entry import Entry
from langchain_google_memorystore_redis._history.idempotency import outbox_of
from langchain_google_memorystore_redis._history.operations import Cursor, HistoryOps
from langchain_google_memorystore_redis._history.read_cache import ReadCache, read_on
from langchain_google_memorystore_redis._redis.arguments import (
    boolean,
    instance_or_none,
    milliseconds,
    not_negative,
    not_negative_or_none,
    one_of,
    positive,
    ttl_milliseconds,
)
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.keys import session_key
from langchain_google_memorystore_redis._redis.op import Flow, Op, ask


class MemorystoreChatMessageHistory(Display, BaseChatMessageHistory):
    """The messages of one chat session, in Memorystore for Redis, Redis Cluster or Valkey.

    Args:
        client: a client of redis-py or valkey-py, blocking or asyncio, standalone, cluster or
            sentinel, `decode_responses` on or off. A blocking client serves async methods from
            a thread; an asyncio client serves async methods only.
        session_id: names the session; any non-empty str.
        ttl: seconds (or a timedelta) after the last append at which the session expires; None
            leaves its expiry alone.
        async_client: an asyncio client for the async methods, beside a blocking `client`.
        key_prefix: put before `session_id` to make the key of the session.
        max_messages: how many messages the session may hold; each append drops the oldest over
            that, and tool results that are left without their call: all, if only those are left.
        refresh_ttl_on_read: reading messages renews `ttl` too.
        replicas_ack: how many replicas must have an append before it returns; 0 asks none. Fewer
            raise `NotReplicatedError` after `replicas_ack_timeout` seconds, which must be less
            than the client's `socket_timeout`. The messages are stored all the same.
        cache: a `ReadCache`, with which reading all messages again moves and decodes new ones only.
        compress: "zstd" stores messages of `compress_min_bytes` of JSON and more compressed, where
            that makes them smaller (extra `zstd`). Every history of this package with the extra
            reads them; release 0.3.0 cannot, and raises UnicodeDecodeError.
        on_corrupt: what a read does with an element that is no message: "raise" a
            `CorruptEntryError`, or "skip" it with a warning in the log.

    The constructor sends nothing. Methods raise the client's own errors when the server is
    away, full, read-only or refuses permission, and `WrongTypeError` when the key holds
    something else. One object may be used by many threads and tasks at once.

    Example:
        >>> history = MemorystoreChatMessageHistory(client, session_id="docs:start", ttl=3600)
        >>> history.add_user_message("hi")
        >>> history.add_ai_message("Hello! How can I help?")
        >>> [message.content for message in history.messages]
        ['hi', 'Hello! How can I help?']
        >>> history.clear()
    """

    def __init__(
        self,
        client: Any,
        session_id: str,
        ttl: float | timedelta | None = None,
        *,
        async_client: Any = None,
        key_prefix: str = "",
        max_messages: int | None = None,
        refresh_ttl_on_read: bool = False,
        on_corrupt: Literal["raise", "skip"] = "raise",
        replicas_ack: int = 0,
        replicas_ack_timeout: float | timedelta = 1.0,
        cache: ReadCache | None = None,
        compress: Literal["zstd"] | None = None,
        compress_min_bytes: int = 256,
    ) -> None:
        self._ops = HistoryOps(
            session_id=session_id,
            key=session_key(key_prefix, session_id),
            ttl_ms=ttl_milliseconds(ttl),
            max_messages=0 if max_messages is None else positive("max_messages", max_messages),
            refresh_ttl_on_read=boolean("refresh_ttl_on_read", refresh_ttl_on_read),
            skip_corrupt=one_of("on_corrupt", on_corrupt, ("raise", "skip")) == "skip",
            replicas_ack=not_negative("replicas_ack", replicas_ack),
            replicas_ack_timeout_ms=milliseconds("replicas_ack_timeout", replicas_ack_timeout),
            compress_min_bytes=compression_threshold(compress, compress_min_bytes),
        )
        self._sync, self._async = runners_for(client, async_client)
        self._client = client
        self._key_prefix = key_prefix
        self._outbox = outbox_of(client)
        self._cache = instance_or_none("cache", cache, ReadCache)

    @property
    def session_id(self) -> str:
        """The name of the session, without `key_prefix`; no round trip."""
        return self._ops.session_id

    @property
    def key(self) -> str:
        """The key the session is stored under; no round trip."""
        return self._ops.key.decode()

    # Reading

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]
        """All messages, oldest first, as a list of your own.

        One round trip up to 5,000 messages, then one for each further 5,000, between which it may
        raise `HistoryChangedError` as `for` does. Raises `CorruptEntryError` (see `on_corrupt`).

        Example:
            >>> history.messages
            [HumanMessage(content='hi', additional_kwargs={}, response_metadata={})]
        """
        return self._sync.run(self._read(None, None))

    @overload
    def __getitem__(self, index: int) -> BaseMessage: ...
    @overload
    def __getitem__(self, index: slice) -> list[BaseMessage]: ...
    def __getitem__(self, index: int | slice) -> BaseMessage | list[BaseMessage]:
        """`history[3]`, `history[-20:]`: one message, or a range as `get_messages` gives it.

        One round trip, two for a slice with a step. Raises `MessageIndexError` (an IndexError)
        if there is no such message; a slice is cut to what there is.

        Example:
            >>> history[-1].content
            'hi'
            >>> history[-20:] == history.messages
            True
        """
        if not isinstance(index, slice):
            return self._sync.run(self._ops.at(operator.index(index)))
        if index.step in (None, 1):
            return self.get_messages(index.start, index.stop)
        wanted = range(self.count())[index]
        ends = sorted((wanted[0], wanted[-1])) if wanted else (0, -1)
        return self.get_messages(ends[0], ends[1] + 1)[:: wanted.step]

    def get_messages(self, start: int | None = None, stop: int | None = None) -> list[BaseMessage]:
        """The messages of `history[start:stop]`, by the rules of Python's slices.

        One round trip up to 5,000 messages, then one a page; one more when one bound counts from
        the front and the other from the end, or when more than 5,000 are counted from the end.
        What is outside the range is not moved. Raises as `messages`, `HistoryChangedError` too.

        Example:
            >>> history.get_messages(-20)  # the last twenty
            [HumanMessage(content='hi', additional_kwargs={}, response_metadata={})]
        """
        return self._sync.run(self._read(start, stop))

    async def aget_messages(
        self, start: int | None = None, stop: int | None = None
    ) -> list[BaseMessage]:
        """Async twin of `get_messages`; without arguments, of `messages`."""
        return await self._async.run(self._read(start, stop))

    def entries(self, start: int | None = None, stop: int | None = None) -> list[Entry]:
        """What `get_messages` gives, with the id and time of writing of each message.

        Round trips and errors, `HistoryChangedError` too, as for `get_messages`.

        Example:
            >>> entry = history.entries()[-1]
            >>> entry.message.content, len(entry.id), entry.written_at.tzname()
            ('hi', 12, 'UTC')
        """
        return [Entry.of(row) for row in self._sync.run(self._ops.rows(start, stop))]

    async def aentries(self, start: int | None = None, stop: int | None = None) -> list[Entry]:
        """Async twin of `entries`."""
        return [Entry.of(row) for row in await self._async.run(self._ops.rows(start, stop))]

    def count(self) -> int:
        """How many messages there are, also as `len(history)`. One round trip.

        Example:
            >>> history.count(), len(history)
            (1, 1)
        """
        return self._sync.run(self._ops.count())

    async def acount(self) -> int:
        """Async twin of `count`."""
        return await self._async.run(self._ops.count())

    def __iter__(self) -> Iterator[BaseMessage]:
        """Iterate without loading all: one round trip for each 5,000 messages.

        Messages appended meanwhile are seen, those that `max_messages` drops passed over. Raises
        `HistoryChangedError` if the next page's first one is gone: cut, or dropped with all before.

        Example:
            >>> [message.content for message in history]
            ['hi']
        """
        cursor: Cursor | None = Cursor()
        while cursor is not None:
            page, cursor = self._sync.run(self._ops.page(cursor))
            for row in self._ops.decode_page(page):
                yield row[0]

    async def __aiter__(self) -> AsyncIterator[BaseMessage]:
        """Async twin of `__iter__`: `async for message in history`."""
        cursor: Cursor | None = Cursor()
        while cursor is not None:
            page, cursor = await self._async.run(self._ops.page(cursor))
            for row in self._ops.decode_page(page):
                yield row[0]

    # Writing

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Append messages in order, all of them or none. One round trip.

        The batch is stored once even when the client sends it again after a lost reply. It
        renews `ttl` and applies `max_messages` in the same step. Raises `InvalidMessageError`,
        before anything is sent, for a message that could not be read back equal, and
        `NotReplicatedError` (see `replicas_ack`).

        If it raises an error of the connection, the batch may or may not be stored. Call it
        again within ten minutes with the same message objects, unchanged, on this or another
        history object of the session with the same client: the batch is then stored once.

        Example:
            >>> from langchain_core.messages import AIMessage, HumanMessage
            >>> history.add_messages([HumanMessage("2 + 2?"), AIMessage("4")])
            >>> len(history)
            3
        """
        if batch := as_messages(messages):
            self._append(batch)

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Async twin of `add_messages`."""
        if batch := as_messages(messages):
            await self._aappend(batch)

    def add_message(self, message: BaseMessage) -> None:
        """Append one message; `add_messages` costs the same for any number. One round trip.

        Example:
            >>> from langchain_core.messages import ToolMessage
            >>> history.add_message(ToolMessage("12 °C", tool_call_id="call-1"))
        """
        self.add_messages([message])

    async def aadd_message(self, message: BaseMessage) -> None:
        """Async twin of `add_message`."""
        await self.aadd_messages([message])

    def truncate(self, length: int) -> None:
        """Keep the first `length` messages, to edit one or have an answer made again.

        One round trip. Does nothing if there are no more than that. Safe to repeat.

        Example:
            >>> history.truncate(len(history) - 1)
        """
        self._sync.run(self._cut(self._ops.truncate(not_negative("length", length))))

    async def atruncate(self, length: int) -> None:
        """Async twin of `truncate`."""
        await self._async.run(self._cut(self._ops.truncate(not_negative("length", length))))

    def copy(self, session_id: str, length: int | None = None) -> MemorystoreChatMessageHistory:
        """Branch: copy the first `length` messages (None: all) to a new session, and return it.

        The new history has this one's client and settings, and the entries keep their ids and
        times. Works across cluster slots. Three round trips up to 5,000 messages, then two for
        each further 5,000; a copy of more that is broken off leaves its first pages: clear it.
        Raises `SessionExistsError` if it exists, `HistoryChangedError` if this is cut meanwhile.

        Example:
            >>> branch = history.copy("docs:branch", length=1)
            >>> branch.messages == history[:1]
            True
            >>> branch.clear()
        """
        branch = self._open(session_id)
        self._sync.run(self._ops.copy_to(branch._ops, not_negative_or_none("length", length)))
        return branch

    async def acopy(
        self, session_id: str, length: int | None = None
    ) -> MemorystoreChatMessageHistory:
        """Async twin of `copy`."""
        branch = self._open(session_id)
        await self._async.run(
            self._ops.copy_to(branch._ops, not_negative_or_none("length", length))
        )
        return branch

    def clear(self) -> None:
        """Remove the session. One round trip. Safe to repeat.

        Raises `WrongTypeError` if the key holds something else, which is left alone.

        Example:
            >>> history.clear()
            >>> len(history)
            0
        """
        self._sync.run(self._cut(self._ops.clear()))

    async def aclear(self) -> None:
        """Async twin of `clear`."""
        await self._async.run(self._cut(self._ops.clear()))

    # The rest of what Python asks of an object with a length

    def __len__(self) -> int:
        """How many messages there are. One round trip."""
        return self.count()

    def __bool__(self) -> bool:
        """Always true: `if history` must not ask the server, as it would for a length."""
        return True

    def __reversed__(self) -> NoReturn:
        """Not offered: Python would make a round trip for each message."""
        raise TypeError("use reversed(history.messages) or reversed(history[-20:])")

    def __repr__(self) -> str:
        """Names key and client; no round trip."""
        client = f"{type(self._client).__module__}.{type(self._client).__qualname__}"
        return f"{type(self).__name__}(key={self.key!r}, client={client})"

    def _append(self, messages: Sequence[BaseMessage], stamp: Stamp | None = None) -> None:
        with self._outbox.sending(self._ops, messages, stamp) as batch:
            length = self._sync.run(self._ops.append(batch))
        self._outbox.saw(self._ops.key, length)

    async def _aappend(self, messages: Sequence[BaseMessage], stamp: Stamp | None = None) -> None:
        with self._outbox.sending(self._ops, messages, stamp) as batch:
            length = await self._async.run(self._ops.append(batch))
        self._outbox.saw(self._ops.key, length)

    def _read(self, start: int | None, stop: int | None) -> Flow[list[BaseMessage]]:
        cache = self._cache if start is None and stop is None else None
        messages = yield from read_on(self._ops, cache) if cache else self._ops.slice(start, stop)
        if start is None and stop is None:
            self._outbox.saw(self._ops.key, len(messages))
        return messages

    def _cut(self, op: Op[None]) -> Flow[None]:
        yield from ask(op)
        if self._cache is not None:
            self._cache.forget(self.key)

    def _open(self, session_id: str) -> MemorystoreChatMessageHistory:
        branch = copy.copy(self)
        key = session_key(self._key_prefix, session_id)
        branch._ops = replace(self._ops, session_id=session_id, key=key)
        return branch
