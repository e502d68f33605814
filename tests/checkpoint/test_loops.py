"""Savers that have only an asyncio client, called from threads; `setup` in both forms."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langgraph.graph import START, MessagesState, StateGraph

from langchain_google_memorystore_redis import AsyncClientError, MemorystoreSaver
from tests.checkpoint.savers import config_of
from tests.plugins.clients import TARGETS, Target, asyncio_client
from tests.plugins.servers import Servers

targets = pytest.mark.parametrize("target", TARGETS, ids=str)


def graph_of(node: Any, saver: Any) -> Any:
    graph = StateGraph(MessagesState)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    return graph.compile(checkpointer=saver)


@targets
async def test_a_sync_node_of_an_awaited_graph_invokes_a_graph(
    target: Target, servers: Servers, prefix: str
) -> None:
    async with asyncio_client(target, target.port(servers)) as client:
        saver = MemorystoreSaver(client, key_prefix=prefix)
        inner = graph_of(lambda _: {"messages": ["inner"]}, saver)

        def outer(_: Any) -> Any:
            answer = inner.invoke({"messages": ["?"]}, config_of("inner"))
            history = list(inner.get_state_history(config_of("inner")))
            assert history[0] == inner.get_state(config_of("inner"))
            return {"messages": [answer["messages"][-1].content]}

        result = await graph_of(outer, saver).ainvoke({"messages": ["?"]}, config_of("outer"))
        assert result["messages"][-1].content == "inner"
        with pytest.raises(AsyncClientError):
            inner.invoke({"messages": ["?"]}, config_of("inner"))
        for thread_id in ("inner", "outer"):
            await asyncio.to_thread(saver.delete_thread, thread_id)


async def test_setup_may_be_called_and_awaited(servers: Servers) -> None:
    async with asyncio_client(TARGETS[3], TARGETS[3].port(servers)) as client:
        saver = MemorystoreSaver(client)
        saver.setup()
        await saver.setup()
        await saver.asetup()
        await asyncio.gather(saver.setup(), asyncio.ensure_future(saver.setup()))
        await asyncio.to_thread(asyncio.run, saver.setup())  # type: ignore[arg-type]
