"""The servers that the other tests rest on do what those tests assume of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

from tests.plugins.servers import Servers, endpoint_of
from tests.servers import processes
from tests.servers.clusters import Cluster
from tests.servers.processes import Server


@pytest.fixture
def private(servers: Servers) -> Iterator[Server]:
    with Server(servers.engine("redis-7.0"), "--appendonly", "yes") as server:
        yield server


def impatient(server: Server) -> redis.Redis:
    """A client that gives up at once, so that a test sees the first thing that goes wrong."""
    retry = Retry(NoBackoff(), 0)
    return redis.Redis(port=server.port, protocol=2, socket_timeout=0.5, retry=retry)


@pytest.mark.parametrize("engine", processes.ENGINES)
def test_each_engine_answers_with_the_version_in_its_name(servers: Servers, engine: str) -> None:
    name, version = engine.split("-")[:2]
    with Server(servers.engine(engine)) as server:
        assert server.cli("PING") == "PONG"
        assert (server.info(f"{name}_version") or "").startswith(f"{version}.")


def test_a_shared_server_is_started_once(servers: Servers) -> None:
    assert servers.standalone("redis-7.0") is servers.standalone("redis-7.0")


@pytest.mark.parametrize(
    ("engine", "replaced"), [("redis-5.0", "redis-5.0"), ("redis-7.0", "valkey-9.1")]
)
def test_a_server_of_ones_own_takes_the_place_of_one_engine_and_skips_what_needs_others(
    servers: Servers, engine: str, replaced: str
) -> None:
    own = endpoint_of(servers.standalone(engine).url)
    only = Servers(own)
    assert only.standalone(replaced) is own
    for ask, name in ((only.standalone, "redis-6.2"), (only.cluster, replaced)):
        with pytest.raises(pytest.skip.Exception, match="--redis-url"):
            ask(name)
    only.close()
    assert own.cli("PING") == "PONG"


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:6379",
        "redis://10.0.0.3:6379",
        "rediss://127.0.0.1:6379",
        "redis://:secret@127.0.0.1:6379",
        "redis://127.0.0.1:6379/1",
        "redis://127.0.0.1:6379?protocol=3",
    ],
)
def test_a_url_that_the_tests_cannot_use_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"must be redis://127\.0\.0\.1:PORT") as caught:
        endpoint_of(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("engine", ["redis-7.0", "valkey-9.1"])
def test_a_cluster_client_reaches_all_three_nodes(servers: Servers, engine: str) -> None:
    cluster = servers.cluster(engine)
    reached = set()
    with RedisCluster.from_url(cluster.url, decode_responses=True) as client:
        for key in (f"test:{uuid.uuid4()}" for _ in range(50)):
            client.set(key, f"value of {key}", px=60_000)
            assert client.get(key) == f"value of {key}"
            reached.add(client.get_node_from_key(key).port)
    assert reached == set(cluster.ports)


@pytest.mark.parametrize("engine", [each for each in processes.ENGINES if "search" in each])
def test_engines_with_search_know_its_commands_as_one_server_or_a_cluster_of_one(
    servers: Servers, engine: str
) -> None:
    cluster = servers.cluster(engine)
    assert len(cluster.nodes) == 1
    for server in (servers.standalone(engine), cluster.nodes[0]):
        assert isinstance(server.cli("FT._LIST"), list)


def test_a_replica_follows_each_primary_of_a_cluster(servers: Servers) -> None:
    with Cluster(servers.engine("valkey-9.1"), replicas=1) as cluster:
        followed = [int(replica.info("master_port") or 0) for replica in cluster.replicas]
        assert followed == [primary.port for primary in cluster.primaries]


def test_a_killed_server_starts_again_with_what_was_on_disk(private: Server) -> None:
    private.cli("CONFIG", "SET", "appendfsync", "always")
    private.cli("SET", "kept", "yes")
    private.kill()
    with pytest.raises(ConnectionRefusedError):
        private.cli("PING")
    private.start()
    assert private.cli("GET", "kept") == "yes"


def test_a_restart_keeps_the_port_and_the_data(private: Server) -> None:
    private.cli("SET", "kept", "yes")
    before = private.port, private.info("process_id")
    private.restart()
    assert private.cli("GET", "kept") == "yes"
    assert (private.port, private.info("process_id")) != before
    assert private.port == before[0]


def test_a_paused_server_makes_a_client_time_out_until_it_resumes(private: Server) -> None:
    with impatient(private) as client:
        assert client.ping()
        private.pause()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        private.resume()
        assert client.ping()


def test_no_two_servers_are_given_one_port(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = servers.engine("redis-7.0")
    monkeypatch.setattr(processes, "PORTS", range(21000, 21060))  # so few that chance would clash
    several = [Server(engine) for _ in range(20)]
    for server in several:
        server.close()
    assert len({server.port for server in several}) == 20


def test_a_server_that_refuses_its_options_says_why(servers: Servers) -> None:
    with pytest.raises(RuntimeError, match="nonsense"):
        Server(servers.engine("redis-7.0"), "--nonsense", "1").start()


def test_a_closed_server_leaves_neither_a_process_nor_a_folder(servers: Servers) -> None:
    with Server(servers.engine("redis-7.0")) as server:
        assert server.running
    assert not server.running
    assert not server.folder.exists()
