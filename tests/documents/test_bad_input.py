"""Bad input: each its own error, before anything is sent where that can be known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document

from langchain_google_memorystore_redis import (
    DocumentsNotStoredError,
    InvalidArgumentError,
    InvalidDocumentError,
    InvalidVectorError,
    MemorystoreVectorStore,
)
from tests.documents.stores import EXACT_TARGETS, StoreDoor, Vectors
from tests.plugins.clients import Target


@pytest.fixture
def target() -> Target:
    """One server: what is refused here depends on none."""
    return EXACT_TARGETS[0]


@pytest.mark.parametrize(
    ("texts", "options", "error", "named"),
    [
        ("text", {}, InvalidArgumentError, "texts"),
        (["1", ""], {}, InvalidDocumentError, r"documents\[1\], page_content: is empty"),
        (["1", None], {}, InvalidDocumentError, r"documents\[1\], page_content"),
        (["\ud800"], {}, InvalidDocumentError, "surrogate"),
        (["1", "2"], {"ids": ["a", "a"]}, InvalidArgumentError, "'a' is given twice"),
        (["1", "2"], {"ids": ["a"]}, InvalidArgumentError, "1 items for 2 texts"),
        (["1"], {"ids": [""]}, InvalidArgumentError, "ids"),
        (["1"], {"ids": [7]}, InvalidArgumentError, "ids"),
        (["1", "2"], {"metadatas": [{}]}, InvalidArgumentError, "metadatas"),
        (["1"], {"metadatas": [{"page_content": 1}]}, InvalidDocumentError, "page_content"),
        (["1"], {"metadatas": [{"vector": 1}]}, InvalidDocumentError, "vector"),
        (["1"], {"metadatas": [{1: 1}]}, InvalidDocumentError, "must be a str"),
        (["1"], {"metadatas": [{"a": (1,)}]}, InvalidDocumentError, r"metadata\['a'\].*tuple"),
        (["1"], {"metadatas": [{"a": {1: 2}}]}, InvalidDocumentError, r"metadata\['a'\]"),
        (["1"], {"ttl": 0}, InvalidArgumentError, "ttl"),
        (["1"], {"batch_size": 0}, InvalidArgumentError, "batch_size"),
        (["1"], {"colour": 1}, InvalidArgumentError, "colour"),
        (["1 nan"], {}, InvalidVectorError, "NaN"),
        (["1 1e39"], {}, InvalidVectorError, "float32"),
        (["0 0"], {}, InvalidVectorError, "zero"),
        (["1 2", "1"], {}, InvalidVectorError, "has 1 numbers, where the index has 2"),
    ],
    ids=str,
)
async def test_bad_documents_are_refused_and_nothing_is_stored(
    door: StoreDoor, texts: Any, options: dict[str, Any], error: type[Exception], named: str
) -> None:
    store = door.open(embedding=Vectors())
    with pytest.raises(error, match=named):
        await store.add_texts(texts, **options)
    assert await store.similarity_search("1 2") == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"fields": {"lang": "text"}}, "lang"),
        ({"fields": {"vector": "tag"}}, "vector"),
        ({"fields": {str(i): "tag" for i in range(10)}}, "at most 9"),
        ({"distance": "cosine"}, "distance"),
        ({"algorithm": "SVS"}, "algorithm"),
        ({"separator": "a"}, "separator"),
        ({"index_name": ""}, "index_name"),
        ({"key_prefix": "{a}"}, "hash tag"),
        ({"ttl": -1}, "ttl"),
        ({"max_scored": 0}, "max_scored"),
        ({"exact": 1}, "exact"),
        ({"embedding": len}, "embedding"),
    ],
    ids=str,
)
def test_bad_settings_are_refused_by_name(client: Any, options: dict[str, Any], named: str) -> None:
    settings = {"index_name": "docs", "embedding": Vectors(), **options}
    with pytest.raises(InvalidArgumentError, match=named):
        MemorystoreVectorStore(client, **settings)


async def test_bad_searches_are_refused_by_name(door: StoreDoor) -> None:
    store = door.open(embedding=Vectors())
    for k in (0, -1, 1.5, True, "4"):
        with pytest.raises(InvalidArgumentError, match="k"):
            await store.similarity_search("1 0", k)
    with pytest.raises(InvalidArgumentError, match="query"):
        await store.similarity_search(["1 0"])
    with pytest.raises(InvalidVectorError):
        await store.similarity_search_by_vector("1 0")
    with pytest.raises(InvalidArgumentError, match="ef_runtime"):
        await store.similarity_search("1 0", ef_runtime=5)
    for arguments in ({}, {"ids": ["1"], "filter": {}}):
        with pytest.raises(InvalidArgumentError, match="ids or filter"):
            await store.delete(**arguments)
    with pytest.raises(InvalidArgumentError, match="ids"):
        await store.get_by_ids("abc")


async def test_a_load_that_fails_on_the_way_names_what_is_stored(door: StoreDoor) -> None:
    store = door.open(embedding=Vectors())
    with pytest.raises(DocumentsNotStoredError, match="2 documents are stored") as caught:
        await store.add_texts(["1 0", "0 1", "bad"], ids=["1", "2", "3"], batch_size=2)
    assert (caught.value.stored, caught.value.unknown) == (["1", "2"], [])
    assert isinstance(caught.value.__cause__, ValueError)
    assert {each.id for each in await store.similarity_search("1 0")} == {"1", "2"}


async def test_scalars_of_numpy_are_stored_as_plain_ones(door: StoreDoor) -> None:
    store = door.open(embedding=Vectors())
    metadata = {"int": np.int64(3), "float": np.float32(0.5), "bool": np.bool_(True)}
    await store.add_texts(["1 0"], [metadata], ids=["1"])
    plain = {"int": 3, "float": 0.5, "bool": True}
    assert await store.get_by_ids(["1"]) == [Document("1 0", id="1", metadata=plain)]
