"""Vector stores for tests: on which servers, and by which way in."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings

from langchain_google_memorystore_redis import (
    HNSWConfig,
    MemorystoreVectorStore,
    RedisVectorStore,
    VectorIndexConfig,
)
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.servers import Servers

SEARCH_TARGETS = (
    Target("valkey-9.1-search"),
    Target("valkey-9.1-search", protocol=2),
    Target("valkey-8.1-search", library="valkey"),
    Target("redis-8.2-search", decode_responses=True),
    Target("valkey-9.1-search", cluster=True),
    Target("valkey-9.1-search", cluster=True, library="valkey", decode_responses=True, protocol=2),
)
"""Servers with the commands FT.*."""

EXACT_TARGETS = (
    Target("valkey-9.1"),
    Target("redis-6.2", decode_responses=True),
    Target("redis-5.0", protocol=2),
    Target("valkey-9.1", cluster=True),
    Target("redis-7.0", cluster=True, library="valkey", protocol=2),
)
"""Plain servers, where stores search with `exact=True`."""

TARGETS = SEARCH_TARGETS + EXACT_TARGETS

SIZE = 8
"""Numbers of a vector, where a test gives no other embedding."""


def is_exact(target: Target) -> bool:
    return target in EXACT_TARGETS


class Vectors(Embeddings):
    """Embedding that a test dictates: a text is its vector, as "1 0.5 0"."""

    def embed_query(self, text: str) -> list[float]:
        return [float(each) for each in text.split()]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


@dataclass(frozen=True)
class DoorStore:
    """Vector store whose every method is awaited under its plain name."""

    store: Any
    by_async: bool

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.by_async:
                prefix, plain = ("_", name[1:]) if name[0] == "_" else ("", name)
                return await getattr(self.store, f"{prefix}a{plain}")(*args, **kwargs)
            return getattr(self.store, name)(*args, **kwargs)

        return call


@dataclass
class StoreDoor:
    """A way into the vector stores of one client, under the test's own prefix."""

    target: Target
    client: Any
    by_async: bool
    prefix: str
    opened: list[DoorStore] = field(default_factory=list)
    legacy_names: list[str] = field(default_factory=list)

    def open(
        self, index_name: str = "docs", embedding: Embeddings | None = None, **options: Any
    ) -> DoorStore:
        """A store, exact where the server has no search."""
        options = {"key_prefix": self.prefix, "exact": is_exact(self.target), **options}
        embedding = embedding or DeterministicFakeEmbedding(size=SIZE)
        store = MemorystoreVectorStore(self.client, index_name, embedding, **options)
        self.opened.append(DoorStore(store, self.by_async))
        return self.opened[-1]

    async def legacy(
        self, config: VectorIndexConfig | None = None, embedding: Embeddings | None = None
    ) -> DoorStore:
        """A store of release 0.3.0's class with its index."""
        config = config or HNSWConfig(f"{self.prefix}docs", vector_size=SIZE)
        embedding = embedding or DeterministicFakeEmbedding(size=config.vector_size)
        made = RedisVectorStore(self.client, config.name, embedding, vector_field=config.field_name)
        store = DoorStore(made, self.by_async)
        self.legacy_names.append(config.name)
        await store.init_index(self.client, config)
        return store

    async def close(self) -> None:
        """Drop the indexes: each costs every later write under any prefix a little."""
        for name in self.legacy_names:
            await DoorStore(RedisVectorStore, self.by_async).drop_index(self.client, name)
        for each in self.opened:
            with contextlib.suppress(Exception):
                await each.drop_index()


@contextlib.asynccontextmanager
async def store_door(
    way: str, target: Target, servers: Servers, client: Any, prefix: str
) -> AsyncIterator[StoreDoor]:
    """A way in: "sync", "async" on an asyncio client, "thread" on a blocking one."""
    if way == "async":
        async with asyncio_client(target, target.port(servers)) as made:
            door = StoreDoor(target, made, by_async=True, prefix=prefix)
            yield door
            await door.close()
    else:
        door = StoreDoor(target, client, by_async=way == "thread", prefix=prefix)
        yield door
        await door.close()
