"""What can be done with conversations, and how every open page learns of it.

Strategy: a conversation is a `MemorystoreChatMessageHistory`, and nothing else is kept: its list is
the truth, and Redis pub/sub only says that it changed. So any number of workers serve any number
of tabs in step, and a lost notice costs nothing: whatever comes next carries the whole state.

What a person says is stored when it is sent, the answer in one append when it is whole. A crash
while the model writes then loses what can be made again and never what was typed, and no tool
call is ever stored without its result. One turn at a time writes to a conversation, by a lock in
Redis that expires if its worker dies.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import redis.asyncio
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from model import Model, growing_answer
from redis.asyncio.lock import Lock
from redis.exceptions import LockError, RedisError

from langchain_google_memorystore_redis import (
    Entry,
    MemorystoreChatMessageHistory,
    MemorystoreError,
)
from langchain_google_memorystore_redis.sessions import Session, alist_sessions

PREFIX = "chat_app:conversation:"
EVENTS = "chat_app:events"
LOCKS = "chat_app:turn:"
LOCK_SECONDS = 60  # a model may be silent for so long
BEAT_SECONDS = 10
LISTEN_SECONDS = 0.5
DRAFTS_EVERY = 0.04  # seconds; an answer is sent whole each time, so not for every word
PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)

Event = tuple[str, Any]


class ConflictError(Exception):
    """What was asked for does not fit what the conversation is now."""


def view(message: BaseMessage, entry: Entry | None = None) -> dict[str, Any]:
    """A message as the page gets it."""
    shown: dict[str, Any] = {"kind": message.type, "text": str(message.text), "calls": []}
    if entry:
        shown["id"] = entry.id
        shown["at"] = entry.written_at.isoformat() if entry.written_at else None
    if isinstance(message, AIMessage):
        calls = message.tool_calls
        shown["calls"] = [{"id": c["id"], "name": c["name"], "args": c["args"]} for c in calls]
    if isinstance(message, ToolMessage):
        shown |= {"call": message.tool_call_id, "failed": message.status == "error"}
    return shown


class Conversations:
    """Every conversation under the app's prefix, and the turns that this worker is running."""

    def __init__(self, client: redis.asyncio.Redis, model: Model) -> None:
        self._client = client
        self._model = model
        self._turns: set[asyncio.Task[None]] = set()
        self._closing = False

    def _history(self, conversation: str) -> MemorystoreChatMessageHistory:
        return MemorystoreChatMessageHistory(self._client, conversation, key_prefix=PREFIX)

    # Reading

    async def sidebar(self) -> list[dict[str, Any]]:
        """All conversations, newest first.

        Found by SCAN, which walks all keys of the server: right for one person's chats. An app
        of many users keeps the ids of each user's conversations in a sorted set instead.
        """
        sessions = [session async for session in alist_sessions(self._client, PREFIX)]
        shown = await asyncio.gather(*map(self._headline, sessions))
        return sorted(filter(None, shown), key=lambda one: one["at"], reverse=True)

    async def _headline(self, session: Session) -> dict[str, Any] | None:
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
        """All messages, and whether an answer is being written."""
        entries = await self._history(conversation).aentries()
        return {
            "id": conversation,
            "messages": [view(entry.message, entry) for entry in entries],
            "busy": bool(await self._client.exists(LOCKS + conversation)),
        }

    async def events(self, conversation: str) -> AsyncIterator[Event]:
        """What a page shows, whole at first and whenever it changes, until `hang_up`.

        While the server is away it says so, and begins again when it is back.
        """
        own = f"{EVENTS}:{conversation}"
        while not self._closing:
            try:
                async with self._client.pubsub() as pubsub:
                    await pubsub.subscribe(own, EVENTS)
                    async for name, data in self._heard(pubsub, own):
                        if name == "changed":
                            yield "conversation", await self.snapshot(conversation)
                        elif name == "list":
                            yield "sidebar", await self.sidebar()
                        else:
                            yield name, data
            except (RedisError, MemorystoreError) as error:
                yield "away", explain(error)
                await asyncio.sleep(1)

    async def _heard(self, pubsub: Any, own: str) -> AsyncIterator[Event]:
        heard_at = time.monotonic()
        while not self._closing:
            message = await pubsub.get_message(timeout=LISTEN_SECONDS)
            if message is None:
                # An answer whose worker died is announced by nobody: look again.
                if time.monotonic() - heard_at > BEAT_SECONDS:
                    heard_at = time.monotonic()
                    yield "changed", None
            elif message["type"] == "subscribe":  # also when the client had to connect anew
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

    async def send(self, conversation: str, text: str, instead_of: str | None = None) -> None:
        """Store what was said, in place of message `instead_of` and all after it, and answer it."""
        history = self._history(conversation)
        lock = await self._lock(conversation)
        try:
            if instead_of is not None:
                await history.atruncate(await self._index(history, instead_of))
            await self._store(history, [HumanMessage(text)], lock)
            self._start_turn(history, lock)
        except BaseException:
            await _release(lock)
            raise

    async def regenerate(self, conversation: str) -> None:
        """Drop the last answer with its tool calls, if there is one, and have another made."""
        history = self._history(conversation)
        lock = await self._lock(conversation)
        try:
            kinds = [message.type for message in await history.aget_messages()]
            if "human" not in kinds:
                raise ConflictError("There is nothing to answer.")
            await history.atruncate(len(kinds) - kinds[::-1].index("human"))
            self._start_turn(history, lock)
        except BaseException:
            await _release(lock)
            raise

    async def branch(self, conversation: str, entry: str) -> str:
        """Copy all up to message `entry` to a new conversation, and return its id."""
        history = self._history(conversation)
        branch = f"branch-{secrets.token_hex(8)}"
        await history.acopy(branch, length=await self._index(history, entry) + 1)
        await self._announce(branch)
        return branch

    async def delete(self, conversation: str) -> None:
        """Remove a conversation; not while an answer is written, which would bring it back."""
        lock = await self._lock(conversation)
        try:
            await self._history(conversation).aclear()
        finally:
            await _release(lock)
        await self._announce(conversation)

    def hang_up(self) -> None:
        """End what `events` gives to every page, within half a second."""
        self._closing = True

    async def close(self) -> None:
        """Give up the answers that are being written: each can be asked for again."""
        for turn in self._turns:
            turn.cancel()
        await asyncio.gather(*self._turns, return_exceptions=True)

    async def _index(self, history: MemorystoreChatMessageHistory, entry_id: str) -> int:
        ids = [entry.id for entry in await history.aentries()]
        if entry_id not in ids:
            raise ConflictError("That message is not there any more: another tab changed it.")
        return ids.index(entry_id)

    async def _lock(self, conversation: str) -> Lock:
        lock = self._client.lock(LOCKS + conversation, timeout=LOCK_SECONDS, thread_local=False)
        if not await lock.acquire(blocking=False):
            raise ConflictError("An answer is being written here: wait for its end.")
        return lock

    async def _store(
        self, history: MemorystoreChatMessageHistory, messages: list[BaseMessage], lock: Lock
    ) -> None:
        """Append; where the connection fails, again with the same objects: they are stored once."""
        for pause in (*PAUSES, None):
            try:
                await lock.reacquire()
                await history.aadd_messages(messages)
            except (redis.ConnectionError, redis.TimeoutError):
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                return

    def _start_turn(self, history: MemorystoreChatMessageHistory, lock: Lock) -> None:
        turn = asyncio.create_task(self._turn(history, lock))
        self._turns.add(turn)  # the loop itself keeps only weak references
        turn.add_done_callback(self._turns.discard)

    async def _turn(self, history: MemorystoreChatMessageHistory, lock: Lock) -> None:
        conversation, problem = history.session_id, None
        try:
            await self._announce(conversation)
            await self._store(history, await self._write(history, lock), lock)
        except Exception as error:  # noqa: BLE001  (whatever a model raises: the user is told)
            problem = explain(error)
        finally:
            await _release(lock)
        with suppress(RedisError):  # away: each tab notices by itself
            await self._announce(conversation)
            if problem:
                await self._publish(conversation, "problem", problem)

    async def _write(self, history: MemorystoreChatMessageHistory, lock: Lock) -> list[BaseMessage]:
        """Have the answer written, and show it to every tab meanwhile."""
        said = await history.aget_messages()
        new: list[BaseMessage] = []
        shown_at = 0.0
        async for new in growing_answer(self._model, said):
            if time.monotonic() - shown_at < DRAFTS_EVERY:
                continue
            with suppress(redis.ConnectionError, redis.TimeoutError):  # it may be back at the end
                await lock.reacquire()
                draft = {"after": len(said), "messages": [view(message) for message in new]}
                await self._publish(history.session_id, "draft", draft)
            shown_at = time.monotonic()
        return new


async def _release(lock: Lock) -> None:
    with suppress(RedisError):  # it expires
        await lock.release()


def explain(error: Exception) -> str:
    """An error as a line for the person in front of the page."""
    if isinstance(error, (redis.ConnectionError, redis.TimeoutError)):
        return "Redis does not answer. Trying again."
    if isinstance(error, LockError):
        return "The answer took too long and was given up."
    return f"{type(error).__name__}: {error}"
