"""Caches for tests: every method awaited under its plain name, by each way in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation

from langchain_google_memorystore_redis import MemorystoreCache
from tests.plugins.doors import Door

MODEL = "a model"
ANSWER: list[Generation] = [Generation(text="4", generation_info={"finish_reason": "stop"})]
NAMESPACE = ("graph", "node")


@dataclass(frozen=True)
class DoorCache:
    """Cache whose every method is awaited under its plain name."""

    cache: Any
    by_async: bool

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.by_async:
                return await getattr(self.cache, f"a{name}")(*args, **kwargs)
            return getattr(self.cache, name)(*args, **kwargs)

        return call


def answers(door: Door, **options: Any) -> DoorCache:
    """A cache of models' answers under the test's own prefix."""
    options = {"key_prefix": door.prefix, "on_outage": "raise"} | options
    return DoorCache(MemorystoreCache(door.client, **options), door.by_async)


def nodes(door: Door, **options: Any) -> DoorCache:
    """A cache of nodes' results under the test's own prefix."""
    from langchain_google_memorystore_redis import MemorystoreNodeCache

    options = {"key_prefix": door.prefix, "on_outage": "raise"} | options
    return DoorCache(MemorystoreNodeCache(door.client, **options), door.by_async)


def chat(message: AIMessage) -> list[Generation]:
    """The answer of a chat model."""
    return [ChatGeneration(message=message)]
