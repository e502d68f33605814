"""Operations on conversations, and the events that keep every open page up to date.

Strategy: a conversation is a `MemorystoreChatMessageHistory` and nothing else; Redis pub/sub only
announces that it changed. Any number of workers can therefore serve any number of tabs, and a lost
announcement does no harm: every event carries the whole state.

A user's message is stored when it is sent, the answer in one step when it is complete. An edit or a
new answer replaces what it supersedes in that same step, so whatever fails, the conversation holds
the old messages or the new ones. A crash while the model generates loses an answer that can be
regenerated, never a message of the user, and no tool call is ever stored without its result. One
turn at a time writes to a conversation, under a lock in Redis that expires if its worker dies.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import redis.asyncio
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from model import Model, stream_answer
from redis.asyncio.lock import Lock
from redis.exceptions import LockError, RedisError

from langchain_google_memorystore_redis import (
    Entry,
    EntryNotFoundError,
    MemorystoreChatMessageHistory,
    MemorystoreError,
)
from langchain_google_memorystore_redis.sessions import Session, alist_sessions

ID = "[a-z0-9-]{1,64}"
"""Pattern of the ids of conversations, which are part of addresses."""

PREFIX = "chat_app:conversation:"
EVENTS = "chat_app:events"
LOCKS = "chat_app:turn:"
LOCK_TIMEOUT = 60  # longer than a model is silent
REFRESH_INTERVAL = 10
LISTEN_TIMEOUT = 0.5
DRAFT_INTERVAL = 0.04  # a draft is sent as a whole, so not for every word
RETRY_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)

Event = tuple[str, Any]


class ConflictError(Exception):
    """The request does not fit the present state of the conversation."""


def view(message: BaseMessage, entry: Entry | None = None) -> dict[str, Any]:
    """Return a message as the page receives it."""
    fields: dict[str, Any] = {"kind": message.type, "text": str(message.text), "calls": []}
    if entry:
        fields["id"] = entry.id
        fields["at"] = entry.written_at.isoformat() if entry.written_at else None
    if isinstance(message, AIMessage):
        fields["calls"] = [
            {"id": call["id"], "name": call["name"], "arguments": _arguments(call["args"])}
            for call in message.tool_calls
        ]
    if isinstance(message, ToolMessage):
        fields |= {"call": message.tool_call_id, "failed": message.status == "error"}
    return fields


def _arguments(values: dict[str, Any]) -> str:
    """Return the arguments of a call as text: NaN, which models write, is no JSON."""
    return ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in values.items()
    )


class Conversations:
    """Conversations under the app's prefix, and the running turns of this worker."""

    def __init__(self, client: redis.asyncio.Redis, model: Model) -> None:
        self._client = client
        self._model = model
        self._turns: set[asyncio.Task[None]] = set()
        self._closing = False

    def _history(self, conversation: str) -> MemorystoreChatMessageHistory:
        return MemorystoreChatMessageHistory(self._client, conversation, key_prefix=PREFIX)

    # Reading

    async def sidebar(self) -> list[dict[str, Any]]:
        """Return all conversations, newest first.

        Finds them by SCAN, which examines all keys of the server: fit for the chats of one person.
        An app with many users would keep the ids of each user's conversations in a sorted set.
        """
        sessions = [
            session
            async for session in alist_sessions(self._client, PREFIX)
            if re.fullmatch(ID, session.session_id)
        ]
        items = await asyncio.gather(*map(self._sidebar_item, sessions))
        return sorted(filter(None, items), key=lambda item: item["at"], reverse=True)

    async def _sidebar_item(self, session: Session) -> dict[str, Any] | None:
        first = await self._history(session.session_id).aget_messages(0, 1)
        at = session.last_written_at
        if not first:  # deleted meanwhile
            return None
        return {
            "id": session.session_id,
            "title": str(first[0].text)[:200],
            "messages": session.messages,
            "at": at.isoformat() if at else "",
        }

    async def snapshot(self, conversation: str) -> dict[str, Any]:
        """Return all messages, and whether an answer is being generated."""
        entries = await self._history(conversation).aentries()
        return {
            "id": conversation,
            "messages": [view(entry.message, entry) for entry in entries],
            "busy": bool(await self._client.exists(LOCKS + conversation)),
        }

    async def events(self, conversation: str) -> AsyncIterator[Event]:
        """Yield the state for a page, at first and after each change, until `end_events`.

        While Redis is unreachable, yields "offline" and tries again.
        """
        own = f"{EVENTS}:{conversation}"
        while not self._closing:
            try:
                async with self._client.pubsub() as pubsub:
                    await pubsub.subscribe(own, EVENTS)
                    async for name, data in self._announcements(pubsub, own):
                        if name == "changed":
                            yield "conversation", await self.snapshot(conversation)
                        elif name == "list":
                            yield "sidebar", await self.sidebar()
                        else:
                            yield name, data
            except (RedisError, MemorystoreError) as error:
                yield "offline", explain(error)
                await asyncio.sleep(1)

    async def _announcements(self, pubsub: Any, own: str) -> AsyncIterator[Event]:
        refreshed_at = time.monotonic()
        while not self._closing:
            message = await pubsub.get_message(timeout=LISTEN_TIMEOUT)
            if message is None:
                # Nobody announces that the worker of an answer died.
                if time.monotonic() - refreshed_at > REFRESH_INTERVAL:
                    refreshed_at = time.monotonic()
                    yield "changed", None
            elif message["type"] == "subscribe":  # also after a reconnect
                yield ("changed" if message["channel"] == own else "list"), None
            elif message["type"] == "message":
                name, data = json.loads(message["data"])
                yield name, data

    async def _publish(self, conversation: str, name: str, data: Any = None) -> None:
        await self._client.publish(f"{EVENTS}:{conversation}", json.dumps([name, data]))

    async def _announce(self, conversation: str) -> None:
        await self._publish(conversation, "changed")
        await self._client.publish(EVENTS, json.dumps(["list", None]))

    # Writing

    async def send(self, conversation: str, text: str, replaces: str | None = None) -> None:
        """Store a message, in place of message `replaces` and all later ones, and answer it."""
        history = self._history(conversation)
        lock = await self._lock(conversation)
        try:
            await self._store(history, [HumanMessage(text)], lock, replaces)
            self._start_turn(history, lock)
        except BaseException:
            await _release(lock)
            raise

    async def regenerate(self, conversation: str) -> None:
        """Generate an answer, which replaces the last one with its tool calls once complete."""
        history = self._history(conversation)
        lock = await self._lock(conversation)
        try:
            if "human" not in {message.type for message in await history.aget_messages()}:
                raise ConflictError("There is no message to answer.")
            self._start_turn(history, lock)
        except BaseException:
            await _release(lock)
            raise

    async def branch(self, conversation: str, entry: str) -> str:
        """Copy all messages up to `entry` to a new conversation, and return its id."""
        history = self._history(conversation)
        branch = f"branch-{secrets.token_hex(8)}"
        await history.acopy(branch, length=await self._index(history, entry) + 1)
        await self._announce(branch)
        return branch

    async def delete(self, conversation: str) -> None:
        """Delete a conversation, unless an answer is being generated, which would restore it."""
        lock = await self._lock(conversation)
        try:
            await self._history(conversation).aclear()
        finally:
            await _release(lock)
        await self._announce(conversation)

    def end_events(self) -> None:
        """End `events` of every page, within half a second."""
        self._closing = True

    async def close(self) -> None:
        """Cancel all running turns; their answers can be regenerated."""
        for turn in self._turns:
            turn.cancel()
        await asyncio.gather(*self._turns, return_exceptions=True)

    async def _index(self, history: MemorystoreChatMessageHistory, entry_id: str) -> int:
        ids = [entry.id for entry in await history.aentries()]
        if entry_id not in ids:
            raise EntryNotFoundError(history.session_id, entry_id)
        return ids.index(entry_id)

    async def _lock(self, conversation: str) -> Lock:
        lock = self._client.lock(LOCKS + conversation, timeout=LOCK_TIMEOUT, thread_local=False)
        if not await lock.acquire(blocking=False):
            raise ConflictError("An answer is still being generated. Wait until it is complete.")
        return lock

    async def _store(
        self,
        history: MemorystoreChatMessageHistory,
        messages: list[BaseMessage],
        lock: Lock,
        replaces: str | None,
    ) -> None:
        """Store messages at the end, or in place of entry `replaces` and all later ones.

        Retries pass the same objects, which are stored only once.
        """
        for pause in (*RETRY_PAUSES, None):
            try:
                await lock.reacquire()
                if replaces is None:
                    await history.aadd_messages(messages)
                else:
                    await history.areplace_from(replaces, messages)
            except (redis.ConnectionError, redis.TimeoutError):
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                return

    def _start_turn(self, history: MemorystoreChatMessageHistory, lock: Lock) -> None:
        turn = asyncio.create_task(self._run_turn(history, lock))
        self._turns.add(turn)  # the loop itself keeps only weak references
        turn.add_done_callback(self._turns.discard)

    async def _run_turn(self, history: MemorystoreChatMessageHistory, lock: Lock) -> None:
        conversation, problem = history.session_id, None
        try:
            await self._announce(conversation)
            answer, replaces = await self._generate(history, lock)
            await self._store(history, answer, lock, replaces)
        except Exception as error:  # noqa: BLE001  (shown to the user)
            problem = explain(error)
        finally:
            await _release(lock)
        with suppress(RedisError):  # each tab notices an outage by itself
            await self._announce(conversation)
            if problem:
                await self._publish(conversation, "problem", problem)

    async def _generate(
        self, history: MemorystoreChatMessageHistory, lock: Lock
    ) -> tuple[list[BaseMessage], str | None]:
        """Return an answer to the last message of the user, and the entry that it replaces.

        Sends drafts of it to every tab meanwhile.
        """
        entries = await history.aentries()
        end = max(i for i, entry in enumerate(entries, 1) if entry.message.type == "human")
        replaces = entries[end].id if end < len(entries) else None
        messages = [entry.message for entry in entries[:end]]
        answer: list[BaseMessage] = []
        sent_at = 0.0
        async for answer in stream_answer(self._model, messages):
            if time.monotonic() - sent_at < DRAFT_INTERVAL:
                continue
            with suppress(redis.ConnectionError, redis.TimeoutError):  # needed only for storing
                await lock.reacquire()
                draft = {"after": end, "messages": [view(each) for each in answer]}
                await self._publish(history.session_id, "draft", draft)
            sent_at = time.monotonic()
        return answer, replaces


async def _release(lock: Lock) -> None:
    with suppress(RedisError):  # it expires
        await lock.release()


def explain(error: Exception) -> str:
    """Return an error as a line for the user."""
    if isinstance(error, (redis.ConnectionError, redis.TimeoutError)):
        return "Redis is not reachable. Trying again."
    if isinstance(error, LockError):
        return "The answer took too long and was cancelled."
    if isinstance(error, EntryNotFoundError):
        return "That message no longer exists: it was changed in another tab."
    if isinstance(error, ConflictError):
        return str(error)
    return f"{type(error).__name__}: {error}"[:500]
