"""Connections and locks inside a client, where its own handling of signals and forks falls short.

Strategy: redis-py returns a connection to its pool even if a signal handler raised after a command
was sent and before its reply was read; the next command on it would get that reply. Closing the
idle connections of the client removes it. A client is recognised by its attributes, as in
`clients.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

_CLIENT_ERRORS = ("RedisError", "ValkeyError", "MemorystoreError")
_LOCK_NAMES = ("_lock", "_fork_lock", "_initialization_lock")
_LOCK_CLASSES = (type(threading.Lock()), type(threading.RLock()))


def is_interrupt(error: BaseException) -> bool:
    """Tell whether an exception came from outside of the client, such as from a signal handler."""
    return all(cls.__name__ not in _CLIENT_ERRORS for cls in type(error).__mro__)


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


def _nodes(client: Any) -> Iterator[Any]:
    """Yield the clients, or nodes of an asyncio client, that have connections of their own."""
    manager = getattr(client, "nodes_manager", None)
    if manager is None:
        yield client
        return
    for node in list(manager.nodes_cache.values()):
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


def _parts(client: Any) -> Iterator[Any]:
    yield client
    if manager := getattr(client, "nodes_manager", None):
        yield manager
    for node in _nodes(client):
        yield from (node, pool := node.connection_pool)
        if dispatcher := getattr(pool, "_event_dispatcher", None):
            yield dispatcher
