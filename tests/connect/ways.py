"""Blocking and asyncio ways to connect, for one test body."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

import redis
import redis.asyncio

from langchain_google_memorystore_redis import aconnect, connect


async def done(answer: Any) -> Any:
    """The answer of a blocking or an asyncio client."""
    return await answer if inspect.isawaitable(answer) else answer


@dataclass
class Way:
    """Connects blocking or by asyncio; what it opened is closed with the test."""

    name: str
    opened: list[Any] = field(default_factory=list)

    async def __call__(self, *args: Any, **options: Any) -> Any:
        connecting = connect if self.name == "connect" else aconnect
        client = await done(connecting(*args, **options))
        self.opened.append(client)
        return client

    def kind(self, name: str) -> Any:
        """`Redis` or `RedisCluster` of the library's half that this way gives."""
        return getattr(redis if self.name == "connect" else redis.asyncio, name)

    async def close(self) -> None:
        """Close what was opened."""
        for client in self.opened:
            await done(client.close() if self.name == "connect" else client.aclose())
