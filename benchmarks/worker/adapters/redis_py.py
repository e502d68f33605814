"""redis-py alone: the work that no candidate can do without.

Strategy: an append's bytes are ready before it is timed, and a read ends when each element is a
dict.
"""
# ruff: noqa: D102 - the methods are documented in the base classes

from __future__ import annotations

from importlib import import_module
from typing import Any

from benchmarks.worker.adapters.base import TTL, HistoryAdapter, Session


class _ListSession(Session):
    def __init__(self, client: Any, key: str, loads: Any) -> None:
        self.client, self.key, self.loads = client, key, loads

    async def append(self, messages: list[Any]) -> None:
        with self.client.pipeline(transaction=True) as pipe:
            pipe.rpush(self.key, *messages)
            pipe.pexpire(self.key, TTL * 1000)
            pipe.execute()

    async def read(self) -> list[Any]:
        loads = self.loads
        return [loads(element) for element in self.client.lrange(self.key, 0, -1)]

    async def clear(self) -> None:
        self.client.unlink(self.key)


class _TaskSession(_ListSession):
    async def append(self, messages: list[Any]) -> None:
        async with self.client.pipeline(transaction=True) as pipe:
            pipe.rpush(self.key, *messages)
            pipe.pexpire(self.key, TTL * 1000)
            await pipe.execute()

    async def read(self) -> list[Any]:
        loads = self.loads
        return [loads(element) for element in await self.client.lrange(self.key, 0, -1)]


class RedisPy(HistoryAdapter):
    """A list of JSON, with orjson."""

    packages = ("redis", "hiredis", "orjson")

    def __init__(self) -> None:
        self._orjson = import_module("orjson")

    def messages(self, dicts: list[dict[str, Any]]) -> list[Any]:
        return [self._orjson.dumps(each) for each in dicts]

    def open(self, url: str, session: str) -> Session:
        return _ListSession(self.client(url), session, self._orjson.loads)

    def open_concurrent(self, url: str, session: str) -> Session:
        return _TaskSession(self.async_client(url), session, self._orjson.loads)

    def as_read(self, messages: list[Any]) -> list[Any]:
        return [self._orjson.loads(element) for element in messages]
