"""Base classes of the adapters.

Strategy: an adapter imports its packages by name when it is made, since they are installed only in
its own environment. Methods that are timed are coroutines, so that asyncio and blocking packages
run in the same loop; a coroutine that never waits costs 0.1 us.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Any

TTL = 3600
TASK_CONNECTIONS = 16


class Adapter:
    """Access to a candidate's package."""

    packages: tuple[str, ...] = ()
    """Packages whose versions are reported."""
    client_options = "?max_connections=512"

    @cache  # noqa: B019 - an adapter lives as long as its process
    def client(self, url: str) -> Any:
        """Return the blocking client of a URL, made once, as an application would."""
        return import_module("redis").Redis.from_url(url + self.client_options)

    def versions(self) -> dict[str, str]:
        """Return the installed versions of the packages."""
        return {name: version(name) for name in self.packages}

    def messages(self, dicts: list[dict[str, Any]]) -> list[Any]:
        """Return a transcript as the candidate stores it; not timed."""
        messages: list[Any] = import_module("langchain_core.messages").messages_from_dict(dicts)
        return messages


class Session:
    """An open session."""

    async def append(self, messages: list[Any]) -> None:
        """Store messages at the end."""
        raise NotImplementedError

    async def read(self) -> list[Any]:
        """Return all messages, oldest first."""
        raise NotImplementedError

    async def last(self, count: int) -> list[Any]:
        """Return the newest messages, in the quickest way the candidate has."""
        return (await self.read())[-count:]

    async def clear(self) -> None:
        """Remove the session."""
        raise NotImplementedError


class HistoryAdapter(Adapter):
    """Candidate that stores chat histories."""

    newest_first = False
    """True where its list begins with the newest message."""

    @cache  # noqa: B019
    def async_client(self, url: str) -> Any:
        """Return the asyncio client of a URL, made once.

        Tasks wait for its few connections: with 200 connections every candidate is slower.
        """
        asyncio_redis = import_module("redis.asyncio")
        pool = asyncio_redis.BlockingConnectionPool.from_url(
            url, max_connections=TASK_CONNECTIONS, timeout=60
        )
        return asyncio_redis.Redis(connection_pool=pool)

    def open(self, url: str, session: str) -> Session:
        """Return a new object for a session; it shares the client."""
        raise NotImplementedError

    def open_concurrent(self, url: str, session: str) -> Session:
        """Return a new object for one of many tasks."""
        raise NotImplementedError

    def history(self, url: str, session: str) -> Any:
        """Return a new LangChain history of a session."""
        raise NotImplementedError

    def key(self, session: str) -> str | None:
        """Return the key of the list that holds a session; None where it is no list."""
        return session

    def as_read(self, messages: list[Any]) -> list[Any]:
        """Return stored messages as a read should return them."""
        return messages


class SaverAdapter(Adapter):
    """Candidate that stores an agent's state: a LangGraph checkpointer."""

    packages: tuple[str, ...] = ("langgraph", "langgraph-checkpoint", "langchain")

    def saver(self, url: str) -> Any:
        """Return its checkpointer, whose threads expire after `TTL`."""
        raise NotImplementedError
