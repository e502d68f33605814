"""A server whose whereabouts are settled, and the clients of redis-py that reach it.

Strategy: here and nowhere else is it known which class takes which options, in which version of
redis-py, and what this package sets otherwise than redis-py. What a version lacks is found by
looking at its signatures.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import redis
import redis.asyncio
from redis.cluster import REDIS_ALLOWED_KEYS
from redis.exceptions import ReadOnlyError, ResponseError

from langchain_google_memorystore_redis._connect.retry import AsyncRetry, Retry
from langchain_google_memorystore_redis._redis.arguments import positive
from langchain_google_memorystore_redis.errors import InvalidArgumentError

ALWAYS = {
    # Redis before 6 has no HELLO, Memorystore's own description of IAM is AUTH, and on RESP3
    # redis-py 8 spends one more round trip a connection on maintenance notifications.
    "protocol": 2,
    # The defaults of redis-py 8; 5.2 waits for ever.
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
}
_CLUSTER = {
    # The discovery endpoint outlives every node, so the topology is always asked of it.
    "dynamic_startup_nodes": False,
    # One shard being away must not take the others with it.
    "require_full_coverage": False,
    "max_connections": 100,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """All that is known of a server before there is a client."""

    tls: bool
    options: dict[str, Any]
    cluster: bool

    def client(self, library: ModuleType) -> Any:
        """A client of `redis` or `redis.asyncio`."""
        limit = self.options.get("max_connections")
        if limit is not None:
            positive("max_connections", limit)  # redis-py takes 0 for 100
        retry = AsyncRetry() if library is redis.asyncio else Retry()
        if self.cluster:
            return self._cluster_client(library, {**_CLUSTER, "retry": retry, **self.options})
        # redis-py 5 retries a command only after the errors named here.
        heal = [redis.ConnectionError, redis.TimeoutError, ReadOnlyError]
        pool = library.BlockingConnectionPool(
            connection_class=library.SSLConnection if self.tls else library.Connection,
            **{"retry": retry, "retry_on_error": heal, **self.options},
        )
        try:
            pool.connection_class(**pool.connection_kwargs)  # sends nothing
        except TypeError as error:  # rather than at the first command
            raise InvalidArgumentError(
                "redis_py_options", f"hold an unknown one: {error}"
            ) from None
        return library.Redis.from_pool(pool)

    def _cluster_client(self, library: ModuleType, options: dict[str, Any]) -> Any:
        known = inspect.signature(library.RedisCluster.__init__).parameters
        if library is redis.asyncio:
            if "dynamic_startup_nodes" not in known:  # redis-py 5.2
                del options["dynamic_startup_nodes"]
            return library.RedisCluster(ssl=self.tls, **options)
        # The blocking class drops, in silence, options that it does not list: in 5.2 the check
        # of the host name among them. The pools that it makes take them all.
        host, port = options.pop("host"), options.pop("port", 6379)
        options["connection_class"] = redis.SSLConnection if self.tls else redis.Connection
        unlisted = options.keys() - known.keys() - {*REDIS_ALLOWED_KEYS}
        return redis.RedisCluster(
            url=f"redis://[{host}]:{port}" if ":" in host else f"redis://{host}:{port}",
            connection_pool_class=functools.partial(
                redis.ConnectionPool, **{name: options.pop(name) for name in unlisted}
            ),
            **options,
        )

    def ask_whether_cluster(self) -> bool:
        """Open a connection and close it: 1 round trip, and 1 for logging in."""
        ours = inspect.signature(redis.Redis.__init__).parameters
        theirs = inspect.signature(redis.RedisCluster.__init__).parameters
        options = {
            name: value
            for name, value in self.options.items()
            if name not in ("retry", "db") and (name in ours or name not in theirs)
        }
        with Endpoint(self.tls, options, cluster=False).client(redis) as probe:
            try:
                probe.execute_command("CLUSTER", "SLOTS")
            except ResponseError:  # no cluster, no such command, or no permission
                return False
        return True
