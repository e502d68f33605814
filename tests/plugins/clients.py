"""The clients that tests run on: one table of library x server x topology x decode_responses."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis
import redis.asyncio
import valkey
import valkey.asyncio

from tests.plugins.servers import Servers


@dataclass(frozen=True)
class Target:
    """A server and a way to talk to it."""

    engine: str
    library: str = "redis"
    cluster: bool = False
    decode_responses: bool = False
    protocol: int = 3

    def __str__(self) -> str:
        words = [self.engine, "cluster" if self.cluster else "standalone", self.library]
        return "-".join([*words, f"resp{self.protocol}", *(["decode"] * self.decode_responses)])

    def port(self, servers: Servers) -> int:
        """The port of the server, or of one node of the cluster."""
        if self.cluster:
            return servers.cluster(self.engine).ports[0]
        return servers.standalone(self.engine).port

    def connect(self, port: int, *, asyncio: bool = False, **options: Any) -> Any:
        """A client of this kind; it sends nothing before it is used (a cluster's may)."""
        settings = {
            "host": "127.0.0.1",
            "port": port,
            "decode_responses": self.decode_responses,
            "protocol": self.protocol,
            **options,
        }
        return _CLIENTS[self.library, self.cluster, asyncio](**settings)


_CLIENTS: dict[tuple[str, bool, bool], Any] = {
    ("redis", False, False): redis.Redis,
    ("redis", True, False): redis.RedisCluster,
    ("redis", False, True): redis.asyncio.Redis,
    ("redis", True, True): redis.asyncio.RedisCluster,
    ("valkey", False, False): valkey.Valkey,
    ("valkey", True, False): valkey.ValkeyCluster,
    ("valkey", False, True): valkey.asyncio.Valkey,
    ("valkey", True, True): valkey.asyncio.ValkeyCluster,
}

TARGETS = (
    Target("redis-5.0", protocol=2),
    Target("redis-6.2", decode_responses=True),
    Target("redis-7.0", protocol=2),
    Target("valkey-9.1"),
    Target("valkey-9.1", decode_responses=True, protocol=2),
    Target("valkey-9.1", library="valkey"),
    Target("redis-7.0", cluster=True, decode_responses=True),
    Target("valkey-9.1", cluster=True, protocol=2),
    Target("valkey-9.1", cluster=True, library="valkey", decode_responses=True),
)


@pytest.fixture(params=TARGETS, ids=str)
def target(request: pytest.FixtureRequest) -> Target:
    """Every row of the table."""
    chosen: Target = request.param
    return chosen


@pytest.fixture(scope="session")
def blocking_clients(servers: Servers) -> Iterator[dict[Target, Any]]:
    """Blocking clients by target, made on first use and shared by the session."""

    class Clients(dict[Target, Any]):
        def __missing__(self, target: Target) -> Any:
            self[target] = target.connect(target.port(servers))
            return self[target]

    clients = Clients()
    yield clients
    for client in clients.values():
        client.close()


@pytest.fixture
def client(target: Target, blocking_clients: dict[Target, Any]) -> Any:
    """A blocking client of the target."""
    return blocking_clients[target]


@contextlib.asynccontextmanager
async def asyncio_client(target: Target, port: int, **options: Any) -> AsyncIterator[Any]:
    """An asyncio client of the target, closed at the end."""
    made = target.connect(port, asyncio=True, **options)
    try:
        yield made
    finally:
        await made.aclose()


@pytest.fixture
def raw(target: Target, servers: Servers) -> Iterator[Any]:
    """A redis-py client that shows what is stored, as bytes, and writes what a test plants."""
    plain = Target(target.engine, cluster=target.cluster, protocol=2)
    with plain.connect(target.port(servers)) as made:
        yield made


@pytest.fixture
def prefix() -> str:
    """A key prefix that no other test uses."""
    return f"test:{uuid.uuid4().hex}:"


@pytest.fixture(params=[each for each in TARGETS if each.engine != "redis-5.0"], ids=str)
def limited(request: pytest.FixtureRequest, servers: Servers) -> Iterator[tuple[Target, int, str]]:
    """A user that may do nothing but what the README says, on every server with ACL.

    The target, the port to start from, and the user's name; the password is "pw".
    """
    target: Target = request.param
    rules = ["on", ">pw", "~chat:*", "+@read", "+@write", "+@scripting", "+@connection"]
    if target.engine == "redis-6.2":
        rules += ["+wait"]
    if target.cluster:
        rules += ["+cluster|slots", "+cluster|shards", "+cluster|myid", "+command"]
    ports = [target.port(servers)]
    if target.cluster:
        ports = servers.cluster(target.engine).ports
    name = f"user-{uuid.uuid4().hex}"
    for port in ports:
        with redis.Redis(port=port, protocol=2) as admin:
            admin.execute_command("ACL", "SETUSER", name, *rules)
    yield target, ports[0], name
    for port in ports:
        with redis.Redis(port=port, protocol=2) as admin:
            admin.execute_command("ACL", "DELUSER", name)
