"""How a saver is made, what it refuses, and what its user must be allowed."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import redis
import redis.asyncio
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    AsyncClientError,
    InvalidArgumentError,
    MemorystoreSaver,
)
from langchain_google_memorystore_redis._checkpoint import operations as ops
from langchain_google_memorystore_redis._checkpoint.names import checkpoint_name
from tests.checkpoint.savers import (
    WAYS,
    checkpoint_of,
    config_of,
    grow,
    keys_of,
    opened,
    steps,
    stored,
)
from tests.plugins.clients import TARGETS, Target
from tests.plugins.servers import Servers

each_target = pytest.mark.parametrize("target", TARGETS, ids=str)


class Own:
    """A class of a user."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own)

    def __hash__(self) -> int:
        return 1


@each_target
async def test_the_serializer_is_the_users_choice(
    target: Target, servers: Servers, prefix: str
) -> None:
    serde = JsonPlusSerializer(pickle_fallback=True)
    for way in WAYS:
        thread = config_of(way)
        async with opened(
            target, target.port(servers), way, key_prefix=prefix, serde=serde
        ) as made:
            checkpoint = checkpoint_of(own=[Own(), "x" * 500], raw=b"\0\1\2", none=None)
            await made.aput(thread, checkpoint, {}, dict.fromkeys(("own", "raw", "none"), "1"))
            found = await made.aget_tuple(thread)
            assert found is not None
            assert found.checkpoint["channel_values"] == checkpoint["channel_values"]


class Cipher:
    """Encrypts with a random nonce, so that no two results are equal."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        nonce = secrets.token_bytes(16)
        return "nonce", nonce + self._mixed(nonce, plaintext)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        assert ciphername == "nonce"
        return self._mixed(ciphertext[:16], ciphertext[16:])

    def _mixed(self, nonce: bytes, text: bytes) -> bytes:
        key = hashlib.shake_128(nonce).digest(len(text))
        return bytes(one ^ other for one, other in zip(key, text, strict=True))


@each_target
async def test_what_is_encrypted_comes_back_and_is_pruned_to_one(
    target: Target, servers: Servers, raw: Any, prefix: str
) -> None:
    serde = EncryptedSerializer(Cipher())
    values: dict[str, Any] = {"long": ["secret" + "x" * 200] * 40, "short": [1, 2], "text": "a"}
    checkpoint = checkpoint_of(**values)
    versions: Any = dict.fromkeys(values, "1")
    for way in WAYS:
        async with opened(
            target, target.port(servers), way, key_prefix=prefix, serde=serde
        ) as made:
            sizes = set()
            for _ in range(3):
                config = await made.aput(config_of("t"), checkpoint, {"step": 0}, versions)
                await made.aput_writes(config, [("a", 1)], "task")
                await made.aprune(["t"])
                sizes.add(len(stored(raw, prefix)[1]))
            assert len(sizes) == 1
            await made.acopy_thread("t", "copy")
            for thread in ("t", "copy"):
                found = await made.aget_tuple(config_of(thread))
                assert found is not None
                assert found.checkpoint["channel_values"] == values
                assert found.pending_writes == [("task", "a", 1)]
                assert len(stored(raw, prefix, thread)[1]) in sizes
                assert b"secret" not in b"".join(stored(raw, prefix, thread)[1].values())
                await made.adelete_thread(thread)


class Removing(JsonPlusSerializer):
    """Removes something when it first reads metadata, as another client may at any time."""

    remove: Callable[[], object] | None = None

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        remove, self.remove = self.remove, None
        if remove is not None:
            remove()
        return super().loads_typed(data)


@each_target
async def test_a_listing_with_a_filter_gives_nothing_twice_whatever_is_removed_meanwhile(
    target: Target, servers: Servers, raw: Any, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "CHECKPOINTS_PER_PAGE", 2)
    index, data = keys_of(prefix)
    for way in WAYS:
        serde = Removing()
        async with opened(
            target, target.port(servers), way, key_prefix=prefix, serde=serde
        ) as made:
            configs = await grow(made, "t", 10)
            name = checkpoint_name("", configs[6]["configurable"]["checkpoint_id"])
            serde.remove = partial(remove_name, raw, index, data, name)
            assert await steps(made, config_of("t"), filter={"parity": 0}) == [8, 4, 2, 0]
            await made.adelete_thread("t")


def remove_name(raw: Any, index: str, data: str, name: bytes) -> None:
    raw.zrem(index, name)
    raw.hdel(data, name)


def test_versions_sort_and_never_repeat() -> None:
    saver = MemorystoreSaver(redis.Redis(port=1))
    version: Any = None
    seen = []
    for _ in range(200):
        version = saver.get_next_version(version, None)
        seen.append(version)
    assert seen == sorted(set(seen))
    assert saver.get_next_version(seen[5], None) != saver.get_next_version(seen[5], None)
    numbered = "00000000000000000000000000000007.0.4223"
    assert saver.get_next_version(numbered, None).startswith("0000000008.")
    assert saver.get_next_version(numbered, None) > numbered
    for number in (7, 7.5):
        assert 8 <= saver.get_next_version(number, None) < 9
        assert saver.get_next_version(number, None) != saver.get_next_version(number, None)


@each_target
def test_a_copy_with_an_allowlist_is_a_saver_of_the_same_client(client: Any, prefix: str) -> None:
    serde = JsonPlusSerializer(allowed_msgpack_modules=[("builtins", "set")])
    saver = MemorystoreSaver(client, key_prefix=prefix, serde=serde)
    clone = saver.with_allowlist([("tests.checkpoint.test_settings", "Own")])
    assert isinstance(clone, MemorystoreSaver)
    assert clone._ops.serde.serde is clone.serde is not saver.serde
    config = clone.put(config_of("t"), checkpoint_of(), {}, {})
    found = saver.get_tuple(config_of("t"))
    assert found is not None
    assert found.config == config


@pytest.mark.parametrize(
    "bad",
    [
        {"configurable": {}},
        config_of(""),
        config_of("\ud800"),
        {"configurable": {"thread_id": ["t"]}},
    ],
)
def test_a_thread_must_have_a_usable_name(bad: Any) -> None:
    saver = MemorystoreSaver(redis.Redis(port=1))
    for call in (saver.get_tuple, lambda config: next(iter(saver.list(config)))):
        with pytest.raises(InvalidArgumentError, match="thread_id"):
            call(bad)


def test_settings_are_checked_when_they_are_given() -> None:
    bad: list[dict[str, Any]] = [{"ttl": 0}, {"ttl": "1"}, {"key_prefix": 1}]
    bad += [{"key_prefix": "{}:"}, {"key_prefix": "a{}{b}:"}]
    for settings in bad:
        with pytest.raises(InvalidArgumentError, match=next(iter(settings))):
            MemorystoreSaver(redis.Redis(port=1), **settings)


@pytest.mark.parametrize("wrong", ["t1", b"t1", None])
async def test_one_id_where_many_are_asked_for_is_refused(wrong: Any) -> None:
    saver = MemorystoreSaver(redis.Redis(port=1))
    for call in (saver.prune, saver.delete_for_runs):
        with pytest.raises(ArgumentTypeError, match="_ids must be a list"):
            call(wrong)
    for acall in (saver.aprune, saver.adelete_for_runs):
        with pytest.raises(ArgumentTypeError, match="_ids must be a list"):
            await acall(wrong)


def test_a_filter_is_checked() -> None:
    saver = MemorystoreSaver(redis.Redis(port=1))
    with pytest.raises(ArgumentTypeError, match="filter must be a dict"):
        next(saver.list(None, filter="x"))  # type: ignore[arg-type]


async def test_a_blocking_method_of_an_asyncio_client_says_what_to_await() -> None:
    async with redis.asyncio.Redis(port=1) as client:
        with pytest.raises(AsyncClientError, match="ainvoke"):
            MemorystoreSaver(client).get_tuple(config_of("t"))


async def test_a_limited_user_can_do_everything(
    limited: tuple[Target, int, str], prefix: str
) -> None:
    target, port, name = limited
    login = {"username": name, "password": "pw"}
    for way in ("async", "sync"):
        own = f"chat:{prefix}{way}:"
        options: dict[str, Any] = {"key_prefix": own, "ttl": 100, "refresh_on_read": True}
        async with opened(target, port, way, login, **options) as saver:
            for config in await grow(saver, "t", 3):
                await saver.aput_writes(config, [("a", 1)], "task")
            assert await steps(saver, config_of("t")) == [2, 1, 0]
            assert await steps(saver, {"configurable": {"thread_id": "t"}}) == [2, 1, 0]
            await saver.acopy_thread("t", "copy")
            await saver.aprune(["t"])
            assert await saver.aget_tuple(config_of("t")) is not None
            await saver.aget_delta_channel_history(config=config_of("t"), channels=["a"])
            assert len(await steps(saver, None)) == 4
            await saver.adelete_for_runs(["run"])
            await saver.adelete_thread("t")
            await saver.adelete_thread("copy")
            assert await steps(saver, None) == []
        async with opened(target, port, way, login, key_prefix="private:") as saver:
            with pytest.raises(Exception, match=r"(?i)permission|access") as caught:
                await saver.aget_tuple(config_of("t"))
            assert type(caught.value).__name__ == "NoPermissionError"


class Counting(MemorystoreSaver):
    """A saver whose versions are integers, which two branches of a thread share."""

    def get_next_version(self, current: Any, channel: None) -> Any:
        """Return the next integer."""
        return (current or 0) + 1


def test_branches_of_a_graph_with_integer_versions_keep_their_values(
    servers: Servers, prefix: str
) -> None:
    client = redis.Redis(port=servers.standalone("valkey-9.1").port)
    saver = Counting(client, key_prefix=prefix)
    graph: Any = StateGraph(dict)
    graph.add_node("work", lambda state: {"text": state["text"] + "!"}).add_edge(START, "work")
    compiled = graph.compile(checkpointer=saver)
    root: Any = config_of("t")
    compiled.invoke({"text": "root"}, root)
    start = next(iter(compiled.get_state_history(root))).config
    forks = {
        text: compiled.update_state(start, {"text": text}, as_node="work")
        for text in ("one", "other")
    }
    for text, fork in forks.items():
        assert compiled.get_state(fork).values == {"text": text}
    copied = compiled.update_state(forks["one"], None, as_node="__copy__")
    assert compiled.get_state(copied).values == {"text": "one"}
    client.close()
