"""The faulty network in front of a cluster: nothing goes past it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
import redis.exceptions
import valkey.asyncio
import valkey.cluster
from redis.cluster import RedisCluster

from tests.faults import CUT_BEFORE, DROP_REPLY, ClusterProxy
from tests.plugins.faults import ClusterProxyTo
from tests.plugins.servers import Servers
from tests.servers.clusters import Cluster

SYNC: dict[str, Callable[..., Any]] = {
    "redis": RedisCluster,
    "valkey": valkey.cluster.ValkeyCluster,
}
ASYNCIO: dict[str, Callable[..., Any]] = {
    "redis": redis.asyncio.RedisCluster,
    "valkey": valkey.asyncio.ValkeyCluster,
}


@pytest.fixture
def cluster(servers: Servers) -> Cluster:
    return servers.cluster("valkey-9.1")


@pytest.fixture
def proxy(cluster: Cluster, cluster_proxy_to: ClusterProxyTo) -> ClusterProxy:
    return cluster_proxy_to(cluster.ports)


@pytest.fixture
def keys(prefix: str) -> list[str]:
    """Thirty: that a node has none of them happens once in 64,000 runs."""
    return [f"{prefix}{number}" for number in range(30)]


@pytest.fixture
def client(proxy: ClusterProxy) -> Iterator[Any]:
    with connect(RedisCluster, proxy) as client:
        yield client


def connect(make: Callable[..., Any], proxy: ClusterProxy) -> Any:
    return make(host="127.0.0.1", port=proxy.port, address_remap=proxy.address_remap)


def assert_thirty_sets_were_counted(proxy: ClusterProxy) -> None:
    assert (proxy.round_trips, proxy.commands) == (30, ["SET"] * 30)
    of_nodes = [node.round_trips for node in proxy.nodes.values()]
    assert sum(of_nodes) == 30
    assert 0 not in of_nodes


@pytest.mark.parametrize("make", SYNC.values(), ids=SYNC)
def test_every_command_of_a_cluster_client_is_counted(
    proxy: ClusterProxy, keys: list[str], make: Callable[..., Any]
) -> None:
    with connect(make, proxy) as client:
        for key in keys:
            client.set(key, "a")
    assert_thirty_sets_were_counted(proxy)


@pytest.mark.parametrize("make", ASYNCIO.values(), ids=ASYNCIO)
async def test_every_command_of_an_asyncio_cluster_client_is_counted(
    proxy: ClusterProxy, keys: list[str], make: Callable[..., Any]
) -> None:
    async with connect(make, proxy) as client:
        for key in keys:
            await client.set(key, "a")
    assert_thirty_sets_were_counted(proxy)


def test_a_pipeline_is_a_round_trip_for_each_node_it_goes_to(
    proxy: ClusterProxy, client: Any, keys: list[str]
) -> None:
    with proxy.counting() as count, client.pipeline() as pipeline:
        for key in keys:
            pipeline.get(key)
        pipeline.execute()
    assert (count.round_trips, count.commands) == (3, ["GET"] * 30)


def test_a_fault_is_met_once_whichever_node_a_key_is_on(
    proxy: ClusterProxy, client: Any, keys: list[str]
) -> None:
    proxy.inject(DROP_REPLY, on="RPUSH")
    for key in keys:
        client.rpush(key, "a")
    assert sum(client.llen(key) for key in keys) == 31
    assert proxy.injected == {DROP_REPLY: 1}


def test_a_fault_of_one_node_is_met_there_only(
    cluster: Cluster, proxy: ClusterProxy, client: Any, keys: list[str]
) -> None:
    port = cluster.ports[1]
    proxy.node(port).inject(CUT_BEFORE)
    for key in keys:
        client.set(key, "a")
    assert [(at, dict(node.injected)) for at, node in proxy.nodes.items() if node.injected] == [
        (port, {CUT_BEFORE: 1})
    ]
    assert len(proxy.commands) == 31


def test_chaos_over_all_nodes_loses_no_write_that_was_confirmed(
    proxy: ClusterProxy, client: Any, keys: list[str]
) -> None:
    proxy.chaos(rate=0.1, seed=3, faults=[CUT_BEFORE, DROP_REPLY])
    for key in keys:
        client.set(key, "a")
    proxy.calm()
    assert [client.get(key) for key in keys] == [b"a"] * 30
    assert proxy.injected


def test_a_redirection_leads_to_a_proxy_again(proxy: ClusterProxy, keys: list[str]) -> None:
    targets = set()
    with redis.Redis(port=proxy.port) as client:
        for key in keys:
            try:
                client.get(key)
            except redis.ResponseError as error:  # in words: redis-py 5 knows no more of it here
                targets.add(int(str(error).rpartition(":")[2]))
    assert targets == {node.port for node in proxy.nodes.values()} - {proxy.port}


def test_a_cluster_that_is_gone_is_found_again(
    proxy: ClusterProxy, client: Any, keys: list[str]
) -> None:
    # Either, as the versions go; the second is no RedisError.
    gone = (redis.ConnectionError, redis.exceptions.RedisClusterException)
    with proxy.refusing(), pytest.raises(gone):
        client.get(keys[0])
    assert client.get(keys[0]) is None
