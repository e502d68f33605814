"""Clients of redis-py that remember that they were closed.

Strategy: redis-py opens the connections of a closed client again at its next command, and nobody
closes these. The objects of this package look at `is_closed` before they send anything.
"""

from __future__ import annotations

from typing import Any

import redis
import redis.asyncio


class Client(redis.Redis):
    """Blocking client of one server."""

    is_closed = False

    def close(self) -> None:
        """Close all connections, for good."""
        super().close()
        self.is_closed = True


class AsyncClient(redis.asyncio.Redis):
    """asyncio client of one server."""

    is_closed = False

    async def aclose(self, *args: Any, **kwargs: Any) -> None:
        """Close all connections, for good."""
        await super().aclose(*args, **kwargs)
        self.is_closed = True


class ClusterClient(redis.RedisCluster):
    """Blocking client of a cluster."""

    is_closed = False

    def close(self) -> None:
        """Close all connections, for good."""
        super().close()
        self.is_closed = True
