"""The suites that LangChain has for caches of models' answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_tests.integration_tests import AsyncCacheTestSuite, SyncCacheTestSuite

from langchain_google_memorystore_redis import MemorystoreCache
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.servers import Servers


class TestBlocking(SyncCacheTestSuite):
    """Blocking methods of a blocking client."""

    @pytest.fixture
    def cache(self, client: Any, prefix: str) -> MemorystoreCache:
        return MemorystoreCache(client, key_prefix=prefix, on_outage="raise")


class TestAsyncio(AsyncCacheTestSuite):
    """Async methods of an asyncio client."""

    @pytest.fixture
    async def cache(
        self, target: Target, servers: Servers, prefix: str
    ) -> AsyncIterator[MemorystoreCache]:
        async with asyncio_client(target, target.port(servers)) as client:
            yield MemorystoreCache(client, key_prefix=prefix, on_outage="raise")


class TestThread(AsyncCacheTestSuite):
    """Async methods of a blocking client."""

    @pytest.fixture
    async def cache(self, client: Any, prefix: str) -> MemorystoreCache:
        return MemorystoreCache(client, key_prefix=prefix, on_outage="raise")
