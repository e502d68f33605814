"""Memory full: an append is refused whole, a session evicted whole, and afterwards all goes on."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import redis
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_google_memorystore_redis import HistoryChangedError, NotReplicatedError
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.doors import Door, DoorHistory
from tests.plugins.servers import Servers
from tests.servers.processes import Server, wait_until

ENGINES = ["redis-5.0", "redis-6.2", "redis-7.0", "valkey-9.1"]
WAYS = ["sync", "async", "thread"]
SIZES = {"turns": 2, "singles": 1, "pages": 1200}
"""Messages a batch; more than the 1,000 that the script pushes at once among them."""


@dataclass
class Full:
    """A server of 20 MB, a way into it, and what each session should hold."""

    server: Server
    door: Door
    stored: dict[str, list[BaseMessage]] = field(default_factory=dict)
    appends: int = 0

    def batch(self, size: int) -> list[BaseMessage]:
        self.appends += 1
        text = f"{self.appends} " + "x" * (100_000 if size < 100 else 1200)
        return [(HumanMessage, AIMessage)[n % 2](f"{n} {text}") for n in range(size)]

    async def append(self, history: DoorHistory, size: int) -> None:
        batch = self.batch(size)
        await history.add_messages(batch)
        self.stored.setdefault(history.history.session_id, []).extend(batch)

    async def fill(self) -> None:
        """Append to sessions without a time to live until the smallest append is refused."""
        for name in itertools.cycle(SIZES):
            try:
                await self.append(self.door.open(name), SIZES[name])
            except redis.exceptions.OutOfMemoryError:
                if name == "singles":
                    break
        # A margin: buffers of connections count as used memory too, and come and go.
        used = int(self.server.info("used_memory") or 0)
        self.server.cli("CONFIG", "SET", "maxmemory", used - 1_000_000)

    async def evict(self, key: str) -> None:
        """Append to other sessions, with a time to live, until a key is gone."""
        while self.server.cli("EXISTS", key):
            await self.append(self.door.open(f"other{self.appends}", ttl=3600), 20)
            assert self.appends < 5000

    async def check(self) -> None:
        """Every session holds what was acknowledged, and nothing else."""
        for name, messages in self.stored.items():
            history = self.door.open(name)
            assert await history.count() == len(messages)
            assert facts_of(await history.messages()) == facts_of(messages)
            assert await history.get_messages(-3) == messages[-3:]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def full(servers: Servers, engine: str, policy: str, way: str) -> AsyncIterator[Full]:
    settings = ("--maxmemory", "20mb", "--maxmemory-policy", policy)
    target = Target(engine, protocol=2 if engine == "redis-5.0" else 3)
    with Server(servers.engine(engine), *settings) as server:
        if way == "async":
            async with asyncio_client(target, server.port) as client:
                yield Full(server, Door(client, by_async=True, prefix=""))
        else:
            with target.connect(server.port) as client:
                yield Full(server, Door(client, by_async=way == "thread", prefix=""))


def facts_of(messages: list[BaseMessage]) -> list[tuple[str, str]]:
    """For thousands of messages, cheaper to compare than the messages."""
    return [(message.type, str(message.content)) for message in messages]


def wait_for_memory(server: Server) -> None:
    """UNLINK gives memory back a moment later."""
    wait_until(lambda: int(server.info("used_memory") or 0) < 14_000_000, "memory to be free")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "way"), [*(("noeviction", way) for way in WAYS), ("volatile-lru", "async")]
)
async def test_a_full_server_refuses_appends_whole_and_goes_on_when_there_is_space(
    full: Full,
) -> None:
    await full.fill()
    await full.check()
    refused = {name: full.batch(size) for name, size in SIZES.items()}
    for _ in range(2):
        for name, batch in refused.items():
            with pytest.raises(redis.exceptions.OutOfMemoryError):
                await full.door.open(name).add_messages(batch)
            with pytest.raises(redis.exceptions.OutOfMemoryError):
                await full.door.open("new", ttl=60, max_messages=1).add_messages(batch)
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        await full.door.open("new", replicas_ack=1, replicas_ack_timeout=0.1).add_messages(batch)
    assert full.server.cli("EXISTS", "new") == 0
    await full.check()

    await full.door.open("pages").clear()
    wait_for_memory(full.server)
    full.stored["pages"] = []
    await full.check()
    for name, batch in refused.items():
        await full.door.open(name).add_messages(batch)
        full.stored[name] += batch
    for name, size in SIZES.items():
        await full.append(full.door.open(name), size)
    await full.check()
    assert full.server.info("evicted_keys") == "0"


@pytest.mark.parametrize(("policy", "way"), [("noeviction", "sync"), ("noeviction", "async")])
async def test_truncating_frees_memory_and_reading_renews_the_time_to_live_of_a_full_server(
    full: Full,
) -> None:
    mortal = full.door.open("mortal", ttl=1000)
    await full.append(mortal, 2)
    await full.fill()
    renewing = full.door.open("mortal", ttl=5000, refresh_ttl_on_read=True)
    assert await renewing.messages() == full.stored["mortal"]
    assert full.server.cli("TTL", "mortal") > 4000
    pages = full.door.open("pages")
    await pages.truncate(10)
    full.stored["pages"] = full.stored["pages"][:10]
    wait_for_memory(full.server)
    await full.append(pages, 10)
    await full.check()


@pytest.mark.parametrize("policy", ["volatile-lru"])
async def test_an_evicted_session_is_gone_whole_and_does_not_come_back_half(full: Full) -> None:
    lasting = full.door.open("lasting")
    await full.append(lasting, 20)
    session = full.door.open("session", ttl=3600)
    await full.append(session, 20)
    assert await session.messages() == full.stored["session"]

    await full.evict("session")
    assert await session.messages() == []
    assert await session.iterated() == []
    assert await session.count() == 0

    full.stored.pop("session")
    await full.append(session, 3)
    assert await session.messages() == full.stored["session"]
    assert 3500 < full.server.cli("TTL", "session") <= 3600

    evicted = int(full.server.info("evicted_keys") or 0)
    gone = [name for name in full.stored if not full.server.cli("EXISTS", name)]
    assert len(gone) <= evicted
    assert "lasting" not in gone
    for name in gone:
        full.stored[name] = []
    await full.check()


@pytest.mark.parametrize("policy", ["volatile-lru"])
async def test_a_session_evicted_between_two_pages_of_an_iteration_is_no_short_history(
    full: Full,
) -> None:
    session = full.door.open("session", ttl=3600)
    for _ in range(5):
        await full.append(session, 1200)
    messages = session.each()
    assert await anext(messages) == full.stored["session"][0]
    await full.evict("session")
    with pytest.raises(HistoryChangedError):
        async for _ in messages:
            pass


@pytest.mark.parametrize("policy", ["volatile-lru"])
@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize(
    ("engine", "replicas_ack"), [*((engine, 0) for engine in ENGINES), ("redis-5.0", 1)]
)
async def test_a_full_server_that_may_evict_refuses_no_append(
    full: Full, replicas_ack: int
) -> None:
    # Redis 5 evicts before a command and not for what a script then needs.
    await full.append(full.door.open("first", ttl=3600), 20)
    await full.evict("first")
    settings = {"replicas_ack": replicas_ack, "replicas_ack_timeout": 0.001}
    expected = pytest.raises(NotReplicatedError) if replicas_ack else contextlib.nullcontext()
    for number in range(20 if replicas_ack else 400):
        batch = [HumanMessage("x" * (200 + number * 311 % 12_400)), AIMessage("y" * 300)]
        history = full.door.open(f"turn{number}", ttl=3600, **settings)
        with expected:
            await history.add_messages(batch)
        assert await history.messages() == batch
