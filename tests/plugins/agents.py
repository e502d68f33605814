"""Agents with sessions, for tests of the middleware.

Strategy: a test that takes `chat` or `impatient` runs twice, with agents that are invoked and
blocking clients, and with agents that are awaited and asyncio clients.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis
import redis.asyncio

from langchain_google_memorystore_redis import ChatHistoryMiddleware, MemorystoreChatMessageHistory
from tests.checkpoint.agents import agent_of, transcript
from tests.faults import Proxy
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers

WAYS = ("sync", "async")
LOST = (redis.ConnectionError, redis.TimeoutError)
NO_RETRY = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
NO_RETRY_ASYNC = redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0)


@dataclass
class Chat:
    """Agents with sessions of one client, invoked the blocking way or awaited."""

    client: Any
    by_async: bool
    prefix: str

    def open(self, session_id: str = "s") -> MemorystoreChatMessageHistory:
        return MemorystoreChatMessageHistory(self.client, session_id, key_prefix=self.prefix)

    def agent(self, saver: Any = None, *others: Any) -> Any:
        return agent_of(saver, ChatHistoryMiddleware(self.open), *others)

    async def run(
        self,
        agent: Any,
        given: Any,
        session_id: str = "s",
        *,
        key: Any = None,
        **options: Any,
    ) -> Any:
        settings = {"session_id": session_id, "thread_id": "t", "idempotency_key": key}
        config = {"configurable": settings}
        if self.by_async:
            return (await agent.ainvoke(given, config, **options))["messages"]
        return agent.invoke(given, config, **options)["messages"]

    async def stored(self, session_id: str = "s") -> list[tuple[str, str]]:
        history = self.open(session_id)
        return transcript(await history.aget_messages() if self.by_async else history.messages)


async def opened(
    way: str, target: Target, port: int, prefix: str, **options: Any
) -> AsyncIterator[Chat]:
    if way == "async":
        async with asyncio_client(target, port, **options) as client:
            yield Chat(client, by_async=True, prefix=prefix)
    else:
        client = target.connect(port, **options)
        yield Chat(client, by_async=False, prefix=prefix)
        client.close()


@pytest.fixture(params=WAYS)
async def chat(
    request: pytest.FixtureRequest, servers: Servers, prefix: str
) -> AsyncIterator[Chat]:
    target = Target("valkey-9.1")
    async for made in opened(request.param, target, target.port(servers), prefix):
        yield made


@pytest.fixture
def agent_proxy(servers: Servers, proxy_to: ProxyTo) -> Proxy:
    return proxy_to(servers.standalone("valkey-9.1").port)


@pytest.fixture(params=WAYS)
async def impatient(
    request: pytest.FixtureRequest, agent_proxy: Proxy, prefix: str
) -> AsyncIterator[Chat]:
    """Behind a faulty network, with a client that never tries again by itself."""
    retry = NO_RETRY if request.param == "sync" else NO_RETRY_ASYNC
    target = Target("valkey-9.1")
    async for made in opened(request.param, target, agent_proxy.port, prefix, retry=retry):
        yield made
