"""A signal handler that raises within a command leaves a client that gives right answers."""

from __future__ import annotations

import itertools

import pytest
from langchain_core.messages import HumanMessage

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.servers import Servers
from tests.redis.interrupts import Interrupt, interrupted, of_client

TARGETS = [
    Target("valkey-9.1"),
    Target("valkey-9.1", library="valkey"),
    Target("redis-5.0", protocol=2),
    Target("redis-7.0", cluster=True),
]


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_no_answer_of_an_interrupted_command_is_given_to_another(
    target: Target, servers: Servers, prefix: str
) -> None:
    interrupts = 0
    client = target.connect(target.port(servers))
    history = MemorystoreChatMessageHistory(client, "session", key_prefix=prefix)
    history.add_messages([HumanMessage("hi")])
    for at in itertools.count(1):
        try:
            with interrupted(at, of_client) as was_reached:
                assert history.count() == 1
        except Interrupt:
            interrupts += 1
        assert history.messages == [HumanMessage("hi")]
        assert history.count() == 1
        if not was_reached():
            break
    assert interrupts > 50


def of_asyncio_client(filename: str) -> bool:
    """Not in connections and pools: an interrupt there leaves locks of asyncio taken for ever."""
    return of_client(filename) and filename.endswith(("client.py", "cluster.py"))


@pytest.mark.parametrize("target", TARGETS, ids=str)
async def test_no_answer_of_an_interrupted_command_is_given_to_another_task(
    target: Target, servers: Servers, prefix: str
) -> None:
    interrupts = 0
    async with asyncio_client(target, target.port(servers)) as client:
        history = MemorystoreChatMessageHistory(client, "session", key_prefix=prefix)
        await history.aadd_messages([HumanMessage("hi")])
        for at in itertools.count(1):
            try:
                with interrupted(at, of_asyncio_client) as was_reached:
                    assert await history.acount() == 1
            except Interrupt:
                interrupts += 1
            assert await history.aget_messages() == [HumanMessage("hi")]
            assert await history.acount() == 1
            if not was_reached():
                break
    assert interrupts >= 10
