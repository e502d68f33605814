"""Ways into a store for tests: every method is awaited, whether it blocks or not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from langchain_google_memorystore_redis import MemorystoreStore
from tests.plugins.clients import Target, asyncio_client


@dataclass(frozen=True)
class DoorStore:
    """Store whose every method is awaited under its plain name."""

    store: MemorystoreStore
    by_async: bool

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.by_async:
                return await getattr(self.store, f"a{name}")(*args, **kwargs)
            return getattr(self.store, name)(*args, **kwargs)

        return call


@dataclass(frozen=True)
class StoreDoor:
    """A way into the stores of one client, under the test's own prefix."""

    client: Any
    by_async: bool
    prefix: str

    def open(self, **options: Any) -> DoorStore:
        """A store of this client."""
        options.setdefault("key_prefix", self.prefix)
        return DoorStore(MemorystoreStore(self.client, **options), self.by_async)


@asynccontextmanager
async def store_door(
    way: str,
    target: Target,
    port: int,
    prefix: str,
    client_options: Mapping[str, Any] | None = None,
) -> AsyncIterator[StoreDoor]:
    """A way in: "sync", "async" on an asyncio client, "thread" on a blocking one."""
    options = client_options or {}
    if way == "async":
        async with asyncio_client(target, port, **options) as made:
            yield StoreDoor(made, by_async=True, prefix=prefix)
        return
    made = target.connect(port, **options)
    try:
        yield StoreDoor(made, by_async=way == "thread", prefix=prefix)
    finally:
        made.close()


def keys_of(prefix: str, namespace: tuple[str, ...], key: str) -> tuple[str, str, str]:
    """The keys of an item: index of its namespace, item, vectors."""
    tag = f"{prefix}{{{'.'.join(quote(label, safe='') for label in namespace)}}}"
    return f"{tag}:index", f"{tag}:item:{key}", f"{tag}:vectors:{key}"


def lists_of(prefix: str) -> tuple[str, str]:
    """The keys of the list of all namespaces: names, and times of their last writes."""
    return f"{prefix}{{.}}:names", f"{prefix}{{.}}:writes"


def keys(items: Any) -> list[str]:
    """The keys of what a search found."""
    return [each.key for each in items]
