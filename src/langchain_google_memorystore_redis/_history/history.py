"""`MemorystoreChatMessageHistory`, LangChain's interface to a session.

Strategy: a thin adapter over `operations.py`, in which each method is a line or two and its async
twin the same lines with `await`. LangChain removes `BaseChatMessageHistory` in 2.0, so no other
module depends on it.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal, NoReturn, overload

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_google_memorystore_redis._codec.compression import compression_threshold
from langchain_google_memorystore_redis._history.batch import (
    IdempotencyKey,
    message_list,
    message_of,
)
from langchain_google_memorystore_redis._history.display import Display
from langchain_google_memorystore_redis._history.entry import Entry
from langchain_google_memorystore_redis._history.idempotency import APPENDS
from langchain_google_memorystore_redis._history.newest import UNKNOWN, Newest
from langchain_google_memorystore_redis._history.operations import Cursor, HistoryOps, OnCorrupt
from langchain_google_memorystore_redis._history.read_cache import ReadCache, read_with_cache
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
from langchain_google_memorystore_redis._redis.op import Flow, T
from langchain_google_memorystore_redis._redis.sharing import SharesClient


class MemorystoreChatMessageHistory(SharesClient, Display, BaseChatMessageHistory):
    """Messages of one chat session, in Memorystore for Redis, Redis Cluster or Valkey.

    Args:
        client: a client of redis-py or valkey-py, blocking or asyncio, standalone, cluster or
            sentinel, `decode_responses` on or off. A blocking client serves the async methods from
            a thread; an asyncio client serves the blocking methods from other threads than that of
            its event loop.
        session_id: name of the session, any non-empty str.
        ttl: expiry in seconds (or a timedelta), counted from the last append; None does not change
            the expiry.
        async_client: an asyncio client for the async methods, beside a blocking `client`.
        key_prefix: prefix of `session_id` in the key of the session.
        max_messages: limit of messages in the session. An append over it drops the oldest, and with
            them tool results whose call is dropped (all messages, if only such results are left).
        refresh_ttl_on_read: reading messages also renews `ttl`.
        replicas_ack: number of replicas that must confirm an append before it returns; 0 does not
            wait. Fewer raise `NotReplicatedError` after `replicas_ack_timeout` seconds, which must
            be less than the client's `socket_timeout`; the messages are stored all the same.
        cache: a `ReadCache`, with which reading all messages again moves and decodes new ones only.
        compress: "zstd" compresses messages of `compress_min_bytes` of JSON or more, if that makes
            them smaller (extra `zstd`). Every history of this package with that extra reads them;
            release 0.3.0 raises UnicodeDecodeError.
        on_corrupt: policy of reads for a stored element that is no message: "raise"
            `CorruptEntryError`, or "skip" it and log a warning.
        on_inexact: policy of appends for a field that JSON cannot carry exactly, such as a Document
            in an artifact: "convert" it to a plain form (see `add_messages`) and log a warning, or
            "raise" `InvalidMessageError`.

    The constructor sends nothing. Methods raise the client's own errors if the server is
    unreachable, out of memory, read-only or refuses permission, and `WrongTypeError` if the key
    holds another type. One object may be used by many threads and tasks at once.

    Examples:
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
        on_inexact: Literal["convert", "raise"] = "convert",
    ) -> None:
        self._sync, self._async = runners_for(client, async_client)
        self._appends = APPENDS.of(client)
        self._ops = HistoryOps(
            session_id=session_id,
            key=session_key(key_prefix, session_id),
            ttl_ms=ttl_milliseconds(ttl),
            max_messages=0 if max_messages is None else positive("max_messages", max_messages),
            refresh_ttl_on_read=boolean("refresh_ttl_on_read", refresh_ttl_on_read),
            on_corrupt=OnCorrupt(one_of("on_corrupt", on_corrupt, ("raise", "skip"))),
            replicas_ack=not_negative("replicas_ack", replicas_ack),
            replicas_ack_timeout_ms=milliseconds("replicas_ack_timeout", replicas_ack_timeout),
            compress_min_bytes=compression_threshold(compress, compress_min_bytes),
            convert_inexact=one_of("on_inexact", on_inexact, ("convert", "raise")) == "convert",
            known=self._appends.known,
        )
        self._client, self._key_prefix = client, key_prefix
        self._cache = instance_or_none("cache", cache, ReadCache)

    @property
    def session_id(self) -> str:
        """Name of the session, without `key_prefix`; no round trip."""
        return self._ops.session_id

    @property
    def key(self) -> str:
        """Key of the session in the server; no round trip."""
        return self._ops.key.decode()

    # Reading

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]
        """All messages, oldest first, as a new list.

        One round trip up to 5,000 messages, then one for each further 5,000. Raises
        `CorruptEntryError` (see `on_corrupt`) and, between two round trips, `HistoryChangedError`
        as `__iter__` does.

        Examples:
            >>> history.messages
            [HumanMessage(content='hi', additional_kwargs={}, response_metadata={})]
        """
        return self._sync.run(self._read(None, None))

    @overload
    def __getitem__(self, index: int) -> BaseMessage: ...
    @overload
    def __getitem__(self, index: slice) -> list[BaseMessage]: ...
    def __getitem__(self, index: int | slice) -> BaseMessage | list[BaseMessage]:
        """Return one message (`history[3]`), or the messages of a slice (`history[-20:]`).

        One round trip, two for a slice with a step; long slices as `get_messages`. Raises
        `MessageIndexError` (an IndexError) if there is no message at the index; a slice returns
        those that exist.

        Examples:
            >>> history[-1].content
            'hi'
            >>> history[-20:] == history.messages
            True
        """
        if not isinstance(index, slice):
            return self._sync.run(self._ops.message_at(operator.index(index)))
        if index.step in (None, 1):
            return self.get_messages(index.start, index.stop)
        wanted = range(self.count())[index]
        ends = sorted((wanted[0], wanted[-1])) if wanted else (0, -1)
        return self.get_messages(ends[0], ends[1] + 1)[:: wanted.step]

    def get_messages(self, start: int | None = None, stop: int | None = None) -> list[BaseMessage]:
        """Return the messages of `history[start:stop]`, by the rules of Python's slices.

        One round trip up to 5,000 messages, then one for each further 5,000; one more if one bound
        counts from the front and the other from the end, or if more than 5,000 count from the end.
        Messages outside the range are not transferred. Raises as `messages` does.

        Examples:
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
        """Return the messages of `history[start:stop]` with their ids and times of writing.

        Round trips and errors as for `get_messages`.

        Examples:
            >>> entry = history.entries()[-1]
            >>> entry.message.content, len(entry.id), entry.written_at.tzname()
            ('hi', 12, 'UTC')
        """
        return list(map(Entry.of, self._sync.run(self._ops.entries(start, stop))))

    async def aentries(self, start: int | None = None, stop: int | None = None) -> list[Entry]:
        """Async twin of `entries`."""
        return list(map(Entry.of, await self._async.run(self._ops.entries(start, stop))))

    def count(self) -> int:
        """Return the number of messages, as `len(history)` does. One round trip.

        Examples:
            >>> history.count(), len(history)
            (1, 1)
        """
        return self._sync.run(self._ops.count())

    async def acount(self) -> int:
        """Async twin of `count`."""
        return await self._async.run(self._ops.count())

    def __iter__(self) -> Iterator[BaseMessage]:
        """Iterate over the messages without loading all, 5,000 a round trip.

        Includes messages that are appended meanwhile, and passes over those that `max_messages`
        drops. Raises `CorruptEntryError` (see `on_corrupt`), and `HistoryChangedError` if the first
        message of the next page has been removed meanwhile.

        Examples:
            >>> [message.content for message in history]
            ['hi']
        """
        cursor: Cursor | None = Cursor()
        while cursor is not None:
            page, cursor = self._sync.run(self._ops.page(cursor))
            for entry in self._ops.decode_page(page):
                yield entry[0]

    async def __aiter__(self) -> AsyncIterator[BaseMessage]:
        """Async twin of `__iter__`: `async for message in history`."""
        cursor: Cursor | None = Cursor()
        while cursor is not None:
            page, cursor = await self._async.run(self._ops.page(cursor))
            for entry in self._ops.decode_page(page):
                yield entry[0]

    # Writing

    def add_messages(
        self, messages: Sequence[BaseMessage], *, idempotency_key: str | None = None
    ) -> None:
        """Append messages in order, all or none. One round trip; two if others cut the session.

        The same script renews `ttl` and applies `max_messages`. The batch is stored once, even if
        the client sends it again after a lost reply. Raises `InvalidMessageError`, before anything
        is sent, for a message that cannot be stored, and `NotReplicatedError` (see `replicas_ack`).

        Messages are read back equal, but for the fields that `Entry.inexact` names. JSON cannot
        carry those, so a plain form is stored: models and dataclasses as dicts, dates and times as
        ISO 8601, UUIDs and Decimals as text, enums as their value, tuples and sets as lists, bytes
        as base64, keys of dicts as str. What has no such form, such as an open file, is left out of
        `artifact`, which LangChain never sends to a model, and refused elsewhere.

        After a connection error the batch may or may not be stored. To retry, call this method
        within ten minutes with the same message objects, unchanged, on this or another history
        object of the session with the same client: the batch is then stored once. A copy of a
        message (`message.model_copy()`) is a new message.

        With an `idempotency_key`, such as the id of the task or request that is handled, the batch
        is stored once whoever sends it, in any process: nothing is stored if the newest 1,000
        entries hold one that was appended with this key, whatever its text. `find_batch` returns
        what was stored.

        Examples:
            >>> from langchain_core.messages import AIMessage, HumanMessage
            >>> history.add_messages([HumanMessage("2 + 2?"), AIMessage("4")])
            >>> len(history)
            3
        """
        self._append(message_list(messages), IdempotencyKey.or_none(idempotency_key))

    async def aadd_messages(
        self, messages: Sequence[BaseMessage], *, idempotency_key: str | None = None
    ) -> None:
        """Async twin of `add_messages`."""
        await self._aappend(message_list(messages), IdempotencyKey.or_none(idempotency_key))

    def add_message(self, message: BaseMessage, *, idempotency_key: str | None = None) -> None:
        """Append one message, as `add_messages` does. One round trip, as for many.

        Examples:
            >>> from langchain_core.messages import ToolMessage
            >>> history.add_message(ToolMessage("12 °C", tool_call_id="call-1"))
        """
        self.add_messages([message], idempotency_key=idempotency_key)

    async def aadd_message(
        self, message: BaseMessage, *, idempotency_key: str | None = None
    ) -> None:
        """Async twin of `add_message`."""
        await self.aadd_messages([message], idempotency_key=idempotency_key)

    def add_user_message(
        self, message: HumanMessage | str, *, idempotency_key: str | None = None
    ) -> None:
        """Append a message of the user, as `add_messages` does. One round trip.

        Examples:
            >>> history.add_user_message("Where is it warm?")
        """
        self.add_messages([message_of(HumanMessage, message)], idempotency_key=idempotency_key)

    async def aadd_user_message(
        self, message: HumanMessage | str, *, idempotency_key: str | None = None
    ) -> None:
        """Async twin of `add_user_message`."""
        await self.aadd_messages(
            [message_of(HumanMessage, message)], idempotency_key=idempotency_key
        )

    def add_ai_message(
        self, message: AIMessage | str, *, idempotency_key: str | None = None
    ) -> None:
        """Append a message of the model, as `add_messages` does. One round trip.

        Examples:
            >>> history.add_ai_message("In Nairobi.")
        """
        self.add_messages([message_of(AIMessage, message)], idempotency_key=idempotency_key)

    async def aadd_ai_message(
        self, message: AIMessage | str, *, idempotency_key: str | None = None
    ) -> None:
        """Async twin of `add_ai_message`."""
        await self.aadd_messages([message_of(AIMessage, message)], idempotency_key=idempotency_key)

    def find_batch(self, idempotency_key: str) -> list[Entry]:
        """Return the entries that were appended with a key, [] if there are none. One round trip.

        Ask before an answer is paid for: a handler that runs again finds the one of its first run.
        The server looks at the newest 1,000 entries; `clear` and an expiry remove the entries, a
        copy keeps them. Afterwards an append with the key looks only at what came meanwhile.

        Examples:
            >>> history.find_batch("task-1")
            []
        """
        key = IdempotencyKey.of(idempotency_key)
        return list(map(Entry.of, self._sync.run(self._ops.find_batch(key))))

    async def afind_batch(self, idempotency_key: str) -> list[Entry]:
        """Async twin of `find_batch`."""
        key = IdempotencyKey.of(idempotency_key)
        return list(map(Entry.of, await self._async.run(self._ops.find_batch(key))))

    def truncate(self, length: int) -> None:
        """Keep the first `length` messages and remove the rest, to edit or regenerate one.

        One round trip; two if this client has neither read nor written the end of the session, or
        others have since. All that stood behind when it was called is removed, whoever wrote it; a
        request that the network delivers late removes nothing newer. Does nothing if there are no
        more than `length`. Idempotent.

        Examples:
            >>> history.truncate(len(history) - 1)
        """
        self._sync.run(self._cut(self._ops.truncate(not_negative("length", length))))

    async def atruncate(self, length: int) -> None:
        """Async twin of `truncate`."""
        await self._async.run(self._cut(self._ops.truncate(not_negative("length", length))))

    def replace_from(self, entry_id: str, messages: Sequence[BaseMessage]) -> None:
        """Replace an entry and all after it with messages, all or nothing. One round trip.

        This is how to edit a message, or to store another answer, without ever losing the old ones
        to a failure; `entries` returns the ids. Renews `ttl`, and waits for replicas, as
        `add_messages` does; `max_messages` is applied by the next append. The server searches the
        newest 1,000 entries, the newest first. Raises `EntryNotFoundError` and changes nothing if
        the entry is not among them, for example because another client has replaced it.

        The batch is stored once, even if the client sends it again after a lost reply. After a
        connection error, repeat the call with the same message objects, as for `add_messages`.

        Examples:
            >>> from langchain_core.messages import HumanMessage
            >>> entry = history.entries()[-1]
            >>> history.replace_from(entry.id, [HumanMessage("edited")])
            >>> history[-1].content
            'edited'
        """
        attempt = self._appends.attempt(self._ops, message_list(messages), replaced=entry_id)
        try:
            work = self._cut(self._ops.replace_from(entry_id, attempt.batch))
            attempt.confirm(self._sync.run(work))
        except BaseException:  # as for `_append`
            self._appends.failed.append(attempt)
            raise

    async def areplace_from(self, entry_id: str, messages: Sequence[BaseMessage]) -> None:
        """Async twin of `replace_from`."""
        attempt = self._appends.attempt(self._ops, message_list(messages), replaced=entry_id)
        try:
            work = self._cut(self._ops.replace_from(entry_id, attempt.batch))
            attempt.confirm(await self._async.run(work))
        except BaseException:  # as for `_append`
            self._appends.failed.append(attempt)
            raise

    def copy(self, session_id: str, length: int | None = None) -> MemorystoreChatMessageHistory:
        """Copy the first `length` messages (None: all) to a new session, and return its history.

        The new history has this one's client and settings; entries keep their ids and times. Works
        across cluster slots. Three round trips up to 5,000 messages, then two for each further
        5,000. Raises `SessionExistsError` if the new session exists, and `HistoryChangedError` if
        this one is cut meanwhile. A copy of more than 5,000 messages that fails midway leaves those
        it has copied: clear it before you retry.

        Examples:
            >>> branch = history.copy("docs:branch", length=1)
            >>> branch.messages == history[:1]
            True
            >>> branch.clear()
        """
        branch = self._branch(session_id)
        self._sync.run(self._ops.copy(branch._ops, not_negative_or_none("length", length)))
        return branch

    async def acopy(
        self, session_id: str, length: int | None = None
    ) -> MemorystoreChatMessageHistory:
        """Async twin of `copy`."""
        branch = self._branch(session_id)
        await self._async.run(self._ops.copy(branch._ops, not_negative_or_none("length", length)))
        return branch

    def clear(self) -> None:
        """Remove the session. One round trip, or two as for `truncate`. Idempotent.

        Raises `WrongTypeError` if the key holds another type, and leaves it alone.

        Examples:
            >>> history.clear()
            >>> len(history)
            0
        """
        self._sync.run(self._cut(self._ops.truncate(0)))

    async def aclear(self) -> None:
        """Async twin of `clear`."""
        await self._async.run(self._cut(self._ops.truncate(0)))

    # Other protocols of Python

    def __len__(self) -> int:
        """Return the number of messages. One round trip."""
        return self.count()

    def __bool__(self) -> bool:
        """Return True: without this, `if history` would send a request for the length."""
        return True

    def __reversed__(self) -> NoReturn:
        """Raise TypeError: Python would make a round trip for each message."""
        raise TypeError("use reversed(history.messages) or reversed(history[-20:])")

    def __repr__(self) -> str:
        """Return the class with key and client; no round trip."""
        client = f"{type(self._client).__module__}.{type(self._client).__qualname__}"
        return f"{type(self).__name__}(key={self.key!r}, client={client})"

    def _append(
        self,
        messages: Sequence[BaseMessage],
        key: IdempotencyKey | None = None,
        absent_up_to: Newest = UNKNOWN,
    ) -> None:
        """Append messages; the interface for other modules of the package.

        A key comes from a user (`IdempotencyKey.of`) or is a name with the time to store. A caller
        that has read all entries, none of which has the key (`key.is_of`), may pass
        `newest_of(entries)` as `absent_up_to`; the server then looks only at what came after it.
        `find_batch` needs no such help, since the client remembers its answer.
        """
        if not messages:
            return
        attempt = self._appends.attempt(self._ops, messages, key, absent_up_to)
        try:
            reply = self._sync.run(self._ops.append(attempt.batch))
            while attempt.is_refused(reply):
                reply = self._sync.run(self._ops.append(attempt.batch))
            attempt.confirm(reply)
        except BaseException:  # also after the reply: what raises here may be a signal handler
            self._appends.failed.append(attempt)
            raise

    async def _aappend(
        self,
        messages: Sequence[BaseMessage],
        key: IdempotencyKey | None = None,
        absent_up_to: Newest = UNKNOWN,
    ) -> None:
        """Async twin of `_append`."""
        if not messages:
            return
        attempt = self._appends.attempt(self._ops, messages, key, absent_up_to)
        try:
            reply = await self._async.run(self._ops.append(attempt.batch))
            while attempt.is_refused(reply):
                reply = await self._async.run(self._ops.append(attempt.batch))
            attempt.confirm(reply)
        except BaseException:  # also after the reply: what raises here may be a signal handler
            self._appends.failed.append(attempt)
            raise

    def _read(self, start: int | None, stop: int | None) -> Flow[list[BaseMessage]]:
        if start is None and stop is None and self._cache is not None:
            return read_with_cache(self._ops, self._cache)
        return self._ops.get_messages(start, stop)

    def _cut(self, work: Flow[T]) -> Flow[T]:
        """Run what removes messages; the cache then forgets the session."""
        answer = yield from work
        if self._cache is not None:
            self._cache.forget(self.key)
        return answer

    def _branch(self, session_id: str) -> MemorystoreChatMessageHistory:
        """Return a history of another session with the same client and settings."""
        branch = copy.copy(self)
        key = session_key(self._key_prefix, session_id)
        branch._ops = replace(self._ops, session_id=session_id, key=key)
        return branch
