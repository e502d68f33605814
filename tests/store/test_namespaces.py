"""Namespaces: apart from each other, and listed as long as they hold an item."""

from __future__ import annotations

import itertools
import multiprocessing
from multiprocessing.synchronize import Event
from typing import Any

import pytest
import redis

from langchain_google_memorystore_redis import MemorystoreStore, SearchLimitError
from langchain_google_memorystore_redis._store import namespaces, operations, searches
from tests.plugins.clients import Target
from tests.plugins.servers import Servers
from tests.store.stores import DoorStore, StoreDoor, keys, keys_of, lists_of

ALIKE = [
    "a",
    "A",
    "ab",
    "a-b",
    "a_b",
    "a:b",
    "a b",
    "{a}",
    "a}",
    "a*",
    "*",
    "a%",
    "%61",
    "ä",
    "a\x01",
]


async def test_no_namespace_reaches_another(store: DoorStore) -> None:
    spaces = [*((label,) for label in ALIKE), *(("x", label) for label in ALIKE)]
    for space in spaces:
        await store.put(space, "key", {"of": list(space)})
    for space in spaces:
        assert (await store.get(space, "key")).value == {"of": list(space)}
        assert [each.namespace for each in await store.search(space)] == [space]
        assert await store.list_namespaces(prefix=space) == (
            [space] if "*" not in space else await store.list_namespaces(prefix=space)
        )
    assert await store.list_namespaces() == sorted(spaces)
    assert len(await store.search(("x",), limit=100)) == len(ALIKE)
    for space in spaces[::2]:
        await store.delete(space, "key")
    assert await store.list_namespaces() == sorted(spaces[1::2])


async def test_prefix_suffix_wildcards_depth_and_pages_of_a_listing(store: DoorStore) -> None:
    spaces = sorted(
        [
            ("a", "b", "c"),
            ("a", "b", "d", "e"),
            ("a", "b", "d", "i"),
            ("a", "b", "f"),
            ("a", "c", "f"),
            ("b",),
            ("users", "1", "settings"),
            ("users", "2", "settings"),
            ("users", "2", "notes"),
        ]
    )
    for space in spaces:
        await store.put(space, "key", {})
    listed = store.list_namespaces
    assert await listed() == spaces
    assert await listed(prefix=("a", "b")) == spaces[:4]
    assert await listed(prefix=("a", "*", "f")) == [("a", "b", "f"), ("a", "c", "f")]
    assert await listed(prefix=("*", "b")) == spaces[:4]
    assert await listed(suffix=("f",)) == [("a", "b", "f"), ("a", "c", "f")]
    assert await listed(suffix=("d", "*")) == [("a", "b", "d", "e"), ("a", "b", "d", "i")]
    assert await listed(prefix=("users",), suffix=("settings",)) == [
        ("users", "1", "settings"),
        ("users", "2", "settings"),
    ]
    assert await listed(prefix=("a", "b"), max_depth=3) == [
        ("a", "b", "c"),
        ("a", "b", "d"),
        ("a", "b", "f"),
    ]
    assert await listed(max_depth=1) == [("a",), ("b",), ("users",)]
    assert await listed(max_depth=1, offset=1, limit=1) == [("b",)]
    assert await listed(prefix=("missing",)) == []
    assert await listed(limit=0) == []
    pages = [await listed(limit=2, offset=start) for start in range(0, 12, 2)]
    assert [each for page in pages for each in page] == spaces


async def test_a_listing_of_many_goes_on_over_pages(
    store: DoorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces, "_PAGE", 4)
    spaces = sorted((f"{n % 3}", f"{n}", "x") for n in range(30))
    for space in spaces:
        await store.put(space, "key", {})
    for space in spaces[5:15]:
        await store.delete(space, "key")
    left = spaces[:5] + spaces[15:]
    assert await store.list_namespaces() == left
    assert await store.list_namespaces(limit=7, offset=6) == left[6:13]
    assert await store.list_namespaces(suffix=("x",)) == left
    assert await store.list_namespaces(max_depth=1) == [("0",), ("1",), ("2",)]
    assert await store.list_namespaces(max_depth=2) == [each[:2] for each in left]


async def test_an_empty_namespace_is_hidden_and_forgotten_when_nothing_was_written_for_long(
    store: DoorStore, raw: Any, prefix: str
) -> None:
    names, writes = lists_of(prefix)
    for space in ("a", "b", "c"):
        await store.put((space,), "key", {})
    await store.delete(("a",), "key")
    await store.delete(("b",), "key")
    for listed in (await store.list_namespaces(), [e.namespace for e in await store.search(())]):
        assert listed == [("c",)]
    assert raw.zrange(names, 0, -1) == [b"a\0", b"b\0", b"c\0"]
    for name in (b"a\0", b"c\0"):
        raw.hset(writes, name, int(raw.hget(writes, name)) - namespaces._GRACE_US - 1)
    assert await store.list_namespaces() == [("c",)]
    assert raw.zrange(names, 0, -1) == [b"b\0", b"c\0"]
    assert sorted(raw.hkeys(writes)) == [b"b\0", b"c\0"]
    raw.hset(writes, b"b\0", 1)
    assert await store.list_namespaces(prefix=("b",)) == []
    assert raw.zrange(names, 0, -1) == [b"c\0"]


async def test_an_entry_that_was_written_since_it_was_listed_stays(
    door: StoreDoor, raw: Any, prefix: str
) -> None:
    store = door.open()
    await store.put(("a",), "key", {})
    await store.delete(("a",), "key")
    names, writes = lists_of(prefix)
    raw.hset(writes, b"a\0", 1)
    work = store.store._ops._namespaces
    await store.put(("a",), "key", {})
    forget = work.forget([b"a\0", b"1"])
    if door.by_async:
        await store.store._async.run(forget)
    else:
        store.store._sync.run(forget)
    assert await store.list_namespaces() == [("a",)]
    assert raw.zcard(names) == 1


async def test_a_put_that_took_long_enters_its_namespace_again(
    store: DoorStore, raw: Any, prefix: str, monkeypatch: pytest.MonkeyPatch, target: Target
) -> None:
    if not target.cluster:
        return  # a single server writes both at once
    monkeypatch.setattr(operations, "PUT_SECONDS", -1)
    sent: list[int] = []
    enter = namespaces.Namespaces.enter

    def record(self: Any, spaces: Any) -> Any:
        sent.append(raw.exists(keys_of(prefix, ("a",), "key")[1]))
        return enter(self, spaces)

    monkeypatch.setattr(namespaces.Namespaces, "enter", record)
    await store.put(("a",), "key", {})
    assert sent == [0, 1]


async def test_a_search_goes_through_so_many_namespaces_and_no_more(
    store: DoorStore, monkeypatch: pytest.MonkeyPatch, raw: Any, prefix: str
) -> None:
    monkeypatch.setattr(searches, "MAX_NAMESPACES", 5)
    for number in range(6):
        await store.put(("n", f"{number}"), "key", {})
    with pytest.raises(SearchLimitError, match="narrower namespace"):
        await store.search(("n",))
    await store.delete(("n", "2"), "key")
    assert len(await store.search(("n",))) == 5
    assert await store.search(("n", "4")) != []


ROUNDS = 150


def _store(url: str, cluster: bool, prefix: str) -> MemorystoreStore:
    """A store whose reader forgets soon: at once where the server writes all in one script."""
    namespaces._GRACE_US = 500_000 if cluster else -1
    operations.PUT_SECONDS = 0.25  # type: ignore[attr-defined]
    client: Any = (redis.RedisCluster if cluster else redis.Redis).from_url(url)
    return MemorystoreStore(client, key_prefix=prefix)


def _write(url: str, cluster: bool, prefix: str, number: int, stop: Event) -> None:
    """Put into namespaces and empty them again, and check each that is full."""
    store = _store(url, cluster, prefix)
    for each in range(ROUNDS):
        space = ("n", f"{each % 40}", f"{number % 2}")
        key = f"key {number}"
        store.put(space, "brief", {}, ttl=1 / 60_000 if each % 3 == 0 else None)
        store.put(space, key, {})
        assert space in store.list_namespaces(prefix=space), (space, each)
        assert key in keys(store.search(space))
        store.delete(space, key)
        store.delete(space, "brief")


def _list(url: str, cluster: bool, prefix: str, number: int, stop: Event) -> None:
    """List and search, and so forget what is empty."""
    store = _store(url, cluster, prefix)
    while not stop.is_set():
        store.list_namespaces()
        store.search(("n",))


@pytest.mark.slow
@pytest.mark.parametrize("cluster", [False, True], ids=["one server", "cluster"])
def test_a_namespace_that_holds_an_item_is_listed_whatever_other_processes_do(
    servers: Servers, prefix: str, cluster: bool
) -> None:
    target = Target("valkey-9.1", cluster=cluster)
    url = f"redis://127.0.0.1:{target.port(servers)}"
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    processes = [
        context.Process(target=work, args=(url, cluster, prefix, number, stop))
        for number, work in enumerate([_write, _write, _write, _list])
    ]
    for each in processes:
        each.start()
    seen = [0]
    with target.connect(target.port(servers)) as client:
        while any(each.is_alive() for each in processes[:3]) and processes[3].is_alive():
            processes[0].join(0.02)
            seen.append(client.zcard(lists_of(prefix)[0]))
    stop.set()
    for each in processes:
        each.join(60)
    assert [each.exitcode for each in processes] == [0] * len(processes)
    assert any(after < before for before, after in itertools.pairwise(seen)), "nothing forgotten"
