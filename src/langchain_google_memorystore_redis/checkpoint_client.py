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
        self._client = from_url(self._url, **self._options)
        return self._make(self._client)

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self._client.close()

    async def __aenter__(self) -> S:
        """Make an asyncio client; sends nothing."""
        cluster: Any = redis.asyncio.RedisCluster
        from_url = cluster.from_url if self._cluster else redis.asyncio.from_url
        self._client = from_url(self._url, **self._options)
        return self._make(self._client)

    async def __aexit__(self, *_: object) -> None:
        """Close the client."""
        await self._client.aclose()
