"""`MemorystoreSaver.from_conn_string`: its client is one of `connect()`, blocking or asyncio."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import pytest
import redis
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    InvalidArgumentError,
    MemorystoreSaver,
)
from tests.checkpoint.savers import Awaited, Saver, checkpoint_of, config_of
from tests.connect.certificates import tls_server
from tests.plugins.servers import Servers
from tests.servers.clusters import Cluster
from tests.servers.processes import HOST, Server

TASKS = 300


@asynccontextmanager
async def entered(block: str, url: str, **options: Any) -> AsyncIterator[Saver]:
    """The saver of `with` or of `async with`, by its async methods."""
    context = MemorystoreSaver.from_conn_string(url, **options)
    if block == "with":
        with context as saver:
            yield Awaited(saver)
    else:
        async with context as saver:
            yield saver


async def is_usable(saver: Saver) -> bool:
    await saver.aput(config_of("t"), checkpoint_of(), {}, {})
    return await saver.aget_tuple(config_of("t")) is not None


blocks = pytest.mark.parametrize("block", ["with", "async with"])


@blocks
async def test_every_address_of_connect_is_one(
    servers: Servers, prefix: str, block: str, tmp_path: Path
) -> None:
    port = servers.standalone("valkey-9.1").port
    cluster = servers.cluster("valkey-9.1").ports[0]
    path = tmp_path / "socket"
    with Server(servers.engine("redis-7.0"), "--unixsocket", str(path)):
        for url, options in (
            (f"{HOST}:{port}", {}),
            (f"redis://{HOST}:{port}/1", {"cluster": False}),
            (f"VALKEY://{HOST}:{port}", {"client_options": {"protocol": 3}}),
            (f"unix://{path}", {"ttl": 100}),
            (f"valkey://{HOST}:{cluster}", {}),
            (f"redis://{HOST}:{cluster}", {"cluster": True}),
        ):
            async with entered(block, url, key_prefix=prefix, **options) as saver:
                assert await is_usable(saver)


@blocks
async def test_tls_checks_the_host(servers: Servers, block: str, tmp_path: Path) -> None:
    with tls_server(servers.engine("redis-7.0"), tmp_path, "127.0.0.2") as server:
        authority = {"ca_certs": server.authority.pem}
        for options, right in (
            (authority, False),
            ({**authority, "ssl_check_hostname": False}, True),
        ):
            context = entered(
                block, f"valkeys://{server.endpoint}", cluster=False, client_options=options
            )
            async with context as saver:
                if right:
                    assert await is_usable(saver)
                    continue
                with pytest.raises(redis.ConnectionError, match="does not name this host"):
                    await is_usable(saver)


@blocks
async def test_what_is_no_address_is_refused_by_its_name(block: str) -> None:
    for url in ("http://127.0.0.1", "redis://:a/b@127.0.0.1:6379"):
        with pytest.raises(InvalidArgumentError, match="conn_string ") as caught:
            await entered(block, url).__aenter__()
        assert caught.value.argument == "conn_string"
    with pytest.raises(ArgumentTypeError, match="conn_string must be a str, not NoneType"):
        MemorystoreSaver.from_conn_string(None)  # type: ignore[arg-type]


@blocks
async def test_a_saver_that_cannot_be_made_leaves_no_connection(
    servers: Servers, block: str
) -> None:
    with Server(servers.engine("valkey-9.1")) as server:
        with pytest.raises(InvalidArgumentError, match="ttl"):
            await entered(block, server.url, ttl=-1).__aenter__()
        assert server.info("connected_clients") == "1"


@blocks
async def test_connections_that_the_server_closed_are_opened_anew(
    servers: Servers, prefix: str, block: str
) -> None:
    with Server(servers.engine("valkey-9.1")) as server:
        async with entered(block, server.url, key_prefix=prefix) as saver:
            for _ in range(5):
                assert await is_usable(saver)
                server.cli("CLIENT", "KILL", "TYPE", "normal")
    with Cluster(servers.engine("valkey-9.1")) as cluster:
        async with entered(block, cluster.url, key_prefix=prefix) as saver:
            for _ in range(5):
                assert await is_usable(saver)
                for node in cluster.nodes:
                    node.cli("CLIENT", "KILL", "TYPE", "normal")


class Numbers(TypedDict):
    numbers: Annotated[list[int], operator.add]


def graph_of(saver: Saver) -> Any:
    """A graph of as many parallel tasks, each of which stores its writes."""

    async def work(state: dict[str, int]) -> dict[str, list[int]]:
        return {"numbers": [state["number"]]}

    graph = StateGraph(Numbers)
    graph.add_node("work", work)  # type: ignore[type-var]
    graph.add_conditional_edges(
        START, lambda _: [Send("work", {"number": number}) for number in range(TASKS)]
    )
    graph.add_edge("work", END)
    return graph.compile(checkpointer=saver)


@pytest.mark.parametrize("topology", ["standalone", "cluster"])
async def test_a_graph_of_300_parallel_tasks_runs(
    servers: Servers, prefix: str, topology: str
) -> None:
    url = getattr(servers, topology)("valkey-9.1").url
    async with MemorystoreSaver.from_conn_string(url, key_prefix=prefix) as saver:
        graph = graph_of(saver)
        config: Any = {"configurable": {"thread_id": "t"}}
        await graph.ainvoke({"numbers": []}, config)
        state = await graph.aget_state(config)
        assert sorted(state.values["numbers"]) == list(range(TASKS))


@pytest.mark.parametrize("topology", ["standalone", "cluster"])
async def test_300_callers_at_once_wait_for_their_turn(
    servers: Servers, prefix: str, topology: str
) -> None:
    url = getattr(servers, topology)("valkey-9.1").url

    async def use(saver: Saver, number: int) -> bool:
        config = config_of(f"{number % 5}")  # so that a node of a cluster gets more than its share
        await saver.aput(config, checkpoint_of(), {}, {})
        return await saver.aget_tuple(config) is not None

    async with entered("async with", url, key_prefix=prefix) as saver:
        assert all(await asyncio.gather(*(use(saver, number) for number in range(TASKS))))
    async with entered("with", url, key_prefix=prefix) as saver:
        with ThreadPoolExecutor(TASKS) as threads:
            calls = [threads.submit(asyncio.run, use(saver, n)) for n in range(TASKS)]
            assert all(call.result() for call in calls)
