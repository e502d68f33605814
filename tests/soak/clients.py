"""The clients of a run, as an application would make them, but behind a faulty network.

Strategy: redis-py's defaults, its retries above all, are what is tried. Only `socket_timeout` is
shorter than the default of 5 s: each stall costs that long, and each resend comes that much sooner.
The second client has no retries, so that its appends raise and their writers must repeat them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import redis
import redis.asyncio

from tests.faults import ClusterProxy, Proxy

SOCKET_TIMEOUT = 0.25
_NO_RETRIES = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
_NO_RETRIES_ASYNCIO = redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0)


@dataclass(frozen=True, slots=True)
class Clients:
    """A client with the default retries, and one without."""

    default: Any
    without_retries: Any

    def of(self, retries: bool) -> Any:
        return self.default if retries else self.without_retries


def _settings(network: Proxy | ClusterProxy, options: dict[str, Any]) -> dict[str, Any]:
    settings = {
        "host": "127.0.0.1",
        "port": network.port,
        "socket_timeout": SOCKET_TIMEOUT,
    } | options
    if isinstance(network, ClusterProxy):
        settings["address_remap"] = network.address_remap
    return settings


@contextmanager
def blocking(network: Proxy | ClusterProxy, **options: Any) -> Iterator[Clients]:
    """Connected while the network is still calm: a client that never worked is another matter."""
    make: Any = redis.RedisCluster if isinstance(network, ClusterProxy) else redis.Redis
    settings = _settings(network, options)
    with make(**settings) as default, make(retry=_NO_RETRIES, **settings) as without:
        default.ping()
        without.ping()
        yield Clients(default, without)


@asynccontextmanager
async def awaitable(network: Proxy | ClusterProxy, **options: Any) -> AsyncIterator[Clients]:
    """`blocking` for asyncio."""
    is_cluster = isinstance(network, ClusterProxy)
    make: Any = redis.asyncio.RedisCluster if is_cluster else redis.asyncio.Redis
    settings = _settings(network, options)
    async with make(**settings) as default, make(retry=_NO_RETRIES_ASYNCIO, **settings) as without:
        await default.ping()
        await without.ping()
        yield Clients(default, without)
