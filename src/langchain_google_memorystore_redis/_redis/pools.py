"""Connections and locks inside a client, where its own handling of signals and forks falls short.

Strategy: redis-py returns a connection to its pool even if a signal handler raised after a command
was sent and before its reply was read; the next command on it would get that reply. Closing the
idle connections of the client removes it. A client is recognised by its attributes, as in
`clients.py`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

from langchain_google_memorystore_redis.errors import ClientClosedError

_CLIENT_ERRORS = ("RedisError", "ValkeyError", "MemorystoreError")
_LOCK_NAMES = ("_lock", "_fork_lock", "_initialization_lock")
_LOCK_CLASSES = (type(threading.Lock()), type(threading.RLock()))
_ASYNC_LOCK_NAMES = (
    "_lock",
    "_condition",
    "_single_conn_lock",
    "_usage_lock",
    "_initialize_lock",
    "_turns",
)
_ASYNC_LOCK_CLASSES = (asyncio.Lock, asyncio.Condition, asyncio.Semaphore)


def is_interrupt(error: BaseException) -> bool:
    """Tell whether an exception came from outside of the client, such as from a signal handler."""
    return all(cls.__name__ not in _CLIENT_ERRORS for cls in type(error).__mro__)


def require_open(client: Any) -> None:
    """Raise `ClientClosedError` for a client that was closed, if it can be seen.

    redis-py opens others again by itself, with all that they need.
    """
    is_closed = getattr(client, "is_closed", False)  # of connect()
    if (manager := getattr(client, "nodes_manager", None)) is not None and not is_closed:
        # Of valkey-py, and of both libraries' blocking clients, which fail after that.
        is_closed = getattr(client, "_closed", False) or (
            manager.default_node is None and not hasattr(client, "__aenter__")
        )
    if is_closed:
        raise ClientClosedError(f"{type(client).__module__}.{type(client).__qualname__}")


def close_idle_connections(client: Any) -> None:
    """Close the connections of a blocking client that no command uses."""
    for node in _nodes(client):
        for connection in _idle_connections(node.connection_pool):
            connection.disconnect()
        if single := getattr(node, "connection", None):
            single.disconnect()


async def aclose_idle_connections(client: Any) -> None:
    """Async twin of `close_idle_connections`."""
    for node in _nodes(client):
        pool = getattr(node, "connection_pool", None)
        for connection in list(node._free) if pool is None else _idle_connections(pool):
            await connection.disconnect()
        if single := getattr(node, "connection", None):
            await single.disconnect()


def renew_locks(client: Any) -> None:
    """Give a client new locks, in a forked child in which a thread of the parent may hold them.

    Its pools renew their connections themselves.
    """
    # QUIRK(redis-py<=8.1): in a child, a pool waits for its own lock before it renews it, and an
    # event dispatcher never renews its lock. Remove when they do.
    for part in _parts(client):
        for name in _LOCK_NAMES:
            if isinstance(getattr(part, name, None), _LOCK_CLASSES):
                setattr(part, name, threading.RLock())


def connection_loops(client: Any) -> set[Any]:
    """Return the event loops of the open connections of an asyncio client."""
    readers = [getattr(connection, "_reader", None) for connection in _connections(client)]
    return {reader._loop for reader in readers if reader is not None}


def unbind_locks(client: Any) -> None:
    """Make the locks of an asyncio client usable in another event loop.

    A lock belongs to the loop in which a task first waited for it.
    """
    for part in _parts(client):
        for name in _ASYNC_LOCK_NAMES:
            lock = getattr(part, name, None)
            for each in (lock, getattr(lock, "_lock", None)):
                if isinstance(each, _ASYNC_LOCK_CLASSES):
                    setattr(each, "_loop", None)  # noqa: B010  (typeshed does not know it)


def _nodes(client: Any) -> Iterator[Any]:
    """Yield the clients, or nodes of an asyncio client, that have connections of their own."""
    manager = getattr(client, "nodes_manager", None)
    if manager is None:
        yield client
        return
    for node in (*manager.nodes_cache.values(), *manager.startup_nodes.values()):
        if hasattr(node, "_free"):
            yield node
            continue
        of_node = getattr(node, "redis_connection", None) or getattr(
            node, "valkey_connection", None
        )
        if of_node is not None:
            yield of_node


def _idle_connections(pool: Any) -> list[Any]:
    # Not pool.disconnect(): before redis-py 6, and in valkey-py, a blocking pool closes the
    # connections in use as well.
    queue: Any = getattr(pool, "pool", None)
    idle = pool._available_connections if queue is None else queue.queue
    return [connection for connection in list(idle) if connection is not None]


def _connections(client: Any) -> Iterator[Any]:
    """Yield all connections of an asyncio client."""
    for node in _nodes(client):
        yield getattr(node, "connection", None)
        if pool := getattr(node, "connection_pool", None):
            yield from _idle_connections(pool)
            yield from list(pool._in_use_connections)
        else:
            yield from list(getattr(node, "_connections", ()))


def _parts(client: Any) -> Iterator[Any]:
    yield client
    if manager := getattr(client, "nodes_manager", None):
        yield manager
    for node in _nodes(client):
        yield from (node, pool := getattr(node, "connection_pool", None))
        if dispatcher := getattr(pool, "_event_dispatcher", None):
            yield dispatcher
