"""Documents on the wire: round trips, a network that stalls, and users with few rights."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import pytest
import redis
import redis.asyncio
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from langchain_google_memorystore_redis import (
    DocumentsNotStoredError,
    HNSWConfig,
    MemorystoreDocumentLoader,
    MemorystoreDocumentSaver,
    MemorystoreVectorStore,
    RedisVectorStore,
    SearchUnavailableError,
)
from tests.documents.stores import SIZE, DoorStore
from tests.faults import STALL, ClusterProxy, Proxy
from tests.plugins.clients import Target
from tests.plugins.faults import ProxyBefore
from tests.plugins.servers import Servers

EMBEDDING = DeterministicFakeEmbedding(size=SIZE)
COUNTED = (Target("valkey-9.1-search"), Target("valkey-9.1-search", cluster=True, protocol=2))


@pytest.fixture(params=COUNTED, ids=str)
def counted_target(request: pytest.FixtureRequest) -> Target:
    target: Target = request.param
    return target


@pytest.fixture
def proxy(counted_target: Target, proxy_before: ProxyBefore) -> Proxy | ClusterProxy:
    return proxy_before(counted_target)


@pytest.fixture(params=["async", "sync"])
async def counted(
    request: pytest.FixtureRequest, counted_target: Target, proxy: Proxy | ClusterProxy
) -> AsyncIterator[tuple[Any, bool]]:
    """A client whose round trips the proxy counts, and True if it is an asyncio client."""
    is_async = request.param == "async"
    made = counted_target.connect(proxy.port, asyncio=is_async, **proxy.client_options)
    if is_async:
        async with made:
            yield made, True
    else:
        with made:
            yield made, False


async def test_a_search_is_one_round_trip(
    counted: tuple[Any, bool], proxy: Proxy | ClusterProxy, prefix: str
) -> None:
    client, is_async = counted
    options: dict[str, Any] = {"key_prefix": prefix, "fields": {"lang": "tag"}}
    newer = DoorStore(MemorystoreVectorStore(client, "docs", EMBEDDING, **options), is_async)
    older = DoorStore(RedisVectorStore(client, f"{prefix}old", EMBEDDING), is_async)
    await older.init_index(client, HNSWConfig(f"{prefix}old", vector_size=SIZE))
    metadatas = [{"lang": "en"}] * 30
    for store in (newer, older):
        await store.add_texts([f"text {i}" for i in range(30)], metadatas)
        await store.similarity_search("text")
    calls: list[Callable[[], Awaitable[list[Any]]]] = [
        partial(store.__getattr__(method), subject, k=k)
        for store in (newer, older)
        for k in (1, 20)
        for method, subject in (
            ("similarity_search", "text"),
            ("similarity_search_with_score", "text"),
            ("similarity_search_by_vector", [0.5] * SIZE),
            ("similarity_search_with_relevance_scores", "text"),
            ("max_marginal_relevance_search", "text"),
        )
    ]
    calls += [
        partial(newer.similarity_search, "text", filter={"lang": "en"}),
        partial(newer.similarity_search, "text", 40),
        partial(older.similarity_search, "text", distance_threshold=2),
    ]
    for call in calls:
        with proxy.counting() as count:
            assert await call()
        assert (count.round_trips, count.commands) == (1, ["FT.SEARCH"]), call
    await newer.drop_index()
    await older.drop_index(client, f"{prefix}old")


async def test_round_trips_of_reading_and_writing(
    counted: tuple[Any, bool], proxy: Proxy | ClusterProxy, prefix: str
) -> None:
    client, is_async = counted
    store = DoorStore(
        MemorystoreVectorStore(client, "docs", EMBEDDING, key_prefix=prefix), is_async
    )
    saver = DoorStore(MemorystoreDocumentSaver(client, f"{prefix}saved:", "text"), is_async)
    loader = MemorystoreDocumentLoader(client, f"{prefix}saved:", {"text"})
    ids = ["1", "2", "3"]
    await store.add_texts(ids, ids=ids)
    await saver.add_documents([Document("x")])

    async def load() -> int:
        return len(await loader.aload() if is_async else loader.load())

    documents = [Document(each, id=each) for each in ids]
    calls: dict[tuple[str, ...], Callable[[], Awaitable[Any]]] = {
        ("HSET",): partial(store.add_texts, ids),
        ("HKEYS", "HSET", "PERSIST"): partial(store.add_texts, ids, ids=ids),
        ("HGETALL",): partial(store.get_by_ids, ids),
        ("HEXISTS", "UNLINK"): partial(store.delete, ids),
        ("EXISTS", "HSET"): partial(saver.add_documents, documents),
        (): partial(saver.delete, []),
    }
    for commands, call in calls.items():
        with proxy.counting() as count:
            await call()
        assert tuple(dict.fromkeys(count.commands)) == commands
        assert len(count.commands) == 3 * len(commands)
        assert count.round_trips == min(len(commands), 2), commands
    for number in range(10):  # keys of other types are not even asked for
        planted = client.set(f"{prefix}saved:string{number}", "x")
        assert await planted if is_async else planted
    with proxy.counting() as count:
        assert await load() == 4
    scans = count.commands.count("SCAN")
    # The key that is the prefix itself is asked for too.
    assert sorted(count.commands) == ["HGETALL"] * 5 + ["SCAN"] * scans
    await store.drop_index()


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_the_error_of_a_stalled_load_says_what_to_lower(
    is_async: bool, servers: Servers, proxy_before: ProxyBefore, prefix: str
) -> None:
    proxy = proxy_before(COUNTED[0])
    retry = AsyncRetry(NoBackoff(), 0) if is_async else Retry(NoBackoff(), 0)
    client = COUNTED[0].connect(proxy.port, asyncio=is_async, socket_timeout=1, retry=retry)
    made = MemorystoreVectorStore(client, "docs", EMBEDDING, key_prefix=prefix, batch_bytes=300)
    store = DoorStore(made, is_async)
    await store.create_index()
    ids = [str(number) for number in range(9)]
    passed = iter(range(100))
    proxy.inject(STALL, on=lambda command: command.name == "HSET" and next(passed) > 3)
    words = r"known to stall.*smaller batch_bytes than 300"
    with pytest.raises(DocumentsNotStoredError, match=words) as caught:
        await store.add_texts(ids, ids=ids)
    assert caught.value.stored == ids[: len(caught.value.stored)] != []
    assert caught.value.unknown
    assert {each.id for each in await store.get_by_ids(caught.value.stored)} == {
        *caught.value.stored
    }
    assert await store.add_texts(ids, ids=ids) == ids
    assert len(await store.similarity_search("1", k=20)) == 9
    await store.drop_index()
    await client.aclose() if is_async else client.close()


RULES = ["+@read", "+@write", "+@connection"]
MakesUser: TypeAlias = Callable[..., redis.Redis]
COMMANDS = ["+ft.create", "+ft.search", "+ft.info", "+ft._list", "+ft.dropindex"]


@pytest.fixture
def user(servers: Servers, prefix: str) -> Iterator[MakesUser]:
    """Makes a user with some rights on a server, and returns its client."""
    name = prefix.replace(":", "-")
    with contextlib.ExitStack() as stack:

        def make(rules: list[str], engine: str = "valkey-9.1-search") -> redis.Redis:
            port = servers.standalone(engine).port
            admin = stack.enter_context(redis.Redis(port=port, protocol=2))
            keys = f"~{prefix}*"
            admin.execute_command("ACL", "SETUSER", name, "reset", "on", ">pw", keys, *rules)
            stack.callback(admin.execute_command, "ACL", "DELUSER", name)
            return redis.Redis(port=port, username=name, password="pw")

        yield make


@pytest.mark.parametrize("engine", ["valkey-9.1-search", "redis-8.2-search"])
def test_a_user_with_the_rights_of_the_page_can_do_everything(
    engine: str, user: MakesUser, prefix: str
) -> None:
    with user([*RULES, *COMMANDS], engine) as client:
        options: dict[str, Any] = {"key_prefix": prefix, "fields": {"lang": "tag"}}
        store = MemorystoreVectorStore(client, "docs", EMBEDDING, **options)
        store.add_texts(["a", "b"], [{"lang": "en"}, {}], ids=["1", "2"], ttl=1000)
        store.add_texts(["a"], ids=["1"])
        assert len(store.similarity_search("a")) == len(store.get_by_ids(["1", "2"])) == 2
        assert store.index_info().documents == 2
        store.delete(["1"])
        store.delete(filter={})
        store.drop_index()
        RedisVectorStore.init_index(client, HNSWConfig(f"{prefix}old", vector_size=SIZE))
        old = RedisVectorStore(client, f"{prefix}old", EMBEDDING)
        assert old.delete(old.add_texts(["a"]))
        RedisVectorStore.drop_index(client, f"{prefix}old")


def test_a_user_without_search_is_told_so_and_needs_none_elsewhere(
    user: MakesUser, prefix: str
) -> None:
    with user(RULES) as client:
        store = MemorystoreVectorStore(client, "docs", EMBEDDING, key_prefix=prefix)
        old = RedisVectorStore(client, f"{prefix}old", EMBEDDING)
        for call in (
            lambda: store.add_texts(["a"]),
            lambda: store.similarity_search("a"),
            lambda: old.similarity_search("a"),
            lambda: RedisVectorStore.init_index(client, HNSWConfig(f"{prefix}old")),
        ):
            with pytest.raises(SearchUnavailableError, match=r"NOPERM|no permissions.*\+@search"):
                call()
        exact = MemorystoreVectorStore(client, "docs", EMBEDDING, key_prefix=prefix, exact=True)
        exact.add_texts(["a"], ids=["1"])
        assert [each.id for each in exact.similarity_search("a")] == ["1"]
        saver = MemorystoreDocumentSaver(client, f"{prefix}saved:", "text")
        saver.add_documents([Document("x", id="1")])
        loader = MemorystoreDocumentLoader(client, f"{prefix}saved:", {"text"})
        assert loader.load() == [Document("x", id="1")]
        saver.delete()
        exact.delete(["1"])
