"""Copies of everything that holds a client, a cache or a lock."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.messages import HumanMessage
from langgraph.graph import START, MessagesState, StateGraph

from langchain_google_memorystore_redis import (
    ChatHistoryMiddleware,
    MemorystoreChatMessageHistory,
    MemorystoreError,
    MemorystoreSaver,
    MemorystoreStore,
    MemorystoreVectorStore,
    ReadCache,
)
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.servers import Servers

MAKERS: list[Callable[[Any], Any]] = [
    lambda client: MemorystoreChatMessageHistory(client, "session", cache=ReadCache()),
    MemorystoreSaver,
    lambda client: ChatHistoryMiddleware(lambda name: MemorystoreChatMessageHistory(client, name)),
    lambda _: ReadCache(),
    lambda client: MemorystoreSaver.from_conn_string("redis://127.0.0.1:1"),
    lambda client: MemorystoreVectorStore(client, "docs", DeterministicFakeEmbedding(size=8)),
    MemorystoreStore,
]
makers = pytest.mark.parametrize(
    "make", MAKERS, ids=["history", "saver", "middleware", "cache", "context", "vectors", "store"]
)


@makers
def test_what_cannot_be_pickled_says_so(client: Any, make: Callable[[Any], Any]) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(MemorystoreError, match="other process") as caught:
            pickle.dumps(make(client), protocol)
        assert isinstance(caught.value, TypeError)


@makers
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_shares_everything(
    client: Any, make: Callable[[Any], Any], copied: Callable[[Any], Any]
) -> None:
    made = make(client)
    twin = copied(made)
    assert twin is not made
    assert type(twin) is type(made)
    assert {name: id(value) for name, value in vars(twin).items()} == {
        name: id(value) for name, value in vars(made).items()
    }


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
async def test_a_copy_works(
    target: Target,
    servers: Servers,
    client: Any,
    prefix: str,
    copied: Callable[[Any], Any],
) -> None:
    cache = ReadCache()
    history = copied(MemorystoreChatMessageHistory(client, "s", key_prefix=prefix, cache=cache))
    history.add_messages([HumanMessage("hi")])
    assert history.messages == [HumanMessage("hi")]
    assert len(cache) == len(copied(cache)) == 1
    async with asyncio_client(target, target.port(servers)) as async_client:
        saver = copied(MemorystoreSaver(async_client, key_prefix=prefix))
        graph = StateGraph(MessagesState)
        graph.add_node("answer", lambda _: {"messages": ["hello"]})
        graph.add_edge(START, "answer")
        compiled: Any = graph.compile(checkpointer=saver)
        config: Any = {"configurable": {"thread_id": "t"}}
        await compiled.ainvoke({"messages": ["hi"]}, config)
        state = await compiled.aget_state(config)
        assert [message.content for message in state.values["messages"]] == ["hi", "hello"]
        await saver.adelete_thread("t")
