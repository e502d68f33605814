"""Options of a server's clients, and the construction of those clients with redis-py.

Strategy: only this module knows which class of redis-py takes which options in which version, and
the defaults that this package changes. Version differences are found by looking at signatures.
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

DEFAULT_OPTIONS = {
    # Redis before 6 has no HELLO, Memorystore's documentation of IAM describes AUTH, and on RESP3
    # redis-py 8 takes one more round trip a connection, for maintenance notifications.
    "protocol": 2,
    # QUIRK(redis-py<8): waits forever by default. Remove when redis-py 8, whose defaults these are,
    # is the oldest.
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
}
_CLUSTER_DEFAULTS = {
    # The discovery endpoint outlives every node, so it alone is asked for the topology.
    "dynamic_startup_nodes": False,
    # The loss of one shard must not make the others unusable.
    "require_full_coverage": False,
    "max_connections": 100,
}


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """All that is needed to make a client of a server."""

    tls: bool
    options: dict[str, Any]
    """Options of redis-py, host and credentials included."""
    cluster: bool

    def make_client(self, library: ModuleType) -> Any:
        """Return a client of `redis` or `redis.asyncio`; only a blocking cluster client connects.

        Raises `InvalidArgumentError` for an option that redis-py does not know.
        """
        max_connections = self.options.get("max_connections")
        if max_connections is not None:
            positive("max_connections", max_connections)  # redis-py takes 0 for its own default
        retry = AsyncRetry() if library is redis.asyncio else Retry()
        if self.cluster:
            options = {**_CLUSTER_DEFAULTS, "retry": retry, **self.options}
            return self._make_cluster_client(library, options)
        # QUIRK(redis-py<6): a command is retried after the errors listed here alone. Remove when
        # redis-py 6 is the oldest: then ReadOnlyError is enough.
        retryable = [redis.ConnectionError, redis.TimeoutError, ReadOnlyError]
        pool = library.BlockingConnectionPool(
            connection_class=library.SSLConnection if self.tls else library.Connection,
            **{"retry": retry, "retry_on_error": retryable, **self.options},
        )
        try:
            # redis-py would report an unknown option at the first command. Sends nothing.
            pool.connection_class(**pool.connection_kwargs)
        except TypeError as error:
            raise InvalidArgumentError(
                "redis_py_options", f"contain an unknown one: {error}"
            ) from None
        return library.Redis.from_pool(pool)

    def _make_cluster_client(self, library: ModuleType, options: dict[str, Any]) -> Any:
        known = inspect.signature(library.RedisCluster.__init__).parameters
        if library is redis.asyncio:
            # QUIRK(redis-py<6.2): the asyncio class does not take this option. Remove when
            # redis-py 6.2 is the oldest.
            if "dynamic_startup_nodes" not in known:
                del options["dynamic_startup_nodes"]
            return library.RedisCluster(ssl=self.tls, **options)
        host, port = options.pop("host"), options.pop("port", 6379)
        options["connection_class"] = redis.SSLConnection if self.tls else redis.Connection
        # QUIRK(redis-py<=8.1): the blocking class silently drops options that it does not list, in
        # 5.2 the check of the host name; its pools take them all. Remove when it passes them on.
        unlisted = options.keys() - known.keys() - {*REDIS_ALLOWED_KEYS}
        return redis.RedisCluster(
            url=f"redis://[{host}]:{port}" if ":" in host else f"redis://{host}:{port}",
            connection_pool_class=functools.partial(
                redis.ConnectionPool, **{name: options.pop(name) for name in unlisted}
            ),
            **options,
        )

    def is_cluster(self) -> bool:
        """Ask the server, over a connection of its own: 1 round trip, and 1 to log in."""
        single = inspect.signature(redis.Redis.__init__).parameters
        cluster = inspect.signature(redis.RedisCluster.__init__).parameters
        options = {
            name: value
            for name, value in self.options.items()
            if name not in ("retry", "db") and (name in single or name not in cluster)
        }
        with ServerOptions(self.tls, options, cluster=False).make_client(redis) as probe:
            try:
                probe.execute_command("CLUSTER", "SLOTS")
            except ResponseError:  # no cluster, no such command, or no permission
                return False
        return True
