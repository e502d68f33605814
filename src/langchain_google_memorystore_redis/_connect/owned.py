"""Context managers that own a client, for `from_conn_string`.

Strategy: one object serves `with` and `async with`, because other packages have a class for each of
the two and users bring code for either. The client is made on entering the block and closed on
leaving it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, TypeVar

import redis
import redis.asyncio

from langchain_google_memorystore_redis.errors import InvalidArgumentError

T = TypeVar("T")


class OwnedClient(AbstractContextManager[T], AbstractAsyncContextManager[T]):
    """Context of an object whose client lives as long as a `with` or `async with` block.

    Args:
        factory: makes the object, given the client.
        url: the server's.
        cluster: make a client of a cluster.
        options: further options of the client.
    """

    def __init__(
        self, factory: Callable[[Any], T], url: str, *, cluster: bool, options: Mapping[str, Any]
    ) -> None:
        self._factory = factory
        self._url = url
        self._cluster = cluster
        self._options = options
        self._client: Any = None

    def __enter__(self) -> T:
        """Make a blocking client; sends nothing, except to a cluster."""
        from_url = redis.RedisCluster.from_url if self._cluster else redis.from_url
        return self._open(from_url)

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self._client.close()

    async def __aenter__(self) -> T:
        """Make an asyncio client; sends nothing."""
        cluster: Any = redis.asyncio.RedisCluster
        return self._open(cluster.from_url if self._cluster else redis.asyncio.from_url)

    async def __aexit__(self, *_: object) -> None:
        """Close the client."""
        await self._client.aclose()

    def _open(self, from_url: Callable[..., Any]) -> T:
        try:
            self._client = from_url(self._url, **self._options)
        except ValueError as error:
            raise InvalidArgumentError("conn_string", f"is no URL of a server: {error}") from error
        return self._factory(self._client)
