"""Candidates that are LangChain chat histories."""
# ruff: noqa: D102 - the methods are documented in the base classes

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

from benchmarks.worker.adapters.base import TTL, HistoryAdapter, Session


class _HistorySession(Session):
    """Session of a history that blocks."""

    def __init__(self, history: Any) -> None:
        self.history = history

    async def append(self, messages: list[Any]) -> None:
        self.history.add_messages(messages)

    async def read(self) -> list[Any]:
        messages: list[Any] = self.history.messages
        return messages

    async def clear(self) -> None:
        self.history.clear()


class _ThreadedSession(_HistorySession):
    """Session of a history that blocks, in as many as 32 threads.

    LangChain's base class serves asyncio in the same way.
    """

    pool = ThreadPoolExecutor(32)

    async def append(self, messages: list[Any]) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self.pool, self.history.add_messages, messages)

    async def read(self) -> list[Any]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, lambda: self.history.messages)


class _OurSession(_HistorySession):
    async def last(self, count: int) -> list[Any]:
        messages: list[Any] = self.history[-count:]
        return messages


class _OurTaskSession(_HistorySession):
    async def append(self, messages: list[Any]) -> None:
        await self.history.aadd_messages(messages)

    async def read(self) -> list[Any]:
        messages: list[Any] = await self.history.aget_messages()
        return messages


class _LangChain(HistoryAdapter):
    packages: tuple[str, ...] = ("langchain-core", "redis", "hiredis")

    def open(self, url: str, session: str) -> Session:
        return _HistorySession(self.history(url, session))

    def open_concurrent(self, url: str, session: str) -> Session:
        return _ThreadedSession(self.history(url, session))


class Legacy(_LangChain):
    """Release 0.3.0 of this package."""

    packages: tuple[str, ...] = ("langchain-google-memorystore-redis", *_LangChain.packages)

    def __init__(self) -> None:
        self.package = import_module("langchain_google_memorystore_redis")
        self.history_class = self.package.MemorystoreChatMessageHistory

    def history(self, url: str, session: str) -> Any:
        return self.history_class(self.client(url), session, ttl=TTL)


class Ours(Legacy):
    """This package with its defaults."""

    packages = ("langchain-google-memorystore-redis", "msgspec", *_LangChain.packages)

    def __init__(self) -> None:
        super().__init__()
        self.options: dict[str, Any] = {}

    def history(self, url: str, session: str) -> Any:
        return self.history_class(self.client(url), session, ttl=TTL, **self.options)

    def open(self, url: str, session: str) -> Session:
        return _OurSession(self.history(url, session))

    def open_concurrent(self, url: str, session: str) -> Session:
        client = self.async_client(url)
        return _OurTaskSession(self.history_class(client, session, ttl=TTL, **self.options))


class OursCached(Ours):
    """This package with a `ReadCache` that all histories of the process share."""

    def __init__(self) -> None:
        super().__init__()
        self.options = {"cache": self.package.ReadCache(max_bytes=256 * 1024 * 1024)}


class OursCompressed(Ours):
    """This package with compression."""

    def __init__(self) -> None:
        super().__init__()
        self.options = {"compress": "zstd"}


class Community(_LangChain):
    """langchain-community's `RedisChatMessageHistory`."""

    packages = ("langchain-community", *_LangChain.packages)
    newest_first = True

    def __init__(self) -> None:
        module = import_module("langchain_community.chat_message_histories.redis")
        self.history_class = module.RedisChatMessageHistory

    def history(self, url: str, session: str) -> Any:
        history = self.history_class.__new__(self.history_class)
        # The constructor connects anew and sends INFO each time. Sharing a client is open to its
        # users too, and to its advantage.
        history.redis_client = self.client(url)
        history.session_id, history.key_prefix, history.ttl = session, "message_store:", TTL
        return history

    def key(self, session: str) -> str | None:
        return f"message_store:{session}"


class LangChainRedis(_LangChain):
    """langchain-redis's `RedisChatMessageHistory`: JSON documents, found by an index."""

    packages = ("langchain-redis", "redisvl", *_LangChain.packages)
    # 0.2.6 cannot read FT.INFO's reply in the protocol that redis-py 8 speaks by default.
    client_options = f"{HistoryAdapter.client_options}&protocol=2"

    def __init__(self) -> None:
        self.history_class = import_module("langchain_redis").RedisChatMessageHistory

    def history(self, url: str, session: str) -> Any:
        return self.history_class(session, redis_client=self.client(url), ttl=TTL)

    def key(self, session: str) -> str | None:
        return None
