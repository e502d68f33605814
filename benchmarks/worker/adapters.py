"""One contestant a class: how it opens a session, appends and reads.

Strategy: every method that is timed is a coroutine, so that packages that only speak asyncio and
packages that only block run through the same loop; a coroutine that never waits costs 0.1 us.
Packages are imported when a contestant is made, since each is there only in its own environment,
and by name, since none of the others' is there for the type checker.
"""
# ruff: noqa: D102 - what a method of a contestant does is said in Session and Adapter

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

TTL = 3600
TASK_CONNECTIONS = 16


class NotBuiltYetError(Exception):
    """The installed package lacks the feature this contestant is about."""


class Session:
    """One session of a contestant, as an object of its own."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def append(self, messages: list[Any]) -> None:
        """Store messages at the end."""
        self.inner.add_messages(messages)

    async def read(self) -> list[Any]:
        """All messages, oldest first."""
        messages: list[Any] = self.inner.messages
        return messages

    async def last(self, count: int) -> list[Any]:
        """The newest messages, by the shortest way the contestant has."""
        return (await self.read())[-count:]

    async def clear(self) -> None:
        """Remove the session."""
        self.inner.clear()


class Adapter:
    """What the operations need of a contestant; here for those that are LangChain histories."""

    packages: tuple[str, ...] = ("langchain-core", "redis", "hiredis")
    newest_first = False
    pool = "?max_connections=512"

    @cache  # noqa: B019 - an adapter lives as long as its process
    def client(self, url: str) -> Any:
        """The blocking client of a URL, made once, as an application would."""
        return import_module("redis").Redis.from_url(url + self.pool)

    @cache  # noqa: B019
    def async_client(self, url: str) -> Any:
        """The asyncio client of a URL, made once.

        It has few connections, which tasks wait for: with one for each of 200 tasks every
        contestant is slower.
        """
        asyncio_redis = import_module("redis.asyncio")
        pool = asyncio_redis.BlockingConnectionPool.from_url(
            url, max_connections=TASK_CONNECTIONS, timeout=60
        )
        return asyncio_redis.Redis(connection_pool=pool)

    def versions(self) -> dict[str, str]:
        """What is installed here of what matters."""
        found = {}
        for name in self.packages:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                continue
        return found

    def messages(self, rows: list[dict[str, Any]]) -> list[Any]:
        """The contestant's own objects for a transcript; not timed."""
        read: list[Any] = import_module("langchain_core.messages").messages_from_dict(rows)
        return read

    def history(self, url: str, session: str) -> Any:
        """LangChain's history object, new."""
        raise NotImplementedError

    def open(self, url: str, session: str) -> Session:
        """A new object for a session; the client behind it is shared."""
        return Session(self.history(url, session))

    def open_concurrent(self, url: str, session: str) -> Session:
        """The same, for many tasks at once: in threads, where blocking is all there is."""
        return _Threaded(self.history(url, session))

    def key(self, session: str) -> str | None:
        """The list a session is stored in; None where it is no list."""
        return session


class _Threaded(Session):
    """As LangChain's base class serves asyncio, with a thread for each of as many as 32 tasks."""

    pool = ThreadPoolExecutor(32)

    async def append(self, messages: list[Any]) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self.pool, self.inner.add_messages, messages)

    async def read(self) -> list[Any]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, lambda: self.inner.messages)


class _OwnSession(Session):
    async def last(self, count: int) -> list[Any]:
        messages: list[Any] = self.inner[-count:]
        return messages


class _OwnTask(Session):
    async def append(self, messages: list[Any]) -> None:
        await self.inner.aadd_messages(messages)

    async def read(self) -> list[Any]:
        messages: list[Any] = await self.inner.aget_messages()
        return messages


class Own(Adapter):
    """This package, as it comes."""

    packages = ("langchain-google-memorystore-redis", "msgspec", *Adapter.packages)

    def __init__(self) -> None:
        package = import_module("langchain_google_memorystore_redis")
        self._class = package.MemorystoreChatMessageHistory
        self._options = self.options(package)

    def options(self, package: Any) -> dict[str, Any]:
        """Arguments beyond client, session and ttl."""
        return {}

    def history(self, url: str, session: str) -> Any:
        return self._class(self.client(url), session, ttl=TTL, **self._options)

    def open(self, url: str, session: str) -> Session:
        return _OwnSession(self.history(url, session))

    def open_concurrent(self, url: str, session: str) -> Session:
        client = self.async_client(url)
        return _OwnTask(self._class(client, session, ttl=TTL, **self._options))


class OwnCached(Own):
    """This package with a `ReadCache` that all histories of the process share."""

    def options(self, package: Any) -> dict[str, Any]:
        parameters = inspect.signature(self._class.__init__).parameters
        name = next((name for name in parameters if "cache" in name), None)
        if name is None or not hasattr(package, "ReadCache"):
            raise NotBuiltYetError("ReadCache")
        return {name: package.ReadCache(max_bytes=256 * 1024 * 1024)}


class OwnCompressed(Own):
    """This package with compression on."""

    def options(self, package: Any) -> dict[str, Any]:
        if "compress" not in inspect.signature(self._class.__init__).parameters:
            raise NotBuiltYetError('compress="zstd"')
        return {"compress": "zstd"}


class Legacy(Own):
    """Release 0.3.0 of this package."""

    def open(self, url: str, session: str) -> Session:
        return Session(self.history(url, session))

    open_concurrent = Adapter.open_concurrent


class Community(Adapter):
    """langchain-community's `RedisChatMessageHistory`, which makes a client for each object."""

    packages = ("langchain-community", *Adapter.packages)
    newest_first = True

    def history(self, url: str, session: str) -> Any:
        module = import_module("langchain_community.chat_message_histories.redis")
        history = module.RedisChatMessageHistory.__new__(module.RedisChatMessageHistory)
        # Its constructor connects anew and asks INFO each time; the client is shared here, which
        # its users can do too and which is to its advantage.
        history.redis_client = self.client(url)
        history.session_id, history.key_prefix, history.ttl = session, "message_store:", TTL
        return history

    def key(self, session: str) -> str | None:
        return f"message_store:{session}"


class LangchainRedis(Adapter):
    """langchain-redis's `RedisChatMessageHistory`: JSON documents, found by an index."""

    packages = ("langchain-redis", "redisvl", *Adapter.packages)
    # 0.2.6 cannot read FT.INFO's reply in the protocol that redis-py 8 speaks unless told.
    pool = f"{Adapter.pool}&protocol=2"

    def history(self, url: str, session: str) -> Any:
        cls = import_module("langchain_redis").RedisChatMessageHistory
        return cls(session, redis_client=self.client(url), ttl=TTL)

    def key(self, session: str) -> str | None:
        return None


ADAPTERS: dict[str, str] = {
    "ours": f"{__name__}:Own",
    "cached": f"{__name__}:OwnCached",
    "zstd": f"{__name__}:OwnCompressed",
    "legacy": f"{__name__}:Legacy",
    "community": f"{__name__}:Community",
    "langchain-redis": f"{__name__}:LangchainRedis",
    "floor": "benchmarks.worker.others:Floor",
    "agents": "benchmarks.worker.others:Agents",
    "saver": "benchmarks.worker.savers:OwnSaver",
    "saver-valkey": "benchmarks.worker.savers:ValkeySaver",
    "saver-redis": "benchmarks.worker.savers:RedisSaver",
}


def adapter(name: str) -> Adapter:
    """The contestant of a name; raises `NotBuiltYetError`."""
    module, cls = ADAPTERS[name].split(":")
    made: Adapter = getattr(import_module(module), cls)()
    return made
