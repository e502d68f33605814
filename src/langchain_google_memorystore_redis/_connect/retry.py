"""Retries of failed commands and connections.

Strategy: one loop of retries. redis-py retries a command and, inside each try, the opening of the
connection; here the inner loop leaves its errors to the outer one. redis-py gives each connection a
copy of the object, and a connection serves one command at a time, so that it may hold state.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import redis
from redis.asyncio.retry import Retry as RedisAsyncRetry
from redis.backoff import EqualJitterBackoff
from redis.retry import Retry as RedisRetry

from langchain_google_memorystore_redis._connect.diagnosis import causes_of, final_failure

_logger = logging.getLogger("langchain_google_memorystore_redis")

MAX_RETRIES = 4

# QUIRK(redis-py<8): the opening of a connection is not retried unless the operating system's own
# errors are listed. Remove when redis-py 8 is the oldest: then OSError is not needed.
_RETRYABLE_ERRORS = (redis.ConnectionError, redis.TimeoutError, OSError)


def make_backoff() -> EqualJitterBackoff:
    """Return pauses of up to 0.2, 0.4, 0.8 and 1.6 seconds, each at least half of that."""
    return EqualJitterBackoff(cap=2, base=0.1)


class Retry(RedisRetry):
    """Retries of a blocking client's connections."""

    def __init__(self) -> None:
        super().__init__(make_backoff(), MAX_RETRIES, _RETRYABLE_ERRORS)
        self._is_retrying = False

    def call_with_retry(self, do: Any, fail: Any, *args: Any, **kwargs: Any) -> Any:
        """Run `do` until it succeeds; once if it is part of something that is being retried."""
        # QUIRK(redis-py<=8.1): both loops use the same object, so 4 retries would be 24, and a
        # silent server would be reported after two minutes. Remove when only one loop is left.
        if self._is_retrying:
            return do()
        self._is_retrying = True
        try:
            return super().call_with_retry(do, _log_failure(fail), *args, **kwargs)
        finally:
            self._is_retrying = False


class AsyncRetry(RedisAsyncRetry):
    """Retries of an asyncio client's connections."""

    def __init__(self) -> None:
        # It takes an OSError as the blocking class does, but its annotation does not say so.
        super().__init__(make_backoff(), MAX_RETRIES, _RETRYABLE_ERRORS)  # type: ignore[arg-type]
        self._is_retrying = False

    async def call_with_retry(self, do: Any, fail: Any, *args: Any, **kwargs: Any) -> Any:
        """Async twin of `Retry.call_with_retry`."""
        if self._is_retrying:
            return await do()
        self._is_retrying = True
        try:
            return await super().call_with_retry(do, _log_failure(fail), *args, **kwargs)
        finally:
            self._is_retrying = False


def _log_failure(fail: Callable[..., Any]) -> Callable[..., Any]:
    """Return `fail`, which may be a coroutine function, preceded by a log message.

    An error after which no retry would succeed is raised at once.
    """
    outer = sys.exception()

    def log_and_fail(error: Exception, *failures: int) -> Any:
        _logger.warning("Attempt failed: %s: %s", type(error).__name__, error)
        if final_failure(causes_of(error, outer)):
            raise error
        return fail(error, *failures)

    return log_and_fail
