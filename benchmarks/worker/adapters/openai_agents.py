"""openai-agents' `RedisSession`, which stores items of the Responses API."""
# ruff: noqa: D102 - the methods are documented in the base classes

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from benchmarks.worker.adapters.base import TTL, HistoryAdapter, Session


class _ItemSession(Session):
    def __init__(self, session: Any) -> None:
        self.session = session

    async def append(self, messages: list[Any]) -> None:
        await self.session.add_items(messages)

    async def read(self) -> list[Any]:
        items: list[Any] = await self.session.get_items()
        return items

    async def clear(self) -> None:
        await self.session.clear_session()


class OpenAIAgents(HistoryAdapter):
    """`RedisSession`, on a client that all sessions share."""

    packages = ("openai-agents", "redis", "hiredis")

    def __init__(self) -> None:
        self._class = import_module("agents.extensions.memory.redis_session").RedisSession

    def messages(self, dicts: list[dict[str, Any]]) -> list[Any]:
        return [_item(each["data"]) for each in dicts]

    def open(self, url: str, session: str) -> Session:
        return _ItemSession(self._class(session, redis_client=self.async_client(url), ttl=TTL))

    def open_concurrent(self, url: str, session: str) -> Session:
        return self.open(url, session)

    def key(self, session: str) -> str | None:
        return f"agents:session:{session}:messages"


def _item(data: dict[str, Any]) -> dict[str, Any]:
    """Return a message as an input item."""
    if data["type"] == "tool":
        return {
            "type": "function_call_output",
            "call_id": data["tool_call_id"],
            "output": data["content"],
        }
    for call in data.get("tool_calls", ()):
        return {
            "type": "function_call",
            "call_id": call["id"],
            "name": call["name"],
            "arguments": json.dumps(call["args"]),
        }
    role = "user" if data["type"] == "human" else "assistant"
    return {"role": role, "content": data["content"]}
