"""A saver with a client of its own, as `from_conn_string` gives it.

Strategy: one object serves `with` and `async with`, so that code written for either of the two
classes that other packages have needs no other change. The client is made when the block is
entered and closed when it is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, TypeVar

import redis
import redis.asyncio

from langchain_google_memorystore_redis.errors import InvalidArgumentError

S = TypeVar("S")


class Connecting(AbstractContextManager[S], AbstractAsyncContextManager[S]):
    """Something whose client lives as long as a `with` or `async with` block."""

    def __init__(
        self, make: Callable[[Any], S], url: str, *, cluster: bool, options: Mapping[str, Any]
    ) -> None:
        self._make = make
        self._url = url
        self._cluster = cluster
        self._options = options
        self._client: Any = None

    def __enter__(self) -> S:
        """Make a blocking client; sends nothing, but to a cluster."""
        from_url = redis.RedisCluster.from_url if self._cluster else redis.from_url
        return self._made_by(from_url)

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self._client.close()

    async def __aenter__(self) -> S:
        """Make an asyncio client; sends nothing."""
        cluster: Any = redis.asyncio.RedisCluster
        return self._made_by(cluster.from_url if self._cluster else redis.asyncio.from_url)

    async def __aexit__(self, *_: object) -> None:
        """Close the client."""
        await self._client.aclose()

    def _made_by(self, from_url: Callable[..., Any]) -> S:
        try:
            self._client = from_url(self._url, **self._options)
        except ValueError as error:
            raise InvalidArgumentError("conn_string", f"is no URL of a server: {error}") from error
        return self._make(self._client)
