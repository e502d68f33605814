"""compress="zstd": smaller where it helps, read by every history, and no way in for bombs."""

from __future__ import annotations

import json
import math
import sys
import tracemalloc
from base64 import b64decode, b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest
import redis
import zstandard
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from langchain_google_memorystore_redis import (
    CorruptEntryError,
    MemorystoreChatMessageHistory,
    MissingExtraError,
    ReadCache,
    sessions,
)
from langchain_google_memorystore_redis._codec import compression
from langchain_google_memorystore_redis._codec.compression import (
    MAX_BYTES,
    compress_element,
    compress_if_smaller,
    expand_element,
)
from langchain_google_memorystore_redis._codec.decode import UndecodableError, decode
from langchain_google_memorystore_redis._codec.encode import element_tail, encode
from tests.faults import DROP_REPLY, Proxy
from tests.plugins.clients import Target
from tests.plugins.doors import Door
from tests.plugins.servers import Servers
from tests.plugins.shell import Shell
from tests.samples import one_of_each

on_three_targets = pytest.mark.parametrize(
    "target",
    [
        Target("valkey-9.1", decode_responses=True),
        Target("redis-5.0", protocol=2),
        Target("valkey-9.1", cluster=True),
    ],
    ids=str,
)
LONG = "What is said here is said again, and what is said again is said here. " * 20
CALL = {"name": "search", "args": {"query": LONG}, "id": "call-1"}


def conversation() -> list[BaseMessage]:
    """Of every class, with and without what only json can carry, long and short."""
    return [
        *one_of_each(),
        AIMessage(LONG, tool_calls=[CALL]),
        ToolMessage(LONG, tool_call_id="call-1"),
        HumanMessage("\ud800" + LONG, big=2**200, limit=math.inf),
        HumanMessage("hi"),
    ]


def element(message: BaseMessage) -> bytes:
    return encode(message, 0, element_tail(b"Zm9vYmFyYmF6", 1_795_503_209_908))


def with_frame(frame: bytes) -> bytes:
    return b'{"type":"human","zstd":"%b","id":"a","ts":1}' % frame


async def test_a_compressed_session_is_one_like_any_other(door: Door, raw: Any) -> None:
    await door.open("plain").add_messages(conversation())
    history = door.open("small", compress="zstd")
    await history.add_messages(conversation())
    key = f"{door.prefix}small"
    plain, small = raw.lrange(f"{door.prefix}plain", 0, -1), raw.lrange(key, 0, -1)
    rows = [json.loads(expand_element(each)) for each in small]
    assert {MAGIC in each for each in small} == {True, False}
    for each, row, before in zip(small, rows, plain, strict=True):
        assert each.split(b",")[0] == before.split(b",")[0]
        assert list(row) == ["type", "data", "id", "ts"]
        assert row["data"] == json.loads(before)["data"]
        assert (MAGIC in each) == (len(each) < len(before))
        assert MAGIC not in each or len(before) >= 256

    reader = door.open("small")
    assert await reader.messages() == await reader.iterated() == conversation()
    assert [entry.id for entry in await reader.entries()] == [row["id"] for row in rows]
    await reader.add_message(HumanMessage(LONG))
    assert await history.get_messages(-2) == [HumanMessage("hi"), HumanMessage(LONG)]
    assert b'"data"' in raw.lindex(key, -1)
    branch = await history.copy("branch", length=3)
    await branch.add_message(HumanMessage(LONG))
    assert b'"zstd"' in raw.lindex(f"{door.prefix}branch", -1)
    cached = door.open("small", cache=ReadCache())
    for _ in range(2):
        assert await cached.messages() == [*conversation(), HumanMessage(LONG)]


@on_three_targets
async def test_a_tool_result_whose_call_is_dropped_goes_with_it(door: Door, raw: Any) -> None:
    history = door.open(max_messages=3, compress="zstd")
    result = ToolMessage(LONG, tool_call_id="call-1")
    await history.add_messages([AIMessage("", tool_calls=[CALL]), result, result, AIMessage("so")])
    assert await history.messages() == [AIMessage("so")]


def test_operators_need_not_know_of_compression(plain: Shell) -> None:
    history = plain.history("ada", compress="zstd", compress_min_bytes=1)
    history.add_messages([HumanMessage(LONG), ToolMessage(LONG, tool_call_id="1")])
    about = sessions.describe_session(plain.client, "ada", key_prefix=plain.prefix)
    assert about is not None
    assert about.last_written_at == history.entries()[-1].written_at
    lines = list(sessions.export_sessions(plain.client, key_prefix=plain.prefix))
    other = f"{plain.prefix}other:"
    for added in (2, 0):
        assert sessions.import_sessions(plain.client, lines, key_prefix=other).added == added
    copy = MemorystoreChatMessageHistory(plain.client, "ada", key_prefix=other)
    assert copy.messages == history.messages
    shown = plain("show", "ada")
    assert (shown.exit_code, shown.stdout.count(LONG.strip())) == (0, 2)
    assert sessions.delete_prefix(plain.client, other).sessions == 1


def test_repeating_an_append_stores_it_once_whatever_the_setting(
    servers: Servers, prefix: str
) -> None:
    never = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    with (
        Proxy(servers.standalone("valkey-9.1").port) as proxy,
        redis.Redis(port=proxy.port, retry=never) as client,
    ):
        histories = [
            MemorystoreChatMessageHistory(client, "s", key_prefix=prefix, compress=compress)
            for compress in ("zstd", None)
        ]
        for first, again in (histories, histories[::-1]):
            turn = conversation()
            proxy.inject(DROP_REPLY, on="EVALSHA")
            with pytest.raises(redis.ConnectionError):
                first.add_messages(turn)
            again.add_messages(turn)
        assert again.messages == conversation() * 2


def test_what_a_frame_does_not_make_smaller_stays_as_it_is() -> None:
    for message in (HumanMessage("hi"), HumanMessage("x" * 1_000_000)):
        assert compress_if_smaller(element(message)) == element(message)
    large = element(HumanMessage("".join(map(str, range(800_000)))))
    assert len(large) > MAX_BYTES
    assert compress_if_smaller(large) is large
    quoting = element(HumanMessage('{"data":1,"id":"x","ts":1}' + LONG))
    assert len(compress_if_smaller(quoting)) < len(quoting)
    assert decode(compress_if_smaller(quoting)) == decode(quoting)


def test_what_was_stored_can_be_read_for_good() -> None:
    """Fails if the dictionary changes, which is part of the format: give a new one a new name."""
    stored = (
        b'{"type":"ai","zstd":"'
        + b64decode("KLUv/SSxLQEAUCI0bSwxODE5fX0JAAARmE/ZEka3YIElMzwBnhMmyAEufDXOQflroXs=")
        + b'","id":"Zm9vYmFyYmF6","ts":1795503209908}'
    )
    assert decode(stored) == (GOLDEN, "Zm9vYmFyYmF6", 1_795_503_209_908, ())


GOLDEN = AIMessage(
    "4",
    id="run-1",
    usage_metadata={"input_tokens": 8, "output_tokens": 1, "total_tokens": 9},
    response_metadata={"model_name": "m", "finish_reason": "stop", "logprobs": None},
)

# A frame of RLE blocks: 128 KB of zeros in each four bytes, 2 GB in all.
ZEROS = (b"\x02\x00\x10\x00" * 16_384) + b"\x03\x00\x10\x00"
MAGIC = b"\x28\xb5\x2f\xfd"
GOOD = zstandard.compress(b'{"content":"hi"}')


def lists(size: int, noise: int) -> bytes:
    """Data that takes much more time and memory to parse than its size suggests."""
    text = Random(1).randbytes(noise // 2).hex().encode()
    return b'{"content":"%s","additional_kwargs":{"a":[%s0]}}' % (text, b"[]," * (size // 3))


OTHER = zstandard.ZstdCompressionDict(b'{"data":"x"} ' * 20 + LONG.encode())
OTHER_FRAME = zstandard.ZstdCompressor(dict_data=OTHER).compress(LONG.encode())


@pytest.mark.parametrize(
    "hostile",
    [
        with_frame(MAGIC + b"\xe0" + (2**40).to_bytes(8, "little") + ZEROS),
        with_frame(MAGIC + b"\xe0" + (2**64 - 1).to_bytes(8, "little") + ZEROS),
        with_frame(MAGIC + b"\xa0" + (6_000_000).to_bytes(4, "little") + ZEROS),
        with_frame(MAGIC + b"\x00\x88" + ZEROS),
        with_frame(zstandard.compress(b'{"content":"%s"}' % (b"x" * 1_000_000))),
        with_frame(zstandard.compress(lists(4_000_000, noise=100_000))),
        with_frame(zstandard.compress(lists(5_000_000, noise=500_000))),
        with_frame(GOOD[:-1]),
        with_frame(GOOD[:6]),
        with_frame(GOOD + GOOD),
        with_frame(GOOD + b"x"),
        with_frame(b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"),  # a frame that is to be skipped
        with_frame(OTHER_FRAME),
        with_frame(zstandard.compress(b"[1]")),
        with_frame(zstandard.compress(b'{"content":')),
        with_frame(zstandard.compress(b"\xff\xfe{\x00}\x00")),
        with_frame(b""),
        with_frame(b"no frame"),
        with_frame(b64encode(GOOD)),
        with_frame(GOOD).replace(b'"zstd":"', b'"data":"'),
        with_frame(GOOD)[:-1],
        with_frame(GOOD) + b"\n,",
        b'{"type":"human","zstd":7,"id":"a","ts":1}',
        b'{"type": "human", "zstd": null}',
        b'{"type":"alien",' + with_frame(GOOD)[16:],
    ],
)
def test_a_hostile_frame_is_refused_and_takes_no_memory(hostile: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode(with_frame(OTHER_FRAME))  # what is made once a thread is there
    tracemalloc.start()
    try:
        with pytest.raises(UndecodableError):
            decode(hostile)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_every_byte_of_a_frame_counts() -> None:
    whole = compress_element(element(HumanMessage("What is 2 + 2?", tool_call_id="call-1")))
    start, end = whole.index(MAGIC), whole.rindex(b'","id":')
    for at in range(start, end):
        for other in b'Az"\\':
            changed = whole[:at] + bytes([other]) + whole[at + 1 :]
            try:
                assert changed == whole or decode(changed)[0].content == "What is 2 + 2?"
            except UndecodableError:
                continue


def test_a_frame_may_hold_what_looks_like_its_end() -> None:
    frame = zstandard.compress(b'{"content":"4","id":"x","ts":1}')
    assert b'"4","id":"x","ts":1}' in frame
    assert decode(with_frame(frame))[1:] == ("a", 1, ())


async def test_a_bad_frame_is_a_corrupt_entry(servers: Servers, prefix: str) -> None:
    with redis.Redis(port=servers.standalone("valkey-9.1").port) as client:
        client.rpush(f"{prefix}s", element(HumanMessage("hi")), with_frame(GOOD[:-1]))
        history = MemorystoreChatMessageHistory(client, "s", key_prefix=prefix)
        with pytest.raises(CorruptEntryError, match="cannot be expanded") as caught:
            _ = history.messages
        assert caught.value.index == 1


@pytest.fixture
def without_zstandard(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    compression.load_zstandard.cache_clear()
    yield
    compression.load_zstandard.cache_clear()


def test_without_zstandard_the_extra_is_named_and_nothing_is_passed_over(
    servers: Servers, prefix: str, without_zstandard: None
) -> None:
    with redis.Redis(port=servers.standalone("valkey-9.1").port) as client:
        client.rpush(f"{prefix}s", with_frame(GOOD), with_frame(GOOD).replace(b'":"', b'": "'))
        history = MemorystoreChatMessageHistory(client, "s", key_prefix=prefix, on_corrupt="skip")
        for read in (lambda: history.messages, lambda: history[-1], history.entries):
            with pytest.raises(MissingExtraError, match=r"redis\[zstd\]") as caught:
                read()
            assert caught.value.extra == "zstd"
        with pytest.raises(MissingExtraError, match=r"redis\[zstd\]"):
            MemorystoreChatMessageHistory(client, "s", compress="zstd")
        history.add_message(HumanMessage("hi"))
        assert len(history) == 3


def test_threads_compress_and_expand_side_by_side() -> None:
    elements = [element(HumanMessage(f"{number} {LONG * (number % 9)}")) for number in range(900)]
    alone = [compress_element(each) for each in elements]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(compress_element, elements)) == alone
        assert list(pool.map(decode, alone)) == list(map(decode, elements))
