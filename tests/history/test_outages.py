"""Servers that go away: killed, emptied, failed over, made read-only, while writers append.

What is tested is the promise to a caller who repeats an append that raised, with the same messages:
what the servers kept holds each batch once, whole, in its writer's order.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_google_memorystore_redis import (
    HistoryChangedError,
    MemorystoreChatMessageHistory,
    NotReplicatedError,
)
from langchain_google_memorystore_redis._history import operations as ops
from tests.faults import Proxy
from tests.plugins.clients import Target
from tests.plugins.doors import Door, DoorHistory
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers
from tests.servers.clusters import Cluster
from tests.servers.processes import HOST, Server, wait_until

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
ENGINES = ["redis-6.2", "redis-7.0", "valkey-9.1"]
WAYS = ["sync", "async", "thread"]

Connect = Callable[[bool], Any]
"""Makes a client; an asyncio one if told so."""


def healing(by_asyncio: bool) -> dict[str, Any]:
    """The client options of the documentation: the very lines that it shows."""
    (shown,) = re.findall(r"```python\n(from redis\.backoff .*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {"redis": redis}
    exec(shown.replace("redis.retry", "redis.asyncio.retry") if by_asyncio else shown, names)
    options: dict[str, Any] = names["healing"]
    return options


def to(
    port: int, engine: str = "valkey-9.1", *, heal: bool = False, cluster: bool = False
) -> Connect:
    """How to make clients of the server at a port."""
    target = Target(engine, protocol=2 if engine == "redis-5.0" else 3, cluster=cluster)

    def connect(by_asyncio: bool) -> Any:
        return target.connect(port, asyncio=by_asyncio, **(healing(by_asyncio) if heal else {}))

    return connect


def batch_of(writer: str, number: int) -> list[BaseMessage]:
    size = number % 5 + 1
    return [HumanMessage(f"{writer} {number} {part}/{size}") for part in range(size)]


def batches_in(messages: Sequence[BaseMessage]) -> list[tuple[str, int]]:
    """The batches that messages are made of; fails if one is torn or has others in between."""
    found, at = [], 0
    while at < len(messages):
        writer, number, _ = str(messages[at].content).split()
        batch = batch_of(writer, int(number))
        assert list(messages[at : at + len(batch)]) == batch
        found.append((writer, int(number)))
        at += len(batch)
    return found


class Writers:
    """One writer for each way into a history; each appends batch after batch until told to stop.

    A batch whose append raises an error of the connection, or is not replicated, is repeated with
    the same messages until it is acknowledged. Any other error ends the test.
    """

    def __init__(
        self, connect: Connect, sessions: int, prefix: str, options: dict[str, Any]
    ) -> None:
        self._connect, self._sessions, self._prefix = connect, sessions, prefix
        self._options = options
        self._stopped = threading.Event()
        self._jobs: list[Future[None]] = []
        self.acknowledged: dict[str, list[int]] = {way: [] for way in WAYS}
        self.raised: Counter[str] = Counter()

    @property
    def total(self) -> int:
        return sum(map(len, self.acknowledged.values()))

    def start(self, pool: ThreadPoolExecutor) -> None:
        for way in WAYS:
            self._jobs.append(pool.submit(asyncio.run, self._write(way)))

    def stop(self) -> None:
        self._stopped.set()
        for job in self._jobs:
            job.result()

    def wait_for(self, more: int) -> None:
        """Return once every writer has so many more batches acknowledged."""
        goals = {way: len(done) + more for way, done in self.acknowledged.items()}
        self.wait_until(
            lambda: all(len(self.acknowledged[way]) >= goal for way, goal in goals.items()),
            f"{more} more batches of each writer",
        )

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Return once a condition holds; raises at once what ended a writer."""

        def holds() -> bool:
            for job in self._jobs:
                if job.done():
                    job.result()
            return condition()

        wait_until(holds, what, timeout=30)

    async def _write(self, way: str) -> None:
        client = self._connect(way == "async")
        door = Door(client, by_async=way != "sync", prefix=self._prefix)
        histories = [door.open(f"session{n}", **self._options) for n in range(self._sessions)]
        try:
            for number in itertools.count():
                history = histories[number % self._sessions]
                if not await self._add(history, batch_of(way, number)):
                    return
                self.acknowledged[way].append(number)
        finally:
            await client.aclose() if way == "async" else client.close()

    async def _add(self, history: DoorHistory, batch: list[BaseMessage]) -> bool:
        while not self._stopped.is_set():
            try:
                await history.add_messages(batch)
            except (redis.ConnectionError, redis.TimeoutError, NotReplicatedError) as error:
                self.raised[type(error).__name__] += 1
                await asyncio.sleep(0.01)  # or a server that is away would be asked all the time
            else:
                return True
        return False

    def lost(self, client: Any) -> dict[str, list[int]]:
        """The acknowledged batches of each writer that a server has not.

        Fails if what it has is torn, doubled, out of a writer's order, or was never sent.
        """
        stored: dict[str, list[int]] = {way: [] for way in WAYS}
        for session in range(self._sessions):
            history = MemorystoreChatMessageHistory(
                client, f"session{session}", key_prefix=self._prefix
            )
            of_session: dict[str, list[int]] = {way: [] for way in WAYS}
            for way, number in batches_in(history.messages):
                of_session[way].append(number)
            for way, numbers in of_session.items():
                assert numbers == sorted(set(numbers)), f"{way}: doubled or out of order"
                stored[way] += numbers
        for way, done in self.acknowledged.items():
            sent_at_most = set(range(len(done) + 1))  # the last may have been given up
            assert set(stored[way]) <= sent_at_most
        client.close()
        return {
            way: sorted(set(done) - set(stored[way])) for way, done in self.acknowledged.items()
        }


@contextmanager
def writing(
    connect: Connect, *, sessions: int = 1, prefix: str = "", **options: Any
) -> Iterator[Writers]:
    """Writers that write until the context ends."""
    writers = Writers(connect, sessions, prefix, options)
    with ThreadPoolExecutor() as pool:
        writers.start(pool)
        try:
            yield writers
        finally:
            writers.stop()
    print(f"{writers.total} batches acknowledged; raised and repeated: {dict(writers.raised)}")


NOTHING: dict[str, list[int]] = {way: [] for way in WAYS}


def assert_only_newest(lost: dict[str, list[int]], sessions: int = 1) -> None:
    """What is missing of a session is in a row: replication keeps the order, so it cuts the end."""
    for numbers in lost.values():
        for session in range(sessions):
            missing = [number for number in numbers if number % sessions == session]
            expected = range(missing[0], missing[-1] + 1, sessions) if missing else ()
            assert missing == list(expected)


def replicate(replica: Server, primary: Server) -> None:
    replica.cli("REPLICAOF", HOST, primary.port)
    wait_until(lambda: replica.info("master_link_status") == "up", f"{replica} to catch up")


def promote(replica: Server) -> None:
    """Make a replica the primary, once it has read all that its killed primary had sent."""
    wait_until(lambda: replica.info("master_link_status") == "down", f"{replica} to miss it")
    replica.cli("REPLICAOF", "NO", "ONE")


def lead_to(proxy: Proxy, server: Server) -> None:
    """New connections to the address reach another server; those open stay where they are."""
    proxy.settings.upstream = (HOST, server.port)


@pytest.fixture
def pair(request: pytest.FixtureRequest, servers: Servers) -> Iterator[tuple[Server, Server]]:
    """A primary and a replica that has caught up."""
    engine = servers.engine(getattr(request, "param", "valkey-9.1"))
    with Server(engine) as primary, Server(engine) as replica:
        replicate(replica, primary)
        yield primary, replica


# Killed and started again


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_server_with_an_append_only_file_loses_and_doubles_nothing(
    servers: Servers, engine: str
) -> None:
    settings = ("--appendonly", "yes", "--appendfsync", "always")
    with Server(servers.engine(engine), *settings) as server:
        with writing(to(server.port, engine)) as writers:
            for _ in range(5):
                writers.wait_for(100)
                server.kill()
                server.start()
            writers.wait_for(100)
        assert writers.total >= 1800
        assert writers.lost(to(server.port, engine)(False)) == NOTHING


@pytest.mark.parametrize("engine", ["redis-5.0", *ENGINES])
@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_comes_back_empty_has_empty_histories(
    servers: Servers, engine: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "ELEMENTS_PER_PAGE", 1)
    with Server(servers.engine(engine)) as server:
        # redis-py 5 does not try again by itself when a connection it kept turns out closed.
        client = to(server.port, engine, heal=True)(way == "async")
        history = Door(client, by_async=way != "sync", prefix="").open()
        for text in ("first life", "second life"):
            assert await history.messages() == []
            assert await history.iterated() == []
            assert await history.count() == 0
            messages = [HumanMessage(text), AIMessage("!")]
            await history.add_messages(messages)
            assert await history.messages() == messages
            half_read = history.each()
            assert await anext(half_read) == messages[0]
            server.kill()
            server.start()
            with pytest.raises(HistoryChangedError):  # and not a short history
                await anext(half_read)
        assert await history.messages() == []
        await client.aclose() if way == "async" else client.close()


# Failover


def test_after_a_crash_the_promoted_replica_has_all_but_perhaps_the_newest(
    pair: tuple[Server, Server], proxy_to: ProxyTo
) -> None:
    primary, replica = pair
    proxy = proxy_to(primary.port)
    with writing(to(proxy.port)) as writers:
        writers.wait_for(200)
        primary.kill()
        promote(replica)
        lead_to(proxy, replica)
        writers.wait_for(200)
    lost = writers.lost(to(replica.port)(False))
    print(f"lost: {lost}")
    assert_only_newest(lost)


def test_what_an_old_primary_acknowledges_after_its_replica_was_promoted_is_lost(
    pair: tuple[Server, Server], proxy_to: ProxyTo
) -> None:
    primary, replica = pair
    proxy = proxy_to(primary.port)
    with writing(to(proxy.port)) as writers:
        writers.wait_for(50)
        replica.cli("REPLICAOF", "NO", "ONE")
        writers.wait_for(50)
        lead_to(proxy, replica)
        primary.kill()
        writers.wait_for(50)
    lost = writers.lost(to(replica.port)(False))
    print(f"lost: {lost}")
    assert_only_newest(lost)
    # One of the fifty may have been on its way when the replica was promoted.
    assert all(len(numbers) >= 49 for numbers in lost.values())


@pytest.mark.parametrize(
    ("pair", "split"),
    [("redis-6.2", False), ("valkey-9.1", False), ("valkey-9.1", True)],
    ids=["redis-6.2-crash", "valkey-9.1-crash", "valkey-9.1-split"],
    indirect=["pair"],
)
def test_with_replicas_ack_a_failover_loses_nothing_acknowledged(
    pair: tuple[Server, Server], proxy_to: ProxyTo, split: bool
) -> None:
    primary, replica = pair
    proxy = proxy_to(primary.port)
    connect = to(proxy.port, primary.engine.name)
    with ExitStack() as stack:
        with writing(connect, replicas_ack=1, replicas_ack_timeout=0.3) as writers:
            writers.wait_for(100)
            if split:  # the old primary goes on alone, and says so
                replica.cli("REPLICAOF", "NO", "ONE")
                told = writers.raised["NotReplicatedError"] + 6
                writers.wait_until(
                    lambda: writers.raised["NotReplicatedError"] >= told, "writers to be told"
                )
                primary.kill()
            else:
                primary.kill()
                promote(replica)
            replicate(stack.enter_context(Server(primary.engine)), replica)
            lead_to(proxy, replica)
            writers.wait_for(100)
        assert writers.lost(to(replica.port, primary.engine.name)(False)) == NOTHING


def sentinel_client(ports: list[int]) -> Connect:
    addresses = [(HOST, port) for port in ports]

    def connect(by_asyncio: bool) -> Any:
        kind = redis.asyncio.sentinel.Sentinel if by_asyncio else redis.sentinel.Sentinel
        return kind(addresses).master_for("main")

    return connect


def test_writers_follow_a_failover_by_sentinel(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    monitor = (
        f"sentinel monitor main {HOST} {primary.port} 2\n"
        "sentinel down-after-milliseconds main 500\n"
        "sentinel failover-timeout main 5000\n"
    )
    with ExitStack() as stack:
        sentinels = [
            stack.enter_context(Server(primary.engine, "--sentinel", config=monitor))
            for _ in range(3)
        ]

        def knows(sentinel: Server) -> bool:
            fields = sentinel.cli("SENTINEL", "MASTER", "main")
            known = dict(zip(fields[::2], fields[1::2], strict=True))
            return (known["num-other-sentinels"], known["num-slaves"]) == ("2", "1")

        wait_until(lambda: all(map(knows, sentinels)), "the sentinels to know one another")
        connect = sentinel_client([sentinel.port for sentinel in sentinels])
        with writing(connect, replicas_ack=1, replicas_ack_timeout=0.3) as writers:
            writers.wait_for(100)
            primary.kill()
            wait_until(lambda: replica.info("role") == "master", "sentinel to promote", timeout=30)
            replicate(stack.enter_context(Server(primary.engine)), replica)
            writers.wait_for(100)
        assert writers.lost(to(replica.port, primary.engine.name)(False)) == NOTHING


@pytest.fixture(scope="module")
def cluster(servers: Servers) -> Iterator[Cluster]:
    """Three shards of two nodes; which of the two is the primary changes from test to test."""
    with Cluster(servers.engine("valkey-9.1"), replicas=1, node_timeout_ms=1000) as made:
        yield made


def shards_of(cluster: Cluster) -> list[list[Server]]:
    """The two nodes of each shard, the primary first."""
    shards = zip(cluster.primaries, cluster.replicas, strict=True)
    return [sorted(shard, key=lambda node: str(node.info("role"))) for shard in shards]


@contextmanager
def writing_to(cluster: Cluster, prefix: str) -> Iterator[list[Writers]]:
    """Writers that do not wait for replicas, and writers that do."""
    connect = to(cluster.ports[0], cluster.primaries[0].engine.name, cluster=True)
    acked: dict[str, Any] = {"replicas_ack": 1, "replicas_ack_timeout": 0.3}
    with (
        writing(connect, sessions=6, prefix=f"{prefix}0:") as plain,
        writing(connect, sessions=6, prefix=f"{prefix}1:", **acked) as careful,
    ):
        yield [plain, careful]


def serves(primary: Server, replica: Server) -> bool:
    return primary.info("role") == "master" and replica.info("master_link_status") == "up"


def test_coordinated_failovers_of_a_cluster_lose_nothing(cluster: Cluster, prefix: str) -> None:
    with writing_to(cluster, prefix) as both:
        for primary, replica in shards_of(cluster):
            for writers in both:
                writers.wait_for(20)
            replica.cli("CLUSTER", "FAILOVER")
            both[0].wait_until(lambda p=replica, r=primary: serves(p, r), "the failover")  # type: ignore[misc]
        for writers in both:
            writers.wait_for(20)
    connect = to(cluster.ports[0], cluster=True)
    assert [writers.lost(connect(False)) for writers in both] == [NOTHING, NOTHING]


def test_after_a_crash_of_a_cluster_node_at_most_the_newest_are_missing(
    cluster: Cluster, prefix: str
) -> None:
    with writing_to(cluster, prefix) as both:
        for writers in both:
            writers.wait_for(20)
        primary, replica = shards_of(cluster)[0]
        primary.kill()
        both[0].wait_until(lambda: replica.info("role") == "master", "the failover")
        primary.start()
        both[0].wait_until(lambda: serves(replica, primary), "the node to come back")
        for writers in both:
            writers.wait_for(20)
    plain, careful = (writers.lost(to(cluster.ports[0], cluster=True)(False)) for writers in both)
    print(f"lost: {plain}")
    assert_only_newest(plain, sessions=6)
    assert careful == NOTHING


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_an_append_waits_for_replicas_while_its_session_is_moved_to_another_node(
    cluster: Cluster, prefix: str, way: str
) -> None:
    client = to(cluster.ports[0], cluster=True)(way == "async")
    history = Door(client, by_async=way != "sync", prefix=prefix).open(
        replicas_ack=1, replicas_ack_timeout=4
    )
    first, second, third = (batch_of(way, number) for number in (1, 2, 3))
    await history.add_messages(first)

    key = f"{prefix}session"
    nodes = [primary for primary, _ in shards_of(cluster)]
    source, target, _ = sorted(nodes, key=lambda node: not node.cli("KEYS", key))
    slot = source.cli("CLUSTER", "KEYSLOT", key)
    name = target.cli("CLUSTER", "MYID")
    target.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", source.cli("CLUSTER", "MYID"))
    source.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", name)
    source.cli("MIGRATE", HOST, target.port, key, 0, 5000)
    await history.add_messages(second)
    for node in (target, source):
        node.cli("CLUSTER", "SETSLOT", slot, "NODE", name)
    await history.add_messages(third)
    assert await history.messages() == [*first, *second, *third]
    await client.aclose() if way == "async" else client.close()


# A primary turned replica


def swap(primary: Server, replica: Server) -> None:
    """A coordinated failover; connections to the old primary stay open."""
    primary.cli("FAILOVER")
    wait_until(lambda: serves(replica, primary), "the roles to change")


@pytest.mark.parametrize("pair", ENGINES, indirect=True)
async def test_a_client_without_options_stays_with_a_primary_turned_replica(
    pair: tuple[Server, Server], proxy_to: ProxyTo
) -> None:
    primary, replica = pair
    proxy = proxy_to(primary.port)
    clients = {way: to(proxy.port, primary.engine.name)(way == "async") for way in WAYS}
    histories = {
        way: Door(client, by_async=way != "sync", prefix="").open(way)
        for way, client in clients.items()
    }
    for history in histories.values():
        await history.add_messages([HumanMessage("before")])
    connections = set(proxy.settings.links)
    swap(primary, replica)
    lead_to(proxy, replica)
    for history in histories.values():
        for _ in range(5):
            with pytest.raises(redis.ReadOnlyError):
                await history.add_messages([HumanMessage("refused")])
        assert await history.messages() == [HumanMessage("before")]
    assert set(proxy.settings.links) == connections
    for way, client in clients.items():
        closed = client.connection_pool.disconnect()
        if way == "async":
            await closed
        await histories[way].add_messages([HumanMessage("after")])
        assert await histories[way].messages() == [HumanMessage("before"), HumanMessage("after")]
        assert replica.cli("LLEN", way) == 2
        await client.aclose() if way == "async" else client.close()


@contextmanager
def once_a_client_waits(primary: Server, demote: Callable[[], object]) -> Iterator[None]:
    """What the context does ends in a WAIT, during which the primary turns replica."""

    def demote_it() -> None:
        wait_until(lambda: primary.info("blocked_clients") == "1", "a client to wait")
        demote()

    with ThreadPoolExecutor(1) as pool:
        demoted = pool.submit(demote_it)
        yield
        demoted.result()


@pytest.mark.parametrize(
    ("pair", "way"),
    [
        ("redis-5.0", "thread"),
        ("redis-6.2", "sync"),
        ("redis-7.0", "async"),
        *(("valkey-9.1", way) for way in WAYS),
    ],
    indirect=["pair"],
)
async def test_an_append_that_waits_on_a_primary_turned_replica_says_it_is_stored_there(
    pair: tuple[Server, Server], way: str
) -> None:
    primary, replica = pair
    client = to(primary.port, primary.engine.name)(way == "async")
    door = Door(client, by_async=way != "sync", prefix="")
    history = door.open(replicas_ack=1, replicas_ack_timeout=4)
    messages = batch_of(way, 1)
    replica.pause()
    with (
        pytest.raises(NotReplicatedError, match="stored, but only 0 of 1") as caught,
        once_a_client_waits(primary, lambda: primary.cli("REPLICAOF", HOST, replica.port)),
    ):
        await history.add_messages(messages)
    assert caught.value.session_id == "session"
    assert primary.cli("LLEN", "session") == len(messages)
    # The server closes the connection as well, which redis-py 5 would take for an error.
    closed = client.connection_pool.disconnect()
    if way == "async":
        await closed
    # A replica confirms nothing, not even that it has the batch already.
    for repeated in (history, door.open()):
        with pytest.raises(redis.ReadOnlyError):
            await repeated.add_messages(messages)
    primary.cli("REPLICAOF", "NO", "ONE")
    replica.resume()
    await history.add_messages(messages)
    assert await history.messages() == messages
    assert replica.cli("LLEN", "session") == len(messages)
    await client.aclose() if way == "async" else client.close()


async def test_an_append_that_waits_on_a_cluster_node_failed_over_waits_at_the_new_primary(
    servers: Servers,
) -> None:
    # Valkey 9.1 lets the client wait at the old one to the end: it too says NotReplicatedError.
    with Cluster(servers.engine("redis-7.0"), replicas=1) as cluster:
        for way in ("sync", "async"):
            client = to(cluster.ports[0], "redis-7.0", cluster=True)(way == "async")
            door = Door(client, by_async=way != "sync", prefix="")
            messages = batch_of(way, 1)
            await door.open(way).add_messages(messages[:1])
            (shard,) = (nodes for nodes in shards_of(cluster) if nodes[0].cli("KEYS", way))
            primary, replica = shard
            replica.cli("CONFIG", "RESETSTAT")
            history = door.open(way, replicas_ack=2, replicas_ack_timeout=1)
            with (
                pytest.raises(NotReplicatedError, match=r"stored, but only \d of 2"),
                once_a_client_waits(primary, lambda r=replica: r.cli("CLUSTER", "FAILOVER")),  # type: ignore[misc]
            ):
                await history.add_messages(messages)
            assert "cmdstat_wait" in replica.cli("INFO", "commandstats")
            assert replica.info("role") == "master"
            assert await history.messages() == [messages[0], *messages]
            await client.aclose() if way == "async" else client.close()


def wait_for_refusals(writers: Writers, proxy: Proxy) -> None:
    """Until every writer has been told READONLY and tried again, more than once on average."""
    tries = len(proxy.commands) + 12
    writers.wait_until(lambda: len(proxy.commands) >= tries, "more tries")


@pytest.mark.parametrize(
    ("pair", "replicas_ack"),
    [*((engine, 0) for engine in ENGINES), ("redis-6.2", 1), ("valkey-9.1", 1)],
    indirect=["pair"],
)
def test_with_the_right_options_writers_follow_the_address_to_the_new_primary(
    pair: tuple[Server, Server], proxy_to: ProxyTo, replicas_ack: int
) -> None:
    primary, replica = pair
    proxy = proxy_to(primary.port)
    connect = to(proxy.port, primary.engine.name, heal=True)
    with writing(connect, replicas_ack=replicas_ack, replicas_ack_timeout=4) as writers:
        writers.wait_for(50)
        swap(primary, replica)
        wait_for_refusals(writers, proxy)
        lead_to(proxy, replica)
        writers.wait_for(50)
    # What was waiting for replicas when the roles changed says that it is stored.
    assert writers.raised.keys() <= ({"NotReplicatedError"} if replicas_ack else set())
    assert writers.lost(to(replica.port, primary.engine.name)(False)) == NOTHING


@pytest.mark.parametrize("engine", ENGINES)
def test_with_the_right_options_writers_go_on_when_the_server_is_primary_again(
    servers: Servers, proxy_to: ProxyTo, engine: str
) -> None:
    nobody = Server(servers.engine(engine))  # a port of its own that nobody listens on
    with Server(servers.engine(engine)) as server:
        proxy = proxy_to(server.port)
        with writing(to(proxy.port, engine, heal=True)) as writers:
            for _ in range(2):
                writers.wait_for(50)
                server.cli("REPLICAOF", HOST, nobody.port)
                wait_for_refusals(writers, proxy)
                server.cli("REPLICAOF", "NO", "ONE")
            writers.wait_for(50)
        assert writers.raised == {}
        assert writers.lost(to(server.port, engine)(False)) == NOTHING
    nobody.close()


# Scripts forgotten


@pytest.mark.parametrize(
    ("engine", "cluster_too"),
    [*((engine, False) for engine in ["redis-5.0", *ENGINES]), ("valkey-9.1", True)],
)
def test_script_flush_in_the_middle_of_a_run_goes_unnoticed(
    servers: Servers, engine: str, cluster_too: bool, prefix: str
) -> None:
    nodes = servers.cluster(engine).primaries if cluster_too else [servers.standalone(engine)]
    connect = to(nodes[0].port, engine, cluster=cluster_too)
    with writing(connect, sessions=6, prefix=prefix) as writers:
        for _ in range(50):
            for node in nodes:
                node.cli("SCRIPT", "FLUSH")
            writers.wait_for(1)
    assert writers.raised == {}
    assert writers.total >= 150
    assert writers.lost(connect(False)) == NOTHING
