"""Threads that somebody else has written to: bounded work on the server and here, clear errors."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import redis

from langchain_google_memorystore_redis import CorruptCheckpointError, MemorystoreSaver
from tests.checkpoint.savers import Awaited, Saver, checkpoint_of, config_of, keys_of
from tests.plugins.servers import Servers
from tests.servers.processes import Server

ENGINES = ("redis-5.0", "redis-7.0", "valkey-9.1")


def field(kind: str, number: int) -> bytes:
    """A field as a value has it."""
    return f"{kind}{number:016}".encode()


ELEMENT = b":msgpack\0" + b"\xa3abc"
LARGE = b":msgpack\0\xc6" + (10**6).to_bytes(4, "big") + b"x" * 10**6
PLANTED: dict[str, dict[bytes, bytes]] = {
    "lists in lists, each 32 times": {
        **{field("l", level): b":" + field("l", level + 1) * 32 for level in range(8)},
        field("l", 8): b":" + field("e", 0) * 32,
        field("e", 0): ELEMENT,
    },
    "a list in itself": {field("l", 0): b":" + field("l", 0) * 3},
    "lists in each other": {
        field("l", 0): b":" + field("l", 1) * 2,
        field("l", 1): b":" + field("l", 0) * 2,
    },
    "a long chain": {
        **{field("l", number): b":" + field("l", number + 1) for number in range(30_000)},
    },
    "one large element in many channels": {
        field("l", 0): b":" + field("e", 0),
        field("e", 0): LARGE,
    },
    "one large element again and again": {
        field("l", 0): b":" + field("e", 0) * 50_000,
        field("e", 0): LARGE,
    },
    "no element": {field("l", 0): b":" + field("e", 0)},
    "no colon": {field("l", 0): field("e", 0)},
    "half a field": {field("l", 0): b":" + field("e", 0)[:9]},
    "no type": {field("l", 0): b":" + field("e", 0), field("e", 0): b"x"},
}


@pytest.fixture(scope="module", params=ENGINES)
def server(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Server]:
    """A server of its own, whose commands are counted."""
    with Server(servers.engine(request.param)) as made:
        yield made


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with redis.Redis(port=server.port, protocol=2) as made:
        yield made


@pytest.fixture
def saver(client: Any, prefix: str) -> Saver:
    return Awaited(MemorystoreSaver(client, key_prefix=prefix, cache=None))


def hgets(client: Any) -> int:
    """How many fields the server has read, by scripts too."""
    stats = client.info("commandstats")
    return int(stats.get("cmdstat_hget", {}).get("calls", 0))


@pytest.mark.parametrize("planted", PLANTED)
async def test_planted_lists_cost_no_more_than_their_size_and_raise_an_error(
    planted: str, saver: Saver, client: Any, prefix: str
) -> None:
    config = await saver.aput(config_of("t"), checkpoint_of(a=[1]), {}, {"a": "1"})
    index, data = keys_of(prefix)
    (name,) = client.zrange(index, 0, -1)
    record = client.hget(data, name)
    head, _, rest = record.partition(b"\0\0")
    channels = 100 if "many channels" in planted else 0
    versions = b"".join(b"\0va%d\x011" % number for number in range(channels))
    fields = field("l", 0) * (channels + 1)
    client.hset(data, name, head + versions + b"\0\0" + fields + rest[17:])
    client.hset(data, mapping=PLANTED[planted])
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: saver.aget_tuple(config_of("t")),
        lambda: all_of(saver, config_of("t")),
        lambda: all_of(saver, config_of("t"), filter={"step": 1}),
        lambda: saver.aget_delta_channel_history(config=config, channels=["a"]),
        lambda: saver.acopy_thread("t", "copy"),
        lambda: saver.adelete_for_runs(["run"]),
        lambda: saver.aprune(["t", "copy"]),
    ]
    for call in calls:
        before = hgets(client)
        with contextlib.suppress(CorruptCheckpointError):
            await call()
        # Twice for a copy, and for a sweep.
        assert hgets(client) - before < 4 * len(PLANTED[planted]) + 20
    with pytest.raises(CorruptCheckpointError, match="thread 't'") as raised:
        await saver.aget_tuple(config_of("t"))
    assert raised.value.checkpoint_id == config["configurable"]["checkpoint_id"]
    child = checkpoint_of({"a": "1", "b": "1"}, a=[1], b="b")
    await saver.aput(config, child, {}, {"b": "1"})
    await saver.adelete_thread("t")


async def all_of(saver: Saver, *args: Any, **options: Any) -> list[Any]:
    return [found async for found in saver.alist(*args, **options)]


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"x",
        b"p\0r\0t\0d\0l\0\0",
        b"p\0r\0t\0d\0l\0va\x011\0\0short",
        b"p\xff\0r\0t\0d\0l\0\00\0",
    ],
)
async def test_a_planted_record_raises_an_error_that_names_it(
    record: bytes, saver: Saver, client: Any, prefix: str
) -> None:
    index, data = keys_of(prefix)
    config = await saver.aput(config_of("t"), checkpoint_of(a=1), {}, {"a": "1"})
    (name,) = client.zrange(index, 0, -1)
    client.hset(data, name, record)
    for call in (lambda: saver.aget_tuple(config), lambda: all_of(saver, config_of("t"))):
        with pytest.raises(
            CorruptCheckpointError, match=str(config["configurable"]["checkpoint_id"])
        ):
            await call()
    await saver.aprune(["t"])
    await saver.aput(config, checkpoint_of(b=1), {}, {"b": "1"})
    await saver.adelete_for_runs(["run"])
    assert (await saver.aget_tuple(config_of("t"))) is not None


async def test_a_planted_write_raises_an_error_that_names_its_checkpoint(
    saver: Saver, client: Any, prefix: str
) -> None:
    index, data = keys_of(prefix)
    config = await saver.aput(config_of("t"), checkpoint_of(a=1), {}, {"a": "1"})
    await saver.aput_writes(config, [("a", 1)], "task")
    name = next(each for each in client.zrange(index, 0, -1) if each[:1] == b"w")
    client.hset(data, name, b"nothing of ours")
    with pytest.raises(CorruptCheckpointError, match=str(config["configurable"]["checkpoint_id"])):
        await saver.aget_tuple(config_of("t"))


NAMES = {
    "a checkpoint without an id": b"cabc",
    "a checkpoint of three parts": b"ca\x01b\x01c",
    "a namespace that is not UTF-8": b"c\xff\x01b",
    "an id that is not UTF-8": b"ca\x01\xff",
    "a write without a task": b"wa\x01b",
    "a write of a checkpoint that is not there": b"wa\x01b\x01task\x010",
    "a write whose number is none": b"wa\x01b\x01task\x01x",
    "nothing of ours": b"x",
}


@pytest.mark.parametrize("planted", NAMES)
async def test_a_planted_name_is_no_reason_for_anything_but_an_error_of_ours(
    planted: str, saver: Saver, client: Any, prefix: str
) -> None:
    index, data = keys_of(prefix)
    await saver.aput(config_of("t"), checkpoint_of(a=1), {}, {"a": "1"})
    (name,) = client.zrange(index, 0, -1)
    client.hset(data, NAMES[planted], client.hget(data, name))
    client.zadd(index, {NAMES[planted]: 0})
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: all_of(saver, config_of("t")),
        lambda: all_of(saver, {"configurable": {"thread_id": "t"}}),
        lambda: all_of(saver, None),
        lambda: saver.aget_tuple(config_of("t", "a")),
        lambda: saver.adelete_for_runs(["run"]),
        lambda: saver.acopy_thread("t", "copy"),
        lambda: saver.aprune(["t", "copy"]),
    ]
    for call in calls:
        with contextlib.suppress(CorruptCheckpointError):
            await call()
    found = await saver.aget_tuple(config_of("t"))
    assert found is not None
    assert found.checkpoint["channel_values"] == {"a": 1}


@pytest.mark.parametrize(
    "payload", [b"alien\0x", b"msgpack\0\xc1", b"msgpack\0", b"msgpack\0" + b"\x91" * 9000]
)
async def test_planted_bytes_that_no_serializer_reads_raise_an_error_that_names_the_checkpoint(
    payload: bytes, saver: Saver, client: Any, prefix: str
) -> None:
    _, data = keys_of(prefix)
    config = await saver.aput(config_of("t"), checkpoint_of(a=1), {}, {"a": "1"})
    (name,) = [each for each in client.hkeys(data) if each[:1] == b"e"]
    client.hset(data, name, b":" + payload)
    child = await saver.aput(config, checkpoint_of(b=1), {}, {"b": "1"})
    for call in (
        lambda: saver.aget_tuple(config),
        lambda: saver.aget_delta_channel_history(config=child, channels=["a"]),
    ):
        with pytest.raises(CorruptCheckpointError, match="thread 't'"):
            await call()


async def test_a_planted_parent_does_not_keep_a_checkpoint_with_deltas_from_being_stored(
    saver: Saver, client: Any, prefix: str
) -> None:
    index, data = keys_of(prefix)
    config = await saver.aput(config_of("t"), checkpoint_of(a=1), {}, {"a": "1"})
    (name,) = client.zrange(index, 0, -1)
    client.hset(data, name, b"nothing of ours")
    child = checkpoint_of({"a": "1"})
    metadata: Any = {"counters_since_delta_snapshot": {"a": 1}}
    child_config = await saver.aput(config, child, metadata, {})
    await saver.aprune(["t"])
    found = await saver.aget_tuple(child_config)
    assert found is not None
    assert found.parent_config == config


async def test_writes_to_other_channels_count_in_the_size_of_a_page(
    saver: Saver, client: Any, prefix: str
) -> None:
    config = await saver.aput(config_of("t"), checkpoint_of(), {}, {})
    for _ in range(6):
        await saver.aput_writes(config, [("other", "x" * 400_000)], "task")
        config = await saver.aput(config, checkpoint_of(), {}, {})
    before = evals(client)
    history = await saver.aget_delta_channel_history(config=config, channels=["a"])
    assert history == {"a": {"writes": []}}
    assert evals(client) - before == 2


def evals(client: Any) -> int:
    """How many scripts the server has run."""
    return int(client.info("commandstats")["cmdstat_evalsha"]["calls"])
