"""LangChain's own tests of vector stores, all of them, on every server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_tests.integration_tests import VectorStoreIntegrationTests

from langchain_google_memorystore_redis import MemorystoreVectorStore
from tests.documents.stores import is_exact
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.servers import Servers


class TestMemorystoreVectorStore(VectorStoreIntegrationTests):
    """Blocking methods on a blocking client, async ones on an asyncio client."""

    @pytest.fixture
    async def vectorstore(
        self, target: Target, servers: Servers, client: Any, prefix: str
    ) -> AsyncIterator[MemorystoreVectorStore]:
        async with asyncio_client(target, target.port(servers)) as async_client:
            store = MemorystoreVectorStore(
                client,
                "standard",
                self.get_embeddings(),
                async_client=async_client,
                exact=is_exact(target),
                key_prefix=prefix,
            )
            yield store
            await store.adrop_index()
