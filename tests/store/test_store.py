"""Items of the long-term store: put, get, delete, search, batches."""

from __future__ import annotations

import copy
import enum
import math
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any

import pytest
from langgraph.store.base import GetOp, ListNamespacesOp, MatchCondition, PutOp, SearchOp

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    CorruptItemError,
    InvalidArgumentError,
    InvalidFilterError,
    InvalidItemError,
    MemorystoreError,
    NotPicklableError,
    SearchLimitError,
    WrongTypeError,
)
from langchain_google_memorystore_redis._store import searches
from tests.store.stores import DoorStore, StoreDoor, keys, keys_of

NS = ("users", "ada")


async def test_an_item_comes_back_until_it_is_deleted(store: DoorStore) -> None:
    assert await store.get(NS, "food") is None
    await store.put(NS, "food", {"likes": "pizza"})
    item = await store.get(NS, "food")
    assert (item.namespace, item.key, item.value) == (NS, "food", {"likes": "pizza"})
    assert item.created_at == item.updated_at
    assert abs((datetime.now(UTC) - item.updated_at).total_seconds()) < 60
    await store.delete(NS, "food")
    await store.delete(NS, "food")
    assert await store.get(NS, "food") is None
    assert await store.search(NS) == []


async def test_an_update_keeps_the_time_of_creation(store: DoorStore) -> None:
    await store.put(NS, "a", {"n": 1})
    first = await store.get(NS, "a")
    await store.put(NS, "a", {"n": 2})
    second = await store.get(NS, "a")
    assert second.value == {"n": 2}
    assert second.created_at == first.created_at
    assert second.updated_at > first.updated_at
    await store.delete(NS, "a")
    await store.put(NS, "a", {"n": 3})
    assert (await store.get(NS, "a")).created_at > second.updated_at


async def test_nobody_shares_a_value(store: DoorStore) -> None:
    value: dict[str, Any] = {"list": [1]}
    await store.put(NS, "a", value)
    value["list"].append(2)
    one, other = await store.get(NS, "a"), await store.get(NS, "a")
    one.value["list"].append(3)
    assert other.value == {"list": [1]}
    (found,) = await store.search(NS)
    assert found.value == {"list": [1]}


class Color(enum.StrEnum):
    RED = "red"


VALUES: list[dict[str, Any]] = [
    {},
    {"text": "päß 😀 \0 \x01 \u2028", "": "", "a.b": {"c.d": [[], {}, [None, True, False]]}},
    {"int": 0, "large": 2**53 + 1, "larger": -(2**63), "float": -0.1, "small": 5e-324},
    {"wide": [1e308, -1e-300, 1.0, 100000000000000000000.0], "color": Color.RED},
    OrderedDict(b=1, a=2),
]


async def test_values_come_back_equal(store: DoorStore) -> None:
    for value in VALUES:
        await store.put(NS, "a", value)
        found = (await store.get(NS, "a")).value
        assert found == value
        assert list(found) == list(value)
        types = [(type(each), type(value[name])) for name, each in found.items()]
        assert all(one in other.__mro__ for one, other in types)


CIRCULAR: dict[str, Any] = {}
CIRCULAR["self"] = CIRCULAR

REFUSED: list[tuple[Any, str, str]] = [
    ({"a": [1, {"when": datetime(2026, 1, 1)}]}, "value['a'][1]['when']", "isoformat"),
    ({"a": (1, 2)}, "value['a']", "use a list"),
    ({"a": {1: 2}}, "value['a'], key 1", "int"),
    ({"a": math.nan}, "value['a']", "nan"),
    ({"a": [math.inf]}, "value['a'][0]", "inf"),
    ({"a": "\ud800"}, "value['a']", "ud800"),
    ({"\ud800": 1}, "value, key '\\ud800'", "ud800"),
    ({"a": b"x"}, "value['a']", "bytes"),
    ({"a": {1}}, "value['a']", "use a list"),
    ({"a": object()}, "value['a']", "object"),
]


async def test_what_would_not_come_back_equal_is_refused_by_name(store: DoorStore) -> None:
    await store.put(NS, "a", {"old": 1})
    for value, field, advice in REFUSED:
        for ops in ([PutOp(NS, "a", value)], [PutOp(NS, "b", {"n": 1}), PutOp(NS, "a", value)]):
            with pytest.raises(InvalidItemError, match=advice) as caught:
                await store.batch(ops)
            assert caught.value.field == field
            assert "'users', 'ada'" in str(caught.value)
    assert (await store.get(NS, "a")).value == {"old": 1}
    assert await store.get(NS, "b") is None


async def test_a_value_that_contains_itself_is_refused(store: DoorStore) -> None:
    with pytest.raises(InvalidItemError, match="would not come back"):
        await store.put(NS, "a", CIRCULAR)


async def test_any_key_is_one(store: DoorStore) -> None:
    names = ["", " ", "a", "A", "a:b", "{a}", "}", "a.b", "päß", "\0", "\r\n", "x" * 1000]
    for place, name in enumerate(names):
        await store.put(NS, name, {"n": place})
    for place, name in enumerate(names):
        assert (await store.get(NS, name)).value == {"n": place}
    assert keys(await store.search(NS, limit=50)) == names[::-1]
    for name in names:
        await store.delete(NS, name)
    assert await store.list_namespaces() == []


async def test_the_newest_update_comes_first_and_pages_do_not_overlap(store: DoorStore) -> None:
    for number in range(25):
        await store.put(("n", f"{number % 3}"), f"{number}", {"n": number})
    await store.put(("n", "1"), "4", {"n": 4})
    order = [4, *(number for number in range(24, -1, -1) if number != 4)]
    assert [each.value["n"] for each in await store.search(("n",), limit=100)] == order
    pages = [await store.search(("n",), limit=4, offset=start) for start in range(0, 28, 4)]
    assert [each.value["n"] for page in pages for each in page] == order
    assert len(await store.search(("n",))) == 10
    assert await store.search(("n",), limit=0) == []
    assert await store.search(("n",), offset=100) == []
    odd = {"n": {"$gte": 11}}
    pages = [await store.search(("n",), limit=4, offset=at, filter=odd) for at in range(0, 16, 4)]
    assert [each.value["n"] for page in pages for each in page] == [n for n in order if n >= 11]


async def test_the_order_holds_whatever_the_clocks_of_writers_say(
    store: DoorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns()
    for number, moved in enumerate((0, -3600, -7200, 60, -10)):
        monkeypatch.setattr(time, "time_ns", lambda moved=moved: now + moved * 10**9)
        await store.put(NS, f"{number}", {})
    found = await store.search(NS)
    assert keys(found) == ["4", "3", "2", "1", "0"]
    times = [each.updated_at for each in found]
    assert times == sorted(set(times), reverse=True)


async def test_more_items_than_a_page_of_an_index_are_all_found(
    store: DoorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searches, "_PAGE", 7)
    for number in range(40):
        await store.put(("n", f"{number // 20}"), f"{number}", {"n": number})
    found = await store.search(("n",), limit=100)
    assert [each.value["n"] for each in found] == list(range(39, -1, -1))
    found = await store.search(("n",), filter={"n": {"$lt": 3}})
    assert [each.value["n"] for each in found] == [2, 1, 0]


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"n": 1}, ["int"]),
    ({"n": True}, ["bool"]),
    ({"n": None}, ["none"]),
    ({"n": {"$eq": 1}}, ["int"]),
    ({"n": {"$ne": 1}}, ["bool", "dot", "float", "list", "missing", "none", "text"]),
    ({"n": {"$gt": 1}}, ["float"]),
    ({"n": {"$gte": 1, "$lt": 2}}, ["float", "int"]),
    ({"n": {"$lte": 1}}, ["int"]),
    ({"n": {"$gt": "a"}}, ["text"]),
    ({"n": {"$in": [1, 1.5]}}, ["float", "int"]),
    ({"n": [1, 2]}, ["list"]),
    ({"$or": [{"n": 1}, {"n": "b"}]}, ["int", "text"]),
    ({"n": {"$not": {"$gt": 0}}}, ["bool", "dot", "list", "missing", "none", "text"]),
    ({"a.b": 1}, ["dot"]),
    ({"n": 1, "a.b": 1}, []),
]


async def test_filters_compare_numbers_with_numbers_and_texts_with_texts(store: DoorStore) -> None:
    stored: dict[str, Any] = {"int": 1, "float": 1.5, "bool": True, "none": None, "text": "b"}
    for key, value in {**stored, "list": [1, 2]}.items():
        await store.put(NS, key, {"n": value})
    await store.put(NS, "missing", {"m": 1, "a": {"b": 1}})
    await store.put(NS, "dot", {"a.b": 1})
    for condition, expected in FILTERS:
        assert sorted(keys(await store.search(NS, filter=condition))) == expected, condition


async def test_a_batch_behaves_as_one_operation_after_another(store: DoorStore) -> None:
    await store.put(NS, "old", {"n": 0})
    results = await store.batch(
        [
            GetOp(NS, "a"),
            PutOp(NS, "a", {"n": 1}),
            GetOp(NS, "a"),
            PutOp(NS, "a", {"n": 2}),
            PutOp(NS, "a", {"n": 3}),
            PutOp(("other",), "b", {"n": 4}),
            SearchOp(NS, None, 10, 0, None),
            ListNamespacesOp(None, None, 10, 0),
            GetOp(NS, "a"),
            PutOp(NS, "a", None),
            GetOp(NS, "a"),
            ListNamespacesOp((MatchCondition("prefix", ("oth*",)),), None, 10, 0),
            SearchOp(("other",), {"n": {"$gt": 3}}, 10, 0, None),
            PutOp(NS, "old", None),
            ListNamespacesOp(None, None, 10, 0),
        ]
    )
    values = [getattr(each, "value", each) for each in results]
    assert values[:6] == [None, None, {"n": 1}, None, None, None]
    assert keys(values[6]) == ["a", "old"]
    assert values[7:12] == [[("other",), NS], {"n": 3}, None, None, []]
    assert keys(values[12]) == ["b"]
    assert values[13:] == [None, [("other",)]]
    assert await store.batch([]) == []


async def test_a_batch_of_many_items_and_namespaces(store: DoorStore) -> None:
    puts = [PutOp(("n", f"{n % 30}"), f"{n}", {"n": n}) for n in range(1500)]
    assert await store.batch(puts) == [None] * 1500
    gets = await store.batch([GetOp(put.namespace, put.key) for put in puts])
    assert [each.value for each in gets] == [put.value for put in puts]
    assert len(await store.list_namespaces(limit=100)) == 30


REFUSED_OPS: list[tuple[Any, type[Exception], str]] = [
    (PutOp((), "a", {}), ValueError, "empty"),
    (PutOp(("langgraph",), "a", {}), ValueError, "langgraph"),
    *(
        (op, ValueError, "label")
        for bad in (("a.b",), ("a", ""), ("a\0",), ("\ud800",), (1,))
        for op in (
            PutOp(bad, "a", {}),  # type: ignore[arg-type]
            GetOp(bad, "a"),  # type: ignore[arg-type]
            SearchOp(bad),  # type: ignore[arg-type]
            ListNamespacesOp((MatchCondition("prefix", bad),)),  # type: ignore[arg-type]
        )
    ),
    (PutOp("users", "a", {}), ValueError, "tuple"),  # type: ignore[arg-type]
    (PutOp(NS, 1, {}), ArgumentTypeError, "key"),  # type: ignore[arg-type]
    (GetOp(NS, "\ud800"), InvalidArgumentError, "key"),
    (PutOp(NS, "a", [1]), ArgumentTypeError, "value"),  # type: ignore[arg-type]
    (PutOp(NS, "a", {}, index=True), ArgumentTypeError, "index"),  # type: ignore[arg-type]
    (PutOp(NS, "a", {}, index="text"), ArgumentTypeError, "index"),  # type: ignore[arg-type]
    *(
        (PutOp(NS, "a", {}, ttl=ttl), InvalidArgumentError, "ttl")
        for ttl in (0, -1, math.nan, 1e-6)
    ),
    (PutOp(NS, "a", {}, ttl="1"), ArgumentTypeError, "ttl"),  # type: ignore[arg-type]
    (SearchOp(NS, limit=-1), InvalidArgumentError, "limit"),
    (SearchOp(NS, offset=-1), InvalidArgumentError, "offset"),
    (SearchOp(NS, {"a": {"$like": 1}}), InvalidFilterError, "like"),
    (ListNamespacesOp(max_depth=0), InvalidArgumentError, "max_depth"),
    (ListNamespacesOp((MatchCondition("middle", ("a",)),)), InvalidArgumentError, "match_type"),  # type: ignore[arg-type]
    ("put", ArgumentTypeError, "ops"),
]


async def test_a_batch_refuses_what_put_refuses_before_it_changes_anything(
    store: DoorStore,
) -> None:
    for op, kind, words in REFUSED_OPS:
        with pytest.raises(kind, match=words):
            await store.batch([PutOp(NS, "first", {"n": 1}), op])
    assert await store.get(NS, "first") is None


async def test_a_filter_that_examines_too_much_raises(door: StoreDoor) -> None:
    store = door.open(max_scored=300)
    await store.batch([PutOp(NS, f"{n}", {"n": n}) for n in range(700)])
    assert len(await store.search(NS, limit=700)) == 700
    assert keys(await store.search(NS, filter={"n": {"$gt": 600}}, limit=2)) == ["699", "698"]
    with pytest.raises(SearchLimitError, match="narrower namespace") as caught:
        await store.search(NS, filter={"n": {"$lt": 3}})
    assert caught.value.limit == 300


async def test_a_key_of_another_type_is_left_alone(store: DoorStore, raw: Any, prefix: str) -> None:
    index, item, vectors = keys_of(prefix, NS, "a")
    for key in (index, item, vectors):
        raw.rpush(key, "theirs")
        for op in (PutOp(NS, "a", {"n": 1}, ttl=5), PutOp(NS, "a", None)):
            with pytest.raises(WrongTypeError):
                await store.batch([op])
        assert raw.lrange(key, 0, -1) == [b"theirs"]
        assert raw.delete(key) == 1
        assert not raw.exists(index)
        assert not raw.exists(item)


@pytest.mark.parametrize("record", [b"", b"x", b"1" * 80, b"1" * 80 + b"[1]", b"1" * 80 + b"{"])
async def test_a_planted_record_raises_an_error_that_names_the_item(
    store: DoorStore, raw: Any, prefix: str, record: bytes
) -> None:
    await store.put(NS, "a", {"n": 1})
    raw.set(keys_of(prefix, NS, "a")[1], record)
    for op in (GetOp(NS, "a"), GetOp(NS, "a", refresh_ttl=False), SearchOp(NS)):
        with pytest.raises(CorruptItemError, match="'a'"):
            await store.batch([op])
    await store.put(NS, "a", {"n": 2})
    assert (await store.get(NS, "a")).value == {"n": 2}


async def test_an_entry_without_an_item_is_skipped_and_removed(
    store: DoorStore, raw: Any, prefix: str
) -> None:
    for number in range(5):
        await store.put(NS, f"{number}", {"n": number})
    raw.delete(keys_of(prefix, NS, "3")[1])
    assert keys(await store.search(NS, limit=2)) == ["4", "2"]
    assert raw.zcard(keys_of(prefix, NS, "3")[0]) == 4


async def test_settings_are_checked_before_anything_is_sent(door: StoreDoor) -> None:
    for options in (
        {"ttl": 5},
        {"ttl": {"default_ttl": 0}},
        {"ttl": {"refresh_on_read": "no"}},
        {"key_prefix": "a{}"},
        {"key_prefix": 1},
        {"max_scored": 0},
        {"index": 1},
        {"index": {"dims": 3}},
        {"index": {"embed": len, "dims": 0}},
        {"index": {"embed": len, "dims": 3, "fields": "text"}},
    ):
        with pytest.raises(MemorystoreError):
            door.open(**options)


async def test_what_other_stores_need_does_nothing(store: DoorStore) -> None:
    inner = store.store
    inner.setup()
    await inner.setup()
    inner.start_ttl_sweeper()
    await inner.start_ttl_sweeper(5)
    assert inner.sweep_ttl() == 0
    assert await inner.sweep_ttl() == 0
    assert inner.stop_ttl_sweeper()
    with pytest.raises(NotPicklableError):
        inner.__reduce_ex__(5)
    await DoorStore(copy.deepcopy(inner), store.by_async).put(NS, "a", {"n": 1})
    assert await store.get(NS, "a") is not None
