"""Threads that are compressed: smaller, equal, and read with every setting."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import redis
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from langchain_google_memorystore_redis import (
    CorruptCheckpointError,
    InvalidArgumentError,
    MemorystoreSaver,
    MissingExtraError,
    ThreadCache,
)
from langchain_google_memorystore_redis._codec import compression
from tests.checkpoint.savers import WAYS, checkpoint_of, config_of, keys_of, opened
from tests.checkpoint.test_settings import Cipher
from tests.checkpoint.test_thread_cache import Growing, identical, message, round_trip
from tests.plugins.clients import Target
from tests.plugins.servers import Servers

MESSAGES = [message(number, 200) for number in range(70)]


@pytest.fixture
def client(servers: Servers) -> Any:
    with redis.Redis(port=servers.standalone("valkey-9.1").port) as made:
        yield made


def size_of(client: Any, prefix: str) -> int:
    return sum(len(value) for value in client.hvals(keys_of(prefix)[1]))


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("is_shared", [False, True])
def test_savers_of_every_setting_use_one_thread(
    is_shared: bool, encrypted: bool, client: Any, prefix: str
) -> None:
    options: dict[str, Any] = {"key_prefix": prefix, "cache": ThreadCache() if is_shared else None}
    if encrypted:
        options["serde"] = EncryptedSerializer(Cipher())
    small = MemorystoreSaver(client, compress="zstd", **options)
    plain = MemorystoreSaver(client, **options)
    expected = round_trip(MESSAGES)
    thread = Growing(small)
    for saver, end in ((small, 40), (plain, 60), (small, 70), (plain, 70)):
        thread.saver = saver
        thread.put(MESSAGES[:end])
        saver.put_writes(thread.config, [("messages", MESSAGES[:2])], "task")
        for reader in (small, plain):
            assert identical(thread.read(reader), expected[:end])
            found = reader.get_tuple(thread.config)
            assert found is not None
            assert found.pending_writes is not None
            assert identical(found.pending_writes[0][2], expected[:2])


@pytest.mark.parametrize("way", WAYS)
async def test_a_compressed_thread_is_smaller(way: str, servers: Servers, prefix: str) -> None:
    target, sizes = Target("valkey-9.1"), {}
    for compress in ("zstd", None):
        name = f"{prefix}{compress}:"
        async with opened(
            target, target.port(servers), way, key_prefix=name, compress=compress
        ) as saver:
            checkpoint = checkpoint_of(messages=MESSAGES, files={"a": "text " * 500})
            versions = checkpoint["channel_versions"]
            await saver.aput(config_of("t"), checkpoint, {}, versions)
            found = await saver.aget_tuple(config_of("t"))
            assert found is not None
            assert found.checkpoint["channel_values"] == checkpoint["channel_values"]
        with redis.Redis(port=servers.standalone("valkey-9.1").port) as client:
            sizes[compress] = size_of(client, name)
    assert sizes["zstd"] < 0.5 * sizes[None]


def test_a_frame_that_was_tampered_with_is_an_error_of_ours(client: Any, prefix: str) -> None:
    saver = MemorystoreSaver(client, key_prefix=prefix, compress="zstd", cache=None)
    thread = Growing(saver)
    thread.put(MESSAGES[:1])
    data = keys_of(prefix)[1]
    (field,) = [each for each in client.hkeys(data) if each[:1] == b"e"]
    content = client.hget(data, field)
    assert b"zstd" in content
    for wrong in (content[:-1], content[:-1] + b"x", content[:40]):
        client.hset(data, field, wrong)
        with pytest.raises(CorruptCheckpointError):
            thread.read()


def test_without_the_extra_the_error_says_what_to_install(
    client: Any, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = Growing(MemorystoreSaver(client, key_prefix=prefix, compress="zstd"))
    thread.put(MESSAGES[:3])
    with pytest.raises(InvalidArgumentError, match="compress"):
        MemorystoreSaver(client, compress="gzip")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "zstandard", None)
    compression.load_zstandard.cache_clear()
    try:
        with pytest.raises(MissingExtraError, match="zstd"):
            MemorystoreSaver(client, compress="zstd")
        with pytest.raises(MissingExtraError, match="zstd"):
            thread.read(MemorystoreSaver(client, key_prefix=prefix))
    finally:
        compression.load_zstandard.cache_clear()
