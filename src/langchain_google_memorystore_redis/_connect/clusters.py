"""asyncio client of a cluster whose callers wait for a free connection.

Strategy: redis-py's refuses a call when all connections to its node are in use. So the calls that
run at once are limited, and the connections are not.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, TypeVar

import redis
import redis.asyncio
from redis.asyncio.cluster import ClusterPipeline
from redis.exceptions import RedisClusterException

from langchain_google_memorystore_redis._connect.diagnosis import causes_of, final_failure

T = TypeVar("T")

_UNLIMITED = 2**31 - 1
_in_call = ContextVar("_in_call", default=False)
"""True inside a call: a pipeline sends redirected commands as calls of their own."""


class WaitingCluster(redis.asyncio.RedisCluster):
    """Client of a cluster that runs a limited number of calls at once.

    Args:
        connection_class: class of its connections.
        max_connections: number of calls that may run at once.
        timeout: seconds that a call may wait for its turn.
        options: further options of redis-py.
    """

    is_closed = False

    def __init__(
        self, *, connection_class: Any, max_connections: int, timeout: float | None, **options: Any
    ) -> None:
        super().__init__(max_connections=_UNLIMITED, **options)
        # QUIRK(redis-py<=8.1): the class of connections cannot be given. Remove when it can.
        self.connection_kwargs["connection_class"] = connection_class
        for node in self.nodes_manager.startup_nodes.values():
            node.connection_class = connection_class
        self._turns = asyncio.Semaphore(max_connections)
        self._timeout = timeout

    async def aclose(self) -> None:
        """Close all connections, for good."""
        await super().aclose()
        self.is_closed = True

    async def initialize(self, *args: Any, **kwargs: Any) -> Any:
        """Ask for the topology; raises the cause of a failure where no retry would help."""
        outer = sys.exception()
        # QUIRK(redis-py<=8.1): asks once, over a connection that may have been closed while it was
        # idle; the second time it opens another. Remove when it tries again itself.
        for is_last in (False, True):
            try:
                return await super().initialize(*args, **kwargs)
            except RedisClusterException as error:
                failure = final_failure(causes_of(error, outer))
                if is_last and failure is None:
                    raise
            if failure:
                raise failure
        return self

    async def run(self, call: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Run a call when one more may run; raises redis-py's `ConnectionError` after `timeout`."""
        if _in_call.get():
            return await call(*args, **kwargs)
        try:
            if self._turns.locked():  # or the timeout would cost each call a few microseconds
                async with asyncio.timeout(self._timeout):
                    await self._turns.acquire()
            else:
                await self._turns.acquire()
        except TimeoutError:
            raise redis.ConnectionError("No connection available.") from None
        token = _in_call.set(True)
        try:
            return await call(*args, **kwargs)
        finally:
            _in_call.reset(token)
            self._turns.release()

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        """Send a command when its turn has come."""
        return await self.run(super().execute_command, *args, **kwargs)

    def pipeline(self, *args: Any, **kwargs: Any) -> ClusterPipeline:
        """Return a pipeline that is sent when its turn has come."""
        return _WaitingPipeline(self, *args, **kwargs)  # type: ignore[abstract]


class _WaitingPipeline(ClusterPipeline):
    def __init__(self, client: WaitingCluster, *args: Any, **kwargs: Any) -> None:
        super().__init__(client, *args, **kwargs)
        self._run = client.run

    async def execute(self, *args: Any, **kwargs: Any) -> list[Any]:
        return await self._run(super().execute, *args, **kwargs)
