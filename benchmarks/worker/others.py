"""The contestants that are no LangChain histories: bare redis-py, and openai-agents.

Strategy: as in adapters. The floor does what cannot be left out: its bytes are ready before an
append is timed, and a read ends when each element is a dict.
"""
# ruff: noqa: D102 - what a method of a contestant does is said in Session and Adapter

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from benchmarks.worker.adapters import TTL, Adapter, Session


class _Bare(Session):
    """`inner` is a redis-py client."""

    def __init__(self, inner: Any, key: str, loads: Any) -> None:
        super().__init__(inner)
        self.key, self.loads = key, loads

    async def append(self, messages: list[Any]) -> None:
        with self.inner.pipeline(transaction=True) as pipe:
            pipe.rpush(self.key, *messages)
            pipe.pexpire(self.key, TTL * 1000)
            pipe.execute()

    async def read(self) -> list[Any]:
        loads = self.loads
        return [loads(element) for element in self.inner.lrange(self.key, 0, -1)]

    async def last(self, count: int) -> list[Any]:
        loads = self.loads
        return [loads(element) for element in self.inner.lrange(self.key, -count, -1)]

    async def clear(self) -> None:
        self.inner.unlink(self.key)


class _BareTask(_Bare):
    async def append(self, messages: list[Any]) -> None:
        async with self.inner.pipeline(transaction=True) as pipe:
            pipe.rpush(self.key, *messages)
            pipe.pexpire(self.key, TTL * 1000)
            await pipe.execute()

    async def read(self) -> list[Any]:
        loads = self.loads
        return [loads(element) for element in await self.inner.lrange(self.key, 0, -1)]


class Floor(Adapter):
    """The least that redis-py can do for the same work."""

    packages = ("redis", "hiredis", "orjson")

    def __init__(self) -> None:
        self._orjson = import_module("orjson")

    def messages(self, rows: list[dict[str, Any]]) -> list[Any]:
        return [self._orjson.dumps(row) for row in rows]

    def open(self, url: str, session: str) -> Session:
        return _Bare(self.client(url), session, self._orjson.loads)

    def open_concurrent(self, url: str, session: str) -> Session:
        return _BareTask(self.async_client(url), session, self._orjson.loads)


class _AgentsSession(Session):
    async def append(self, messages: list[Any]) -> None:
        await self.inner.add_items(messages)

    async def read(self) -> list[Any]:
        items: list[Any] = await self.inner.get_items()
        return items

    async def last(self, count: int) -> list[Any]:
        items: list[Any] = await self.inner.get_items(limit=count)
        return items

    async def clear(self) -> None:
        await self.inner.clear_session()


class Agents(Adapter):
    """openai-agents' `RedisSession`, which stores items of the Responses API."""

    packages = ("openai-agents", "redis", "hiredis")

    def __init__(self) -> None:
        self._class = import_module("agents.extensions.memory.redis_session").RedisSession

    def messages(self, rows: list[dict[str, Any]]) -> list[Any]:
        return [_item(row["data"]) for row in rows]

    def open(self, url: str, session: str) -> Session:
        return _AgentsSession(self._class(session, redis_client=self.async_client(url), ttl=TTL))

    def open_concurrent(self, url: str, session: str) -> Session:
        return self.open(url, session)

    def key(self, session: str) -> str | None:
        return f"agents:session:{session}:messages"


def _item(data: dict[str, Any]) -> dict[str, Any]:
    """A message as an input item."""
    if data["type"] == "tool":
        return {
            "type": "function_call_output",
            "call_id": data["tool_call_id"],
            "output": data["content"],
        }
    for call in data.get("tool_calls", ()):
        arguments = json.dumps(call["args"])
        return {
            "type": "function_call",
            "call_id": call["id"],
            "name": call["name"],
            "arguments": arguments,
        }
    role = "user" if data["type"] == "human" else "assistant"
    return {"role": role, "content": data["content"]}
