"""Time to live of items, in minutes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langgraph.store.base import GetOp, PutOp

from tests.servers.processes import wait_until
from tests.store.stores import DoorStore, StoreDoor, keys, keys_of

NS = ("users", "ada")
MINUTE = 60_000


def is_about(ttl_ms: int, minutes: float) -> bool:
    return minutes * MINUTE * 0.9 < ttl_ms <= minutes * MINUTE


async def test_an_item_lives_as_long_as_its_last_put_says(
    door: StoreDoor, raw: Any, prefix: str
) -> None:
    store = door.open(ttl={"default_ttl": 10})
    _, item, _ = keys_of(prefix, NS, "a")
    await store.put(NS, "a", {})
    assert is_about(raw.pttl(item), 10)
    await store.put(NS, "a", {}, ttl=2.5)
    assert is_about(raw.pttl(item), 2.5)
    await store.put(NS, "a", {}, ttl=None)
    assert raw.pttl(item) == -1
    await store.put(NS, "a", {})
    assert is_about(raw.pttl(item), 10)
    await store.batch([PutOp(NS, "a", {}), PutOp(NS, "b", {}, ttl=1.5)])
    assert raw.pttl(item) == -1
    assert is_about(raw.pttl(item[:-1] + "b"), 1.5)


async def test_what_has_expired_is_nowhere(store: DoorStore, raw: Any, prefix: str) -> None:
    index, item, _ = keys_of(prefix, NS, "brief")
    await store.put(("other",), "a", {})
    for number in range(3):
        await store.put(NS, f"{number}", {"n": number}, ttl=5)
    await store.put(NS, "brief", {"n": 9}, ttl=1 / MINUTE)
    await asyncio.to_thread(wait_until, lambda: not raw.exists(item), "the item to expire")
    assert await store.get(NS, "brief") is None
    assert keys(await store.search(NS, limit=2)) == ["2", "1"]
    assert raw.zcard(index) == 6
    for number in range(3):
        await store.put(NS, f"{number}", {}, ttl=1 / MINUTE)
    _, item, _ = keys_of(prefix, NS, "2")
    await asyncio.to_thread(wait_until, lambda: not raw.exists(item), "the items to expire")
    assert await store.list_namespaces() == [("other",)]
    assert await store.search(NS) == []
    assert not raw.exists(index)


async def test_puts_and_listings_remove_the_entries_of_what_has_expired(
    store: DoorStore, raw: Any, prefix: str
) -> None:
    index, _, _ = keys_of(prefix, NS, "a")
    for number in range(15):
        await store.put(NS, f"{number}", {}, ttl=5)
    entries = raw.zrangebyscore(index, "-inf", "(0")
    raw.zadd(index, dict.fromkeys(entries, -1))
    for number in range(15):
        raw.delete(keys_of(prefix, NS, f"{number}")[1])
    await store.put(NS, "b", {}, ttl=5)
    assert raw.zcount(index, 0, "inf") == 6
    assert await store.list_namespaces() == [NS]
    assert raw.zrange(index, 0, -1) == [b"eb", b"ub"]


async def test_reading_refreshes_what_it_returns_unless_told_otherwise(
    door: StoreDoor, raw: Any, prefix: str
) -> None:
    by_default, never = door.open(), door.open(ttl={"refresh_on_read": False})

    async def is_refreshed(store: DoorStore, how: str, **options: Any) -> bool:
        await store.put(NS, "a", {"n": 1}, ttl=10)
        await store.put(NS, "b", {"n": 2}, ttl=10)
        index, item, _ = keys_of(prefix, NS, "a")
        raw.pexpire(item, MINUTE)
        raw.zadd(index, {"ea": -1})
        if how == "get":
            assert (await store.get(NS, "a", **options)).value == {"n": 1}
        else:
            assert keys(await store.search(NS, filter={"n": 1}, **options)) == ["a"]
        refreshed = is_about(raw.pttl(item), 10)
        assert refreshed == (raw.zscore(index, "ea") < -1)
        return refreshed

    for how in ("get", "search"):
        assert await is_refreshed(by_default, how)
        assert not await is_refreshed(by_default, how, refresh_ttl=False)
        assert not await is_refreshed(never, how)
        assert await is_refreshed(never, how, refresh_ttl=True)
        assert not await is_refreshed(never, how, refresh_ttl=False)
    results = await by_default.batch([GetOp(NS, "b", refresh_ttl=False)])
    assert results[0].value == {"n": 2}


async def test_an_item_without_a_time_to_live_gets_none_by_reading(
    store: DoorStore, raw: Any, prefix: str
) -> None:
    await store.put(NS, "a", {})
    await store.get(NS, "a")
    await store.search(NS)
    index, item, _ = keys_of(prefix, NS, "a")
    assert raw.pttl(item) == -1
    assert raw.zrange(index, 0, -1) == [b"ua"]


async def test_what_was_refreshed_is_listed_again(store: DoorStore, raw: Any, prefix: str) -> None:
    await store.put(NS, "a", {}, ttl=10)
    raw.delete(keys_of(prefix, NS, "a")[0])  # as a full server may
    assert await store.search(NS) == []
    assert await store.get(NS, "a") is not None
    assert keys(await store.search(NS)) == ["a"]
    assert await store.list_namespaces() == [NS]


@pytest.mark.parametrize("minutes", [1e-6, 0, -1])
async def test_less_than_a_millisecond_is_refused(store: DoorStore, minutes: float) -> None:
    with pytest.raises(ValueError, match="ttl"):
        await store.put(NS, "a", {}, ttl=minutes)
