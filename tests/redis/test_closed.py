"""Clients that were closed before they are used."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from langchain_google_memorystore_redis import (
    ClientClosedError,
    MemorystoreChatMessageHistory,
    aconnect,
    connect,
)
from tests.plugins.clients import Target
from tests.plugins.servers import Servers

CLUSTERS = [
    Target("valkey-9.1", cluster=True),
    Target("redis-7.0", cluster=True, library="valkey"),
]


def url_of(servers: Servers, *, cluster: bool) -> str:
    return servers.cluster("valkey-9.1").url if cluster else servers.standalone("valkey-9.1").url


def open_one(client: Any, prefix: str) -> MemorystoreChatMessageHistory:
    return MemorystoreChatMessageHistory(client, "session", key_prefix=prefix)


def require_refusals(history: MemorystoreChatMessageHistory) -> None:
    for call in (history.count, lambda: history.messages, lambda: history.copy("branch")):
        with pytest.raises(ClientClosedError, match="has been closed"):
            call()
    with pytest.raises(ClientClosedError):
        history.add_messages([HumanMessage("x")])


async def require_async_refusals(history: MemorystoreChatMessageHistory) -> None:
    for call in (history.acount, history.aget_messages):
        with pytest.raises(ClientClosedError, match="has been closed"):
            await call()
    with pytest.raises(ClientClosedError):
        await history.aadd_messages([HumanMessage("x")])


@pytest.mark.parametrize("cluster", [False, True])
@pytest.mark.parametrize("is_used", [False, True])
async def test_a_closed_client_of_connect_is_refused(
    servers: Servers, prefix: str, cluster: bool, is_used: bool
) -> None:
    with connect(url_of(servers, cluster=cluster)) as client:
        history = open_one(client, prefix)
        if is_used:
            history.count()
    require_refusals(history)
    await require_async_refusals(history)


@pytest.mark.parametrize("cluster", [False, True])
@pytest.mark.parametrize("is_used", [False, True])
async def test_a_closed_client_of_aconnect_is_refused(
    servers: Servers, prefix: str, cluster: bool, is_used: bool
) -> None:
    async with await aconnect(url_of(servers, cluster=cluster)) as client:
        history = open_one(client, prefix)
        if is_used:
            await history.acount()
    await require_async_refusals(history)


@pytest.mark.parametrize("target", CLUSTERS, ids=str)
def test_a_closed_blocking_client_of_a_cluster_is_refused(
    target: Target, servers: Servers, prefix: str
) -> None:
    client = target.connect(target.port(servers))
    client.close()
    require_refusals(open_one(client, prefix))


async def test_a_closed_asyncio_client_of_a_cluster_is_refused_where_it_stays_closed(
    servers: Servers, prefix: str
) -> None:
    target = CLUSTERS[1]
    client = target.connect(target.port(servers), asyncio=True)
    await client.aclose()
    history = open_one(client, prefix)
    if hasattr(client, "_closed"):
        await require_async_refusals(history)
    else:  # valkey-py before 6.1.1 opens it again
        assert await history.acount() == 0
        await client.aclose()
