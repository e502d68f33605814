"""Filters: asked of a server, evaluated here, and by a plain Python list, with the same answer."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from langchain_google_memorystore_redis import (
    InvalidDocumentError,
    InvalidFilterError,
    MemorystoreVectorStore,
    SearchLimitError,
)
from tests.documents.stores import SEARCH_TARGETS, StoreDoor, Vectors
from tests.filters.strategies import FIELDS, documents, filters
from tests.plugins.clients import Target
from tests.plugins.servers import Servers


def by_python(filter_: Any, values: dict[str, Any]) -> bool:  # noqa: C901
    """The meaning of a filter, in other words than the package's."""
    absent = object()

    def same(one: Any, other: Any) -> bool:
        return isinstance(one, bool) == isinstance(other, bool) and one == other

    def ordered(one: Any, other: Any) -> bool:
        kinds = ((int, float), str)
        return any(isinstance(one, k) and isinstance(other, k) for k in kinds) and not any(
            isinstance(each, bool) for each in (one, other)
        )

    def one(value: Any, name: str, operand: Any) -> Any:
        if name == "$eq":
            return same(value, operand)
        if name == "$ne":
            return not same(value, operand)
        if name == "$in":
            return any(same(value, each) for each in operand)
        if name == "$nin":
            return not any(same(value, each) for each in operand)
        if not ordered(value, operand):
            return False
        return {
            "$gt": value > operand,
            "$gte": value >= operand,
            "$lt": value < operand,
            "$lte": value <= operand,
        }[name]

    for name, value in filter_.items():
        if name == "$and":
            holds = all(by_python(each, values) for each in value)
        elif name == "$or":
            holds = any(by_python(each, values) for each in value)
        elif name == "$not":
            holds = not by_python(value, values)
        else:
            tests = value if isinstance(value, dict) else {"$eq": value}
            holds = all(one(values.get(name, absent), n, o) for n, o in tests.items())
        if not holds:
            return False
    return True


@pytest.mark.parametrize("target", SEARCH_TARGETS[:4], ids=str)
def test_server_predicate_and_python_agree_on_hostile_values(
    target: Target, servers: Servers, blocking_clients: dict[Target, Any]
) -> None:
    client = blocking_clients[target]
    store = MemorystoreVectorStore(
        client, f"filters-{uuid.uuid4().hex}", Vectors(), fields=FIELDS, algorithm="FLAT"
    )
    store.add_texts(["1 0"])  # creates the index

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(documents, min_size=1, max_size=8), st.lists(filters(), min_size=1, max_size=4))
    def agree(metadatas: list[dict[str, Any]], asked: list[Any]) -> None:
        store.delete(filter={})
        ids = list(map(str, range(len(metadatas))))
        store.add_texts(["1 0"] * len(ids), metadatas, ids=ids)
        for filter_ in asked:
            expected = {i for i, m in zip(ids, metadatas, strict=True) if by_python(filter_, m)}
            found = store.similarity_search("1 0", 20, filter_)
            assert {each.id for each in found} == expected
            # With k as small as can be, the recheck must ask again.
            assert len(store.similarity_search("1 0", 1, filter_)) == min(1, len(expected))

    try:
        agree()
    finally:
        store.delete(filter={})
        store.drop_index()


async def test_a_recheck_never_shortens_the_answer(door: StoreDoor) -> None:
    store = door.open(embedding=Vectors(), fields={"lang": "tag"}, max_scored=150)
    near = [f"1 0.{i:03}" for i in range(100)]
    await store.add_texts(near, [{"lang": "en"}] * 100)
    await store.add_texts(["0 1", "0.1 1"], [{"lang": "fr"}, {}], ids=["fr", "none"])
    for filter_, expected in (
        ({"lang": "fr"}, ["fr"]),
        ({"lang": {"$ne": "en"}}, ["none", "fr"]),
        ({"lang": {"$nin": ["en"]}}, ["none", "fr"]),
        ({"$not": {"lang": "en"}}, ["none", "fr"]),
        ({"lang": {"$gt": "en"}}, ["fr"]),
        ({"lang": {"$in": []}}, []),
        ({"lang": {"$in": ["fr", ""]}}, ["fr"]),
    ):
        for k in (1, 2, 3):
            found = await store.similarity_search("1 0", k, filter=filter_)
            assert [each.id for each in found] == expected[:k], filter_


async def test_a_search_that_could_miss_matches_raises(door: StoreDoor) -> None:
    store = door.open(embedding=Vectors(), fields={"lang": "tag"}, max_scored=30)
    await store.add_texts([f"1 0.{i:03}" for i in range(100)], [{"lang": "en"}] * 100)
    with pytest.raises(SearchLimitError, match="max_scored"):
        await store.similarity_search("1 0", 2, filter={"lang": {"$ne": "en"}})


async def test_what_a_filter_cannot_mean_is_an_error_that_names_it(search_door: StoreDoor) -> None:
    store = search_door.open(embedding=Vectors(), fields={"lang": "tag", "year": "numeric"})
    await store.add_texts(["1 0"], [{"other": 1}])
    for filter_, named in (
        ({"other": 1}, "'other'"),
        ({"lang": {"$regex": "x"}}, r"\$regex"),
        ({"$xor": []}, r"\$xor"),
        ({"lang": ["en"]}, "'lang'"),
        ("lang == 'en'", "must be a dict"),
    ):
        with pytest.raises(InvalidFilterError, match=named):
            await store.similarity_search("1 0", filter=filter_)
        with pytest.raises(InvalidFilterError, match=named):
            await store.delete(filter=filter_)


@pytest.mark.parametrize(
    ("name", "value"),
    [("year", value) for value in (float("nan"), float("inf"), "2020", True, None, [1], 10**400)]
    + [("lang", value) for value in ([], ["en"], {"a": 1})],
)
def test_a_value_that_a_server_cannot_index_is_refused_by_name(
    name: str, value: Any, blocking_clients: dict[Target, Any], prefix: str
) -> None:
    client = blocking_clients[SEARCH_TARGETS[0]]
    fields = {"lang": "tag", "year": "numeric"}
    store = MemorystoreVectorStore(client, "docs", Vectors(), fields=fields, key_prefix=prefix)
    with pytest.raises(InvalidDocumentError, match=rf"documents\[1\], metadata\['{name}'\]"):
        store.add_texts(["1 0", "1 0"], [{}, {name: value}])
    assert store.similarity_search("1 0") == []
