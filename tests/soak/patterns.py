"""The two ways to append that are compared: this package's, and that of release 0.3.0.

Strategy: a pattern is how one writer sends one batch; blocking and asyncio clients have the same
interface here, so whoever carries out a plan need not know which pattern it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from langchain_core.messages import BaseMessage, message_to_dict

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory
from tests.soak.plan import BOUND, BOUNDED, Writer

_TTL = 3600


class Pattern(Protocol):
    """How a writer appends to a session."""

    def append(self, key: str, messages: Sequence[BaseMessage]) -> None:
        """Append through a blocking client."""
        ...

    async def aappend(self, key: str, messages: Sequence[BaseMessage]) -> None:
        """Append through an asyncio client."""
        ...


class Ours:
    """`add_messages`, on a history kept for each session or made for each append."""

    def __init__(self, client: Any, writer: Writer, replicated: bool) -> None:
        self._client = client
        self._keeps = writer.keeps_histories
        self._replicas_ack = int(replicated and writer.waits_for_a_replica)
        self._kept: dict[str, MemorystoreChatMessageHistory] = {}

    def append(self, key: str, messages: Sequence[BaseMessage]) -> None:
        self._history(key).add_messages(messages)

    async def aappend(self, key: str, messages: Sequence[BaseMessage]) -> None:
        await self._history(key).aadd_messages(messages)

    def _history(self, key: str) -> MemorystoreChatMessageHistory:
        history = self._kept.get(key)
        if history is None:
            history = MemorystoreChatMessageHistory(
                self._client,
                key,
                ttl=_TTL,
                max_messages=BOUND if key.endswith(f":{BOUNDED}") else None,
                replicas_ack=self._replicas_ack,
                replicas_ack_timeout=0.1,
            )
            if self._keeps:
                self._kept[key] = history
        return history


class Release030:
    """An RPUSH and an EXPIRE a message, as release 0.3.0 sends them."""

    def __init__(self, client: Any, writer: Writer, replicated: bool) -> None:
        self._client = client

    def append(self, key: str, messages: Sequence[BaseMessage]) -> None:
        for message in messages:
            self._client.rpush(key, json.dumps(message_to_dict(message)))
            self._client.expire(key, _TTL)

    async def aappend(self, key: str, messages: Sequence[BaseMessage]) -> None:
        for message in messages:
            await self._client.rpush(key, json.dumps(message_to_dict(message)))
            await self._client.expire(key, _TTL)


PATTERNS: dict[str, Callable[[Any, Writer, bool], Pattern]] = {"ours": Ours, "0.3.0": Release030}
