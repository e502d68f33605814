"""Classes of redis-py for connections and their pools, with what they lack.

Strategy: whatever fails while a connection is opened passes one guard, which replaces errors that
no retry would mend by ones that say what is wrong. The guard is put around methods of redis-py's
classes, blocking and asyncio ones by the same lines.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import redis
import redis.asyncio

from langchain_google_memorystore_redis._connect.diagnosis import (
    Diagnosis,
    causes_of,
    final_failure,
)

_OPENING = ("_connect", "connect", "connect_check_health")
"""Methods that open a connection. In redis-py 5 the outermost is `connect`, later the last one."""


class _TlsConnection(redis.SSLConnection):
    def _wrap_socket_with_ssl(self, sock: Any) -> Any:
        # QUIRK(redis-py<=8.1): the handshake of a blocking connection has the time of a reply.
        # Remove when it has the time of connecting, as in asyncio.
        sock.settimeout(self.socket_connect_timeout)
        wrapped = super()._wrap_socket_with_ssl(sock)  # type: ignore[no-untyped-call]
        wrapped.settimeout(self.socket_timeout)
        return wrapped


class _AsyncUnixConnection(redis.asyncio.UnixDomainSocketConnection):
    async def _connect(self) -> None:
        # QUIRK(redis-py<=8.1): logs in twice. Remove when its method does not call on_connect().
        async with asyncio.timeout(self.socket_connect_timeout):
            self._reader, self._writer = await asyncio.open_unix_connection(self.path)


class _NoSecrets:
    """Pool whose text holds no password."""

    # QUIRK(redis-py<8.1): the text of a pool holds all options of its connections. Remove when
    # redis-py 8.1 is the oldest.
    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class _BlockingPool(_NoSecrets, redis.BlockingConnectionPool):
    pass


class _AsyncPool(_NoSecrets, redis.asyncio.BlockingConnectionPool):
    pass


def pool_class(library: ModuleType) -> Any:
    """Return the class of pools whose callers wait for a free connection."""
    return _AsyncPool if library is redis.asyncio else _BlockingPool


def connection_class(
    library: ModuleType, tls_options: Mapping[str, Any] | None, *, unix: bool = False
) -> Any:
    """Return a class for the connections of one client."""
    base: Any
    if library is redis.asyncio:
        base = redis.asyncio.Connection if tls_options is None else redis.asyncio.SSLConnection
        base = _AsyncUnixConnection if unix else base
    else:
        base = redis.Connection if tls_options is None else _TlsConnection
        base = redis.UnixDomainSocketConnection if unix else base
    diagnosis = Diagnosis(tls_options)
    guarded = {
        name: _guard(getattr(base, name), diagnosis) for name in _OPENING if hasattr(base, name)
    }
    return type(base.__name__.lstrip("_"), (base,), guarded)


def _guard(method: Callable[..., Any], diagnosis: Diagnosis) -> Callable[..., Any]:
    """Return a method that raises an explanation where no retry would help.

    The connection is closed then.
    """
    # QUIRK(redis-py<=8.1): after an error of credentials, which is no RedisError, a connection
    # stays open without being logged in. Remove when redis-py closes it.

    @functools.wraps(method)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        outer = sys.exception()
        try:
            answer = method(self, *args, **kwargs)
        except Exception as error:
            causes = causes_of(error, outer)
            failure = final_failure(causes) or _explain(self, causes, diagnosis)
            if failure is None:
                raise
            self.disconnect()
        else:
            diagnosis.reached |= method.__name__ != "_connect"
            return answer
        raise failure

    @functools.wraps(method)
    async def guarded_async(self: Any, *args: Any, **kwargs: Any) -> Any:
        outer = sys.exception()
        try:
            answer = await method(self, *args, **kwargs)
        except Exception as error:
            causes = causes_of(error, outer)
            failure = final_failure(causes)
            failure = failure or await asyncio.to_thread(_explain, self, causes, diagnosis)
            if failure is None:
                raise
            await self.disconnect()
        else:
            diagnosis.reached |= method.__name__ != "_connect"
            return answer
        raise failure

    return guarded_async if inspect.iscoroutinefunction(method) else guarded


def _explain(
    connection: Any, causes: Sequence[Exception], diagnosis: Diagnosis
) -> Exception | None:
    if hasattr(connection, "path"):  # a socket of this machine
        return None
    return diagnosis.explain(causes, connection.host, connection.port)
