"""`connect()` and `aconnect()` against real servers: plain, TLS, users, clusters, failovers."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from langchain_core.messages import HumanMessage
from redis.backoff import EqualJitterBackoff
from redis.exceptions import AuthenticationError

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    InvalidArgumentError,
    MemorystoreChatMessageHistory,
    aconnect,
    connect,
)
from tests.connect.certificates import Authority, tls_cluster, tls_server
from tests.connect.ways import Way, done
from tests.faults import Proxy
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers
from tests.servers.clusters import Cluster
from tests.servers.processes import HOST, Engine, Server, wait_until

PASSWORD = "it's@secret/%"
QUOTED = "it%27s%40secret%2F%25"


# Where to


@pytest.mark.parametrize("engine", ["redis-5.0", "redis-6.2", "redis-7.0", "valkey-9.1"])
async def test_it_connects_to_every_server(way: Way, servers: Servers, engine: str) -> None:
    client = await way(f"{HOST}:{servers.standalone(engine).port}")
    assert isinstance(client, way.kind("Redis"))
    assert await done(client.ping()) is True


@pytest.mark.parametrize("cluster", [None, True])
@pytest.mark.parametrize("engine", ["redis-7.0", "valkey-9.1"])
async def test_it_finds_out_that_a_server_is_a_cluster(
    way: Way, servers: Servers, engine: str, prefix: str, cluster: bool | None
) -> None:
    client = await way(servers.cluster(engine).url + "/0", cluster=cluster)
    assert isinstance(client, way.kind("RedisCluster"))
    history = MemorystoreChatMessageHistory(client, prefix)
    await history.aadd_messages([HumanMessage("hi")])
    assert await history.aget_messages() == [HumanMessage("hi")]
    await history.aclear()


async def test_a_cluster_that_is_found_has_no_other_database(way: Way, servers: Servers) -> None:
    with pytest.raises(InvalidArgumentError, match="db must be 0"):
        await way(servers.cluster("valkey-9.1").url + "/3")


async def test_without_an_argument_it_takes_redis_url(
    way: Way, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = servers.standalone("valkey-9.1")
    monkeypatch.setenv("REDIS_URL", server.url)
    client = await way()
    assert str((await done(client.info("server")))["tcp_port"]) == str(server.port)


async def test_options_of_redis_py_and_of_the_url_are_kept(way: Way, servers: Servers) -> None:
    url = servers.standalone("valkey-9.1").url
    client = await way(url + "?socket_timeout=7", decode_responses=True, protocol=3)
    await done(client.set("options", "a", ex=60))
    assert await done(client.get("options")) == "a"
    used = client.connection_pool.connection_kwargs
    assert (used["socket_timeout"], used["protocol"]) == (7, 3)


async def test_a_cluster_client_keeps_every_option(way: Way, servers: Servers) -> None:
    client = await way(
        servers.cluster("valkey-9.1").url,
        decode_responses=True,
        health_check_interval=7,
        require_full_coverage=True,
    )
    await done(client.set("options", "a", ex=60))
    assert await done(client.get("options")) == "a"
    node = client.get_primaries()[0]
    pool = node.redis_connection.connection_pool if way.name == "connect" else node
    assert pool.connection_kwargs["health_check_interval"] == 7


class PathOfBytes:
    def __fspath__(self) -> bytes:
        return b"/no/such.pem"


BAD = {
    "another protocol": ({"url_or_endpoint": "http://127.0.0.1"}, "url_or_endpoint"),
    "no host": ({"url_or_endpoint": "redis://"}, "url_or_endpoint"),
    "empty": ({"url_or_endpoint": ""}, "url_or_endpoint"),
    "an odd port": ({"url_or_endpoint": "10.0.0.1:sixty"}, "url_or_endpoint"),
    "a bare IPv6 address": ({"url_or_endpoint": "fd00::1"}, "url_or_endpoint"),
    "a bad option in the URL": ({"url_or_endpoint": "redis://h?db=x"}, "url_or_endpoint"),
    "host as an option": ({"host": "10.0.0.1"}, "host"),
    "TLS by a plain URL": ({"url_or_endpoint": "redis://h", "ssl": True}, "url_or_endpoint"),
    "no TLS by a TLS URL": ({"url_or_endpoint": "rediss://h", "ssl": False}, "ssl"),
    "an unknown option": ({"url_or_endpoint": "h", "cluster": False, "x": 1}, "redis_py_options"),
    "a database of a cluster": ({"url_or_endpoint": "redis://h/3", "cluster": True}, "db"),
    "TLS by a URL without its colon": ({"url_or_endpoint": "rediss//h"}, "url_or_endpoint"),
    "a URL of one slash": ({"url_or_endpoint": "redis:/127.0.0.1"}, "url_or_endpoint"),
    "port 0": ({"url_or_endpoint": "10.0.0.1:0"}, "url_or_endpoint"),
    "port 0 in a URL": ({"url_or_endpoint": "redis://10.0.0.1:0"}, "url_or_endpoint"),
    "a database that is no number": ({"url_or_endpoint": "redis://h/zz"}, "url_or_endpoint"),
    "a database below 0": ({"url_or_endpoint": "redis://h/-1"}, "url_or_endpoint"),
    "no connections": ({"url_or_endpoint": "h", "max_connections": 0}, "max_connections"),
    "no connections in a URL": (
        {"url_or_endpoint": "redis://h?max_connections=0"},
        "max_connections",
    ),
    "no connections to a node": (
        {"url_or_endpoint": "h", "max_connections": 0, "cluster": True},
        "max_connections",
    ),
    "connections below 0": ({"url_or_endpoint": "h", "max_connections": -1}, "max_connections"),
    "a unix socket without a path": ({"url_or_endpoint": "unix://"}, "url_or_endpoint"),
    "a unix socket of two slashes": ({"url_or_endpoint": "unix://tmp/socket"}, "url_or_endpoint"),
    "TLS to a unix socket": (
        {"url_or_endpoint": "unix:///tmp/socket", "ssl": True},
        "url_or_endpoint",
    ),
    "a cluster at a unix socket": (
        {"url_or_endpoint": "unix:///tmp/socket", "cluster": True},
        "cluster",
    ),
    "white space": ({"url_or_endpoint": "redis://h 1:6379"}, "url_or_endpoint"),
    "a line break in a password": ({"url_or_endpoint": "redis://:a\nb@h"}, "url_or_endpoint"),
    "an option in the URL that is none": (
        {"url_or_endpoint": "redis://h?x=1", "cluster": False},
        "url_or_endpoint",
    ),
    "a word behind the URL": ({"url_or_endpoint": "redis://h?x"}, "url_or_endpoint"),
    "a fragment": ({"url_or_endpoint": "redis://h/0#x"}, "url_or_endpoint"),
    "no such CA file in the URL": (
        {"url_or_endpoint": "rediss://h?ssl_ca_certs=/x"},
        "ssl_ca_certs",
    ),
    "no such CA folder": (
        {"url_or_endpoint": "rediss://h", "ssl_ca_path": "/no/such"},
        "ssl_ca_path",
    ),
    "no such certificate": (
        {"url_or_endpoint": "rediss://h", "ssl_certfile": "/no/such.pem"},
        "ssl_certfile",
    ),
    "a key without a certificate": (
        {"url_or_endpoint": "rediss://h", "ssl_keyfile": __file__},
        "ssl_certfile",
    ),
    "no such key": (
        {"url_or_endpoint": "rediss://h", "ssl_certfile": __file__, "ssl_keyfile": "/no/such.pem"},
        "ssl_keyfile",
    ),
    "a certificate that is none": (
        {"url_or_endpoint": "rediss://h", "ssl_certfile": __file__},
        "ssl_certfile",
    ),
    "authorities of redis-py that are none": (
        {"url_or_endpoint": "rediss://h", "ssl_ca_certs": __file__},
        "ssl_ca_certs",
    ),
    "no such CA file": ({"url_or_endpoint": "h", "ca_certs": "/no/such.pem"}, "ca_certs"),
    "no authority": ({"url_or_endpoint": "h", "ca_certs": []}, "ca_certs"),
    "an empty authority": ({"url_or_endpoint": "h", "ca_certs": ""}, "ca_certs"),
    "authorities that are empty": (
        {"url_or_endpoint": "rediss://h", "ca_certs": ("",)},
        "ca_certs",
    ),
    "no authority of an embedded server": ({"ca_certs": ()}, "url_or_endpoint"),
    "a CA file with no CA": ({"url_or_endpoint": "h", "ca_certs": __file__}, "ca_certs"),
    "a CA that is a number": ({"url_or_endpoint": "h", "ca_certs": 5}, "ca_certs"),
    "a CA in bytes": ({"url_or_endpoint": "h", "ca_certs": b"x"}, "ca_certs"),
    "a bundle in bytes": ({"url_or_endpoint": "h", "ca_certs": [b"x"]}, "ca_certs"),
    "a path in bytes": ({"url_or_endpoint": "h", "ca_certs": PathOfBytes()}, "ca_certs"),
    "IAM that is a word": ({"url_or_endpoint": "h", "iam": "yes", "ssl": False}, "iam"),
    "IAM that is a number": ({"url_or_endpoint": "h", "iam": 0}, "iam"),
    "a cluster that is a word": ({"url_or_endpoint": "h", "cluster": "no"}, "cluster"),
    "IAM in clear": ({"url_or_endpoint": "h", "iam": True}, "iam"),
    "IAM and a password": (
        {"url_or_endpoint": "rediss://h", "iam": True, "password": "x"},
        "password",
    ),
}


@pytest.mark.parametrize(("settings", "argument"), BAD.values(), ids=BAD)
async def test_settings_that_cannot_be_meant_are_refused_by_name(
    way: Way, settings: dict[str, Any], argument: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    with pytest.raises(InvalidArgumentError) as caught:
        await way(**settings)
    assert caught.value.argument == argument


def test_an_endpoint_must_be_a_string() -> None:
    with pytest.raises(ArgumentTypeError):
        connect(6379)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="asyncio must be a bool"):
        connect("h", cluster=False, asyncio="no")  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["redis", "REDIS", "valkey", "Valkey"])
async def test_schemes_of_both_libraries_are_read_in_any_case(
    way: Way, servers: Servers, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{scheme}://{HOST}:{servers.standalone('valkey-9.1').port}/3?client_name=named"
    monkeypatch.setenv("REDIS_URL", url + "\n")
    for client in (await way(url), await way()):
        assert await done(client.client_getname()) in ("named", b"named")
        assert client.connection_pool.connection_kwargs["db"] == 3


@pytest.mark.parametrize("scheme", ["rediss", "RedisS", "valkeys"])
async def test_tls_schemes_of_both_libraries_are_read_in_any_case(
    way: Way, engine: Engine, tmp_path: Path, scheme: str
) -> None:
    with tls_server(engine, tmp_path) as server:
        client = await way(f"{scheme}://{server.endpoint}", ca_certs=server.authority.pem)
        assert await done(client.ping()) is True


@pytest.mark.parametrize("engine", ["redis-5.0", "redis-7.0", "valkey-9.1"])
async def test_a_unix_socket_is_used_with_user_and_database(
    way: Way, servers: Servers, engine: str, tmp_path: Path
) -> None:
    path = tmp_path / "a socket@"
    with Server(servers.engine(engine), "--unixsocket", str(path), "--requirepass", "pass"):
        quoted = str(path).replace(" ", "%20")
        client = await way(f"UNIX://:pass@{quoted}?db=2", decode_responses=True)
        await done(client.set("key", "value", ex=60))
        assert await done(client.get("key")) == "value"
        client = await way(f"unix://{quoted}", password="pass", db=2, decode_responses=True)
        assert await done(client.get("key")) == "value"
        with pytest.raises(AuthenticationError):
            await done((await way(f"unix://{quoted}", password="wrong")).ping())
    with pytest.raises(redis.ConnectionError, match="a socket@"):
        await done((await way(f"unix://{quoted}", retry=None)).ping())


async def test_a_unix_socket_costs_no_more_round_trips_than_tcp(
    way: Way, servers: Servers, tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    with Server(servers.engine("valkey-9.1"), "--unixsocket", str(path)) as server:
        calls = []
        for address in (f"{HOST}:{server.port}", f"unix://{path}"):
            client = await way(address, cluster=False, db=1)
            await done(client.ping())
            commands = await done(client.info("commandstats"))
            calls.append(commands["cmdstat_select"]["calls"])
        assert calls == [1, 2]


@pytest.mark.process
def test_the_module_is_loaded_when_connect_is_first_asked_for() -> None:
    code = (
        "import sys, langchain_google_memorystore_redis as package;"
        "name = package.__name__ + '._connect.connect';"
        "assert name not in sys.modules; package.connect; assert name in sys.modules;"
        "assert 'connect' in dir(package); assert not hasattr(package, 'connected')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Who


@pytest.mark.parametrize("engine", ["redis-5.0", "redis-7.0", "valkey-9.1"])
@pytest.mark.parametrize("in_url", [False, True])
async def test_an_auth_string_logs_in(
    way: Way, servers: Servers, engine: str, in_url: bool
) -> None:
    with Server(servers.engine(engine), config=f'requirepass "{PASSWORD}"\n') as server:
        if in_url:
            client = await way(f"redis://:{QUOTED}@{HOST}:{server.port}")
        else:
            client = await way(f"{HOST}:{server.port}", password=PASSWORD)
        assert await done(client.ping()) is True


async def test_a_wrong_password_is_tried_once_and_said_to_be_wrong(
    way: Way, servers: Servers
) -> None:
    with (
        Server(servers.engine("redis-7.0"), "--requirepass", "right") as server,
        redis.Redis(port=server.port, password="right", protocol=2) as operator,
    ):
        with pytest.raises(AuthenticationError):
            await way(server.url, password="wrong")
        assert [entry["count"] for entry in operator.acl_log()] == [1]


async def test_a_user_without_administrative_commands_is_served(
    way: Way, servers: Servers, prefix: str
) -> None:
    server = servers.standalone("valkey-9.1")
    rules = [f"~{prefix}*", "+@read", "+@write", "+@scripting", "+@connection"]
    denied = ["-cluster", "-command", "-info", "-config", "-client"]
    server.cli("ACL", "SETUSER", prefix, "on", ">pass", *rules, *denied)
    client = await way(server.url, username=prefix, password="pass")
    assert isinstance(client, way.kind("Redis"))
    history = MemorystoreChatMessageHistory(client, "session", key_prefix=prefix)
    await history.aadd_messages([HumanMessage("hi")])
    await history.aclear()
    server.cli("ACL", "DELUSER", prefix)


# TLS


async def test_an_authority_is_trusted_as_file_text_or_bundle(
    way: Way, engine: Engine, tmp_path: Path
) -> None:
    with tls_server(engine, tmp_path) as server:
        other = Authority("two").pem
        bundle = tmp_path / "bundle.pem"
        bundle.write_text(f"The newest first:\n{other}\nthe server's:\n{server.authority.pem}")
        text = other + server.authority.pem
        for trusted in (bundle, str(bundle), text, [other, server.authority.pem]):
            client = await way(server.endpoint, ca_certs=trusted)
            assert await done(client.ping()) is True
        client = await way(f"rediss://{server.endpoint}?ssl_ca_certs={bundle}")
        assert await done(client.ping()) is True


async def test_a_renewed_authority_file_serves_new_connections(
    way: Way, engine: Engine, tmp_path: Path
) -> None:
    file = tmp_path / "authorities.pem"
    file.write_text(Authority("old").pem)
    with tls_server(engine, tmp_path) as server:
        client = await way(server.endpoint, ca_certs=file, cluster=False, retry=None)
        with pytest.raises(redis.ConnectionError):
            await done(client.ping())
        file.write_text(server.authority.pem)
        client = client if way.name == "connect" else await way(server.endpoint, ca_certs=file)
        assert await done(client.ping()) is True


async def test_a_server_of_another_authority_is_refused(
    way: Way, engine: Engine, tmp_path: Path
) -> None:
    with tls_server(engine, tmp_path) as server:
        for trusted in (Authority("two").pem, None):
            options = {"ca_certs": trusted, "cluster": False, "retry": None}
            client = await way(f"rediss://{server.endpoint}", **options)
            with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
                await done(client.ping())


@pytest.mark.parametrize("address", ["127.0.0.2", None])
async def test_a_certificate_must_name_the_host_unless_that_is_switched_off(
    way: Way, engine: Engine, tmp_path: Path, address: str | None
) -> None:
    with tls_server(engine, tmp_path, address) as server:
        options: dict[str, Any] = {"ca_certs": server.authority.pem, "cluster": False}
        client = await way(server.endpoint, retry=None, **options)
        with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            await done(client.ping())
        client = await way(server.endpoint, ssl_check_hostname=False, **options)
        assert await done(client.ping()) is True


async def test_every_node_of_a_cluster_is_reached_by_tls(
    way: Way, engine: Engine, tmp_path: Path
) -> None:
    with tls_cluster(engine, tmp_path) as server:
        client = await way(server.endpoint, ca_certs=server.authority.pem)
        assert isinstance(client, way.kind("RedisCluster"))
        for number in range(12):
            await done(client.set(f"{number}", number))
        assert [int(await done(client.get(f"{n}"))) for n in range(12)] == list(range(12))


async def test_the_nodes_of_a_cluster_must_name_their_host_too(
    way: Way, engine: Engine, tmp_path: Path
) -> None:
    with tls_cluster(engine, tmp_path, "127.0.0.2") as server:
        options: dict[str, Any] = {"ca_certs": server.authority.pem, "cluster": True}
        with pytest.raises(redis.ConnectionError, match="does not name this host"):
            await way(server.endpoint, **options)
        client = await way(server.endpoint, ssl_check_hostname=False, **options)
        assert await done(client.ping(target_nodes=client.get_primaries()[0])) is True


# What it costs


async def test_a_connection_is_opened_and_closed_only_to_ask_whether_it_is_a_cluster(
    way: Way, servers: Servers, proxy_to: ProxyTo
) -> None:
    proxy = proxy_to(servers.standalone("valkey-9.1").port)
    await way(proxy.url, cluster=False)
    assert proxy.commands == proxy.handshake == []
    client = await way(proxy.url)
    assert proxy.commands == []
    assert [c for c in proxy.handshake if c != "CLIENT SETINFO"] == ["CLUSTER SLOTS"]
    await done(client.ping())
    assert "HELLO" not in proxy.handshake


async def test_callers_wait_for_one_of_fifty_connections(way: Way, servers: Servers) -> None:
    with Server(servers.engine("valkey-9.1")) as server:
        client = await way(server.url)
        loop = asyncio.get_running_loop()
        together = threading.Barrier(60)

        def blocking() -> Any:
            together.wait()
            return client.blpop("nothing", timeout=0.2)

        if way.name == "aconnect":
            calls = [client.blpop("nothing", timeout=0.2) for _ in range(60)]
        else:
            threads = ThreadPoolExecutor(60)
            calls = [loop.run_in_executor(threads, blocking) for _ in range(60)]
        assert await asyncio.gather(*calls) == [None] * 60
        assert int(server.info("total_connections_received") or 0) < 60


async def test_callers_of_a_cluster_wait_for_one_of_its_connections(
    way: Way, servers: Servers
) -> None:
    cluster = servers.cluster("valkey-9.1")
    client = await way(cluster.url, max_connections=20)
    key = next(
        f"{n}" for n in range(100) if client.get_node_from_key(f"{n}").port == cluster.ports[0]
    )
    blocked = cluster.nodes[0]
    before = int(blocked.info("total_connections_received") or 0)
    if way.name == "aconnect":
        calls = [client.blpop([key], timeout=0.05) for _ in range(300)]
        pipelines = []
        for _ in range(300):
            pipelines.append(client.pipeline())
            pipelines[-1].get(key)
        calls += [pipeline.execute() for pipeline in pipelines]
    else:
        loop, threads = asyncio.get_running_loop(), ThreadPoolExecutor(300)
        calls = [
            loop.run_in_executor(threads, functools.partial(client.blpop, [key], timeout=0.05))
            for _ in range(300)
        ]
    assert all(answer in (None, [None]) for answer in await asyncio.gather(*calls))
    assert int(blocked.info("total_connections_received") or 0) - before <= 21


async def test_a_caller_of_a_cluster_waits_no_longer_than_timeout(servers: Servers) -> None:
    async with await aconnect(
        servers.cluster("valkey-9.1").url, max_connections=1, timeout=0.05
    ) as (client):
        blocking = asyncio.create_task(client.blpop(["nothing"], timeout=0.5))
        await asyncio.sleep(0)
        with pytest.raises(redis.ConnectionError, match="No connection available"):
            await client.get("key")
        assert await blocking is None


async def test_a_pipeline_that_is_redirected_does_not_wait_for_itself(servers: Servers) -> None:
    async with await aconnect(servers.cluster("valkey-9.1").url, max_connections=1) as client:
        slots = client.nodes_manager.slots_cache
        first, last = slots[0], slots[16383]
        for slot in slots:  # it believes that all slots are where the first one is
            slots[slot] = first
        key = next(f"{n}" for n in range(100) if client.keyslot(f"{n}") > 12000)
        assert first[0].port != last[0].port
        async with client.pipeline() as pipeline:
            pipeline.set(key, "value", ex=60)
            pipeline.get(key)
            assert await pipeline.execute() == [True, b"value"]


async def test_aconnect_does_not_block_the_loop(servers: Servers, proxy_to: ProxyTo) -> None:
    proxy = proxy_to(servers.standalone("valkey-9.1").port, latency=0.1)
    connecting = asyncio.create_task(aconnect(proxy.url))
    turns = 0
    while not connecting.done():
        await asyncio.sleep(0)
        turns += 1
    await connecting.result().aclose()
    assert turns > 100


# What it survives


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once a client pauses before it tries again."""
    event = threading.Event()
    compute = EqualJitterBackoff.compute

    def watched(self: EqualJitterBackoff, failures: int) -> float:
        event.set()
        return compute(self, failures)

    monkeypatch.setattr(EqualJitterBackoff, "compute", watched)
    return event


@contextmanager
def outage(endpoint: Proxy, paused: threading.Event) -> Iterator[None]:
    """The endpoint refuses connections until a client has met that; meanwhile the test goes on."""
    paused.clear()
    with ExitStack() as refusing:
        refusing.enter_context(endpoint.refusing())

        def end_when_met() -> None:
            paused.wait(10)
            refusing.close()

        end = threading.Thread(target=end_when_met)
        end.start()
        yield
        end.join()
    assert paused.is_set()


async def test_connections_that_are_refused_are_tried_again(
    way: Way, servers: Servers, proxy_to: ProxyTo, paused: threading.Event
) -> None:
    proxy = proxy_to(servers.standalone("valkey-9.1").port)
    with outage(proxy, paused):
        client = await way(proxy.url)
    with outage(proxy, paused):
        assert await done(client.ping()) is True
    with outage(proxy, paused):  # a connection that was open
        assert await done(client.ping()) is True


async def test_an_outage_is_reported_after_four_pauses(
    way: Way,
    servers: Servers,
    proxy_to: ProxyTo,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pauses: list[int] = []
    compute = EqualJitterBackoff.compute

    def shortened(self: EqualJitterBackoff, failures: int) -> float:
        assert 0.05 * 2**failures <= compute(self, failures) <= 0.1 * 2**failures
        pauses.append(failures)
        return 0

    monkeypatch.setattr(EqualJitterBackoff, "compute", shortened)
    proxy = proxy_to(servers.standalone("valkey-9.1").port)
    client = await way(proxy.url)
    with proxy.refusing():
        with pytest.raises(redis.ConnectionError):  # opening a connection
            await done(client.ping())
        assert pauses == [1, 2, 3, 4]
        assert caplog.text.count("Attempt failed: Connection") == 5
    await done(client.ping())
    pauses.clear()
    with proxy.refusing():
        with pytest.raises(redis.ConnectionError):  # using one
            await done(client.ping())
        assert pauses == [1, 2, 3, 4]


@dataclass(frozen=True)
class Pair:
    """A primary and its replica behind one address, as Memorystore's primary endpoint."""

    primary: Server
    replica: Server
    endpoint: Proxy

    def promote(self) -> None:
        self.replica.cli("REPLICAOF", "NO", "ONE")
        self.endpoint.settings.upstream = (HOST, self.replica.port)


@pytest.fixture(params=["redis-5.0", "redis-7.0", "valkey-9.1"])
def pair(request: pytest.FixtureRequest, servers: Servers, proxy_to: ProxyTo) -> Iterator[Pair]:
    engine = servers.engine(request.param)
    with Server(engine) as primary, Server(engine) as replica:
        replica.cli("REPLICAOF", HOST, primary.port)
        wait_until(lambda: replica.info("master_link_status") == "up", "the replica")
        yield Pair(primary, replica, proxy_to(primary.port))


async def test_a_connection_left_on_a_read_only_server_is_opened_anew(way: Way, pair: Pair) -> None:
    client = await way(pair.endpoint.url)
    history = MemorystoreChatMessageHistory(client, "session")
    await history.aadd_messages([HumanMessage("before")])
    wait_until(lambda: pair.replica.cli("LLEN", "session") == 1, "the copy")
    pair.promote()
    pair.primary.cli("REPLICAOF", HOST, pair.replica.port)
    wait_until(lambda: pair.primary.info("role") == "slave", "the demotion")
    await history.aadd_messages([HumanMessage("after")])
    assert pair.replica.cli("LLEN", "session") == 2


async def test_connections_that_were_closed_while_idle_are_opened_anew(
    way: Way, servers: Servers
) -> None:
    with Server(servers.engine("valkey-9.1")) as server:
        client = await way(server.url)
        for _ in range(5):
            await done(client.set("key", "value"))
            server.cli("CLIENT", "KILL", "TYPE", "normal")
    with Cluster(servers.engine("valkey-9.1")) as cluster:
        client = await way(cluster.url)
        for turn in range(5):
            for number in range(30):
                await done(client.set(f"key{number}", turn))
            for node in cluster.nodes:
                node.cli("CLIENT", "KILL", "TYPE", "normal")


async def test_a_primary_that_dies_is_replaced_within_one_call(
    way: Way, pair: Pair, paused: threading.Event
) -> None:
    client = await way(pair.endpoint.url)
    await done(client.set("key", "before"))
    with outage(pair.endpoint, paused):
        pair.primary.kill()
        pair.promote()
        assert await done(client.set("key", "after"))
    assert pair.replica.cli("GET", "key") == "after"


async def test_a_cluster_client_outlives_a_failover(way: Way, servers: Servers) -> None:
    engine = servers.engine("valkey-9.1")
    with Cluster(engine, replicas=1, node_timeout_ms=500) as cluster:
        client = await way(cluster.primaries[1].url)

        async def write_everywhere() -> None:
            for number in range(30):
                await done(client.set(f"key{number}", "a"))

        await write_everywhere()
        cluster.primaries[0].kill()
        async with asyncio.timeout(20):
            while True:
                try:
                    await write_everywhere()
                    break
                except redis.RedisError:
                    await asyncio.sleep(0.05)
