"""Indexes: created once, compared, described, dropped; and servers that have none."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

from langchain_google_memorystore_redis import (
    IndexMismatchError,
    IndexMissingError,
    InvalidArgumentError,
    InvalidVectorError,
    MemorystoreVectorStore,
    SearchLimitError,
    SearchUnavailableError,
)
from tests.documents.stores import EXACT_TARGETS, SIZE, StoreDoor
from tests.plugins.clients import Target


async def test_an_index_is_created_once_and_described(search_door: StoreDoor) -> None:
    store = search_door.open(fields={"lang": "tag", "the year": "numeric"})
    with pytest.raises(IndexMissingError, match="create_index"):
        await store.index_info()
    for _ in range(2):
        await store.create_index(m=32, ef_construction=100, ef_runtime=20, initial_cap=100)
    await store.add_texts(["a", "b"])
    info = await store.index_info()
    assert (info.documents, info.indexed, info.ready, info.failures) == (2, 1.0, True, 0)
    assert (info.dimensions, info.distance, info.algorithm) == (SIZE, "COSINE", "HNSW")
    assert info.fields == {"lang": "tag", "the year": "numeric"}
    await store.drop_index()
    await store.drop_index()
    again = search_door.open(fields={"lang": "tag", "the year": "numeric"})
    with pytest.raises(IndexMissingError, match="create_index"):
        await again.similarity_search("a")
    await again.create_index()
    assert len(await again.similarity_search("a")) == 2


async def test_an_index_that_is_not_as_asked_for_is_an_error(search_door: StoreDoor) -> None:
    await search_door.open().create_index()
    different: tuple[dict[str, Any], ...] = ({"distance": "L2"}, {"algorithm": "FLAT"})
    for options in different:
        with pytest.raises(IndexMismatchError, match=f"not '{next(iter(options.values()))}'"):
            await search_door.open(**options).similarity_search("a")
    with pytest.raises(InvalidVectorError, match=f"has 3 numbers, where the index has {SIZE}"):
        await search_door.open(embedding=DeterministicFakeEmbedding(size=3)).add_texts(["a"])


async def test_new_filters_get_a_second_index_over_existing_documents(
    search_door: StoreDoor,
) -> None:
    plain = search_door.open()
    await plain.add_texts(["a", "b"], [{"lang": "en"}, {"lang": "fr"}], ids=["1", "2"])
    filtered = search_door.open(fields={"lang": "tag"})
    await filtered.create_index()
    found = await filtered.similarity_search("a", filter={"lang": "fr"})
    assert [each.id for each in found] == ["2"]
    assert {each.id for each in await plain.similarity_search("a")} == {"1", "2"}


@pytest.mark.parametrize(
    ("parameters", "named"),
    [({"m": 513}, "m"), ({"ef_construction": 0}, "ef_construction"), ({"k": 1}, "k")],
)
async def test_parameters_beyond_the_limits_are_refused(
    search_door: StoreDoor, parameters: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=named):
        await search_door.open().create_index(**parameters)


@pytest.mark.parametrize("target", EXACT_TARGETS, ids=str)
def test_a_server_without_search_is_an_error_that_names_those_with_it(
    target: Target, blocking_clients: dict[Target, Any], prefix: str
) -> None:
    embedding = DeterministicFakeEmbedding(size=SIZE)
    client = blocking_clients[target]
    store = MemorystoreVectorStore(client, "docs", embedding, key_prefix=prefix)
    for call in (
        lambda: store.add_texts(["a"]),
        lambda: store.similarity_search("a"),
        store.create_index,
        store.index_info,
    ):
        with pytest.raises(SearchUnavailableError, match=r"Redis 7\.2.*exact=True"):
            call()
    exact = MemorystoreVectorStore(
        client, "docs", embedding, key_prefix=prefix, exact=True, max_scored=2
    )
    assert exact.similarity_search("a") == []
    exact.add_texts(["a", "b", "c"])
    with pytest.raises(SearchLimitError, match="2 documents"):
        exact.similarity_search("a")
