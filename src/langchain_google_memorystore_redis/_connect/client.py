"""Options of a server's clients, and the construction of those clients with redis-py.

Strategy: only this module knows which class of redis-py takes which options in which version, and
the defaults that this package changes. Version differences are found by looking at signatures.
"""

from __future__ import annotations

import functools
import inspect
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import redis
import redis.asyncio
from redis.cluster import REDIS_ALLOWED_KEYS
from redis.exceptions import ReadOnlyError, RedisClusterException, ResponseError

from langchain_google_memorystore_redis._connect.closing import (
    AsyncClient,
    Client,
    ClusterClient,
)
from langchain_google_memorystore_redis._connect.clusters import WaitingCluster
from langchain_google_memorystore_redis._connect.connections import connection_class, pool_class
from langchain_google_memorystore_redis._connect.diagnosis import causes_of, final_failure
from langchain_google_memorystore_redis._connect.retry import AsyncRetry, Retry
from langchain_google_memorystore_redis._connect.tls import tls_options
from langchain_google_memorystore_redis._redis.arguments import positive
from langchain_google_memorystore_redis.errors import InvalidArgumentError

DEFAULT_OPTIONS = {
    # Redis before 6 has no HELLO, Memorystore's documentation of IAM describes AUTH, and on RESP3
    # redis-py 8 takes one more round trip a connection, for maintenance notifications.
    "protocol": 2,
    # QUIRK(redis-py<8): waits forever by default. Remove when redis-py 8, whose defaults these are,
    # is the oldest.
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
}
_MAX_WAIT = 20
"""Seconds to wait for a free connection, as redis-py's blocking pools do."""

_CLUSTER_DEFAULTS = {
    # The discovery endpoint outlives every node, so it alone is asked for the topology.
    "dynamic_startup_nodes": False,
    # The loss of one shard must not make the others unusable.
    "require_full_coverage": False,
    "max_connections": 100,
    "timeout": _MAX_WAIT,
}


@functools.cache
def known_options() -> frozenset[str]:
    """Return the names of all options that connections, pools and clients of clusters take."""
    return frozenset(
        name
        for library in (redis, redis.asyncio)
        for cls in (
            library.SSLConnection,
            library.UnixDomainSocketConnection,
            library.BlockingConnectionPool,
            library.RedisCluster,
        )
        for base in cls.__mro__
        for name in inspect.signature(base.__init__).parameters
    )


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """All that is needed to make a client of a server."""

    tls: bool
    options: dict[str, Any] = field(repr=False)
    """Options of redis-py, address and credentials included."""
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
        options = {**self.options}
        if unix := "path" in options:
            del options["socket_keepalive"]
        # QUIRK(redis-py<6): a command is retried after the errors listed here alone. Remove when
        # redis-py 6 is the oldest: then ReadOnlyError is enough.
        retryable = [redis.ConnectionError, redis.TimeoutError, ReadOnlyError]
        pool = pool_class(library)(
            connection_class=self._connection_class(library, unix=unix),
            **{"retry": retry, "retry_on_error": retryable, **options},
        )
        try:
            # redis-py would report an unknown option at the first command. Sends nothing.
            pool.connection_class(**pool.connection_kwargs)
        except TypeError as error:
            raise InvalidArgumentError(
                "redis_py_options", f"contain an unknown one: {error}"
            ) from None
        return (AsyncClient if library is redis.asyncio else Client).from_pool(pool)

    def _connection_class(self, library: ModuleType, *, unix: bool = False) -> Any:
        tls = tls_options(self.options) if self.tls else None
        return connection_class(library, tls, unix=unix)

    def _make_cluster_client(self, library: ModuleType, options: dict[str, Any]) -> Any:
        known = inspect.signature(library.RedisCluster.__init__).parameters
        connections = self._connection_class(library)
        if library is redis.asyncio:
            # QUIRK(redis-py<6.2): the asyncio class does not take this option. Remove when
            # redis-py 6.2 is the oldest.
            if "dynamic_startup_nodes" not in known:
                del options["dynamic_startup_nodes"]
            return WaitingCluster(connection_class=connections, ssl=self.tls, **options)
        host, port = options.pop("host"), options.pop("port", 6379)
        options["connection_class"] = connections
        # QUIRK(redis-py<=8.1): the blocking class silently drops options that it does not list, in
        # 5.2 the check of the host name; its pools take them all. Remove when it passes them on.
        unlisted = options.keys() - known.keys() - {*REDIS_ALLOWED_KEYS}
        options["connection_pool_class"] = functools.partial(
            pool_class(redis), **{name: options.pop(name) for name in unlisted}
        )
        outer = sys.exception()
        try:
            return ClusterClient(
                url=f"redis://[{host}]:{port}" if ":" in host else f"redis://{host}:{port}",
                **options,
            )
        except RedisClusterException as error:
            failure = final_failure(causes_of(error, outer))
            if failure is None:
                raise
        raise failure

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
