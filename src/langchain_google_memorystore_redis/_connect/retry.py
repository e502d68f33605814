"""How often a failed command or connection is tried again, and after what pause.

Strategy: one loop. redis-py retries a command, and within each of these tries the opening of the
connection, with the same setting: four tries more become 24, and a server that has gone silent
is reported after two minutes. Here the inner loop leaves its errors to the outer one. redis-py
gives each connection a copy of the object, and a connection serves one command at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import redis
from redis.asyncio.retry import Retry as RedisAsyncRetry
from redis.backoff import EqualJitterBackoff
from redis.retry import Retry as RedisRetry

_logger = logging.getLogger("langchain_google_memorystore_redis")
TRIES_MORE = 4
# redis-py before 8 opens a connection once, unless the operating system's own errors are listed.
_ERRORS = (redis.ConnectionError, redis.TimeoutError, OSError)


def backoff() -> EqualJitterBackoff:
    """Pauses of up to 0.2, 0.4, 0.8 and 1.6 seconds, each at least half of that."""
    return EqualJitterBackoff(cap=2, base=0.1)


class Retry(RedisRetry):
    """For the connections of a blocking client."""

    def __init__(self) -> None:
        super().__init__(backoff(), TRIES_MORE, _ERRORS)
        self._inside = False

    def call_with_retry(self, do: Any, fail: Any, *args: Any, **kwargs: Any) -> Any:
        """Run `do` until it succeeds; once, if it is part of something that is being retried."""
        if self._inside:
            return do()
        self._inside = True
        try:
            return super().call_with_retry(do, _told(fail), *args, **kwargs)
        finally:
            self._inside = False


class AsyncRetry(RedisAsyncRetry):
    """For the connections of an asyncio client."""

    def __init__(self) -> None:
        # Its annotation admits no OSError, which it takes as well as the blocking one.
        super().__init__(backoff(), TRIES_MORE, _ERRORS)  # type: ignore[arg-type]
        self._inside = False

    async def call_with_retry(self, do: Any, fail: Any, *args: Any, **kwargs: Any) -> Any:
        """Async twin of `Retry.call_with_retry`."""
        if self._inside:
            return await do()
        self._inside = True
        try:
            return await super().call_with_retry(do, _told(fail), *args, **kwargs)
        finally:
            self._inside = False


def _told(fail: Callable[..., Any]) -> Callable[..., Any]:
    """`fail`, which may be a coroutine function, after the log has been told of the error.

    Ends the trying when the server does not know the user or the password: it will not, either.
    """

    def tell(error: Exception, *failures: int) -> Any:
        _logger.warning("A try failed: %s: %s", type(error).__name__, error)
        if isinstance(error, redis.AuthenticationError):
            raise error
        return fail(error, *failures)

    return tell
