"""Documents: added, replaced, read and removed by their ids, on every server."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding

from langchain_google_memorystore_redis import InvalidDocumentError, WrongTypeError
from tests.documents.stores import StoreDoor, Vectors, is_exact


async def ids_of(store: Any, query: str = "1 0", k: int = 10, **options: Any) -> list[str]:
    found = await store.similarity_search(query, k, **options)
    return [document.id for document in found]


async def test_ids_are_those_given_and_made_where_there_is_none(door: StoreDoor) -> None:
    store = door.open(embedding=Vectors())
    ids = await store.add_texts(["1 0", "0 1", "1 1"], ids=["a:b/é", None, "{tag}"])
    assert ids[0] == "a:b/é"
    assert ids[2] == "{tag}"
    assert uuid.UUID(ids[1])
    documents = await store.get_by_ids([*ids, "missing", ids[0]])
    assert [each.id for each in documents] == ids
    assert sorted(await ids_of(store)) == sorted(ids)
    assert await store.delete(ids[:2])
    assert await store.delete([])
    assert await store.delete(["missing"])
    assert await ids_of(store) == ["{tag}"]


async def test_metadata_comes_back_equal_and_of_the_same_types(door: StoreDoor) -> None:
    metadata = {
        "true": True,
        "none": None,
        "int": 3,
        "big": 2**70,
        "float": 3.0,
        "digits": "123",
        "word": "true",
        "nan": "NaN",
        "space": " 12",
        "empty": "",
        "quote": '"x"',
        "list": [1, "1", [None], {"a": 1.5}],
        "dict": {"é": ["ü"]},
        "nul": "\0\n",
        "id": 7,
        "score": 0.5,
        "": "no name",
        "a b\n{}": "odd name",
        "$x": "$y",
    }
    store = door.open(embedding=Vectors())
    await store.add_texts(["1 0"], [metadata], ids=["1"])
    (by_id,) = await store.get_by_ids(["1"])
    (found,) = await store.similarity_search("1 0")
    assert by_id == found == Document("1 0", id="1", metadata=metadata)
    assert {n: type(v) for n, v in found.metadata.items()} == {
        n: type(v) for n, v in metadata.items()
    }


async def test_a_replaced_document_keeps_no_field_and_no_expiry(door: StoreDoor, raw: Any) -> None:
    store = door.open(embedding=Vectors())
    await store.add_texts(["1 0"], [{"old": 1, "kept": 2}], ids=["1"], ttl=1000)
    key = f"{door.prefix}docs:1"
    assert raw.pttl(key) > 0
    await store.add_texts(["0 1"], [{"kept": 3}], ids=["1"])
    assert raw.pttl(key) == -1
    assert await store.get_by_ids(["1"]) == [Document("0 1", id="1", metadata={"kept": 3})]
    found = await store.similarity_search_with_score("0 1")
    assert found == [(Document("0 1", id="1", metadata={"kept": 3}), pytest.approx(0, abs=1e-6))]


async def test_expired_documents_are_no_hits_and_use_up_none_of_k(
    door: StoreDoor, raw: Any
) -> None:
    store = door.open(embedding=Vectors(), ttl=1000)
    await store.add_texts([f"1 0.{i}" for i in range(10)], ids=[f"short{i}" for i in range(10)])
    await store.add_texts(["0 1", "0.1 1"], ids=["a", "b"])
    for i in range(10):
        raw.pexpire(f"{door.prefix}docs:short{i}", 1)
    await asyncio.sleep(0.02)
    assert await ids_of(store, k=2) == ["b", "a"]
    assert await store.get_by_ids(["short1"]) == []


async def test_a_filter_deletes_what_it_matches_and_an_empty_one_everything(
    door: StoreDoor, raw: Any
) -> None:
    fields = {"lang": "tag", "year": "numeric"}
    store = door.open(embedding=Vectors(), fields=fields)
    other = door.open("docs2", embedding=Vectors())
    metadatas = [{"lang": "en", "year": 1}, {"lang": "fr", "year": 2}, {}]
    await store.add_texts(["1 0", "0 1", "1 1"], metadatas, ids=["1", "2", "3"])
    await other.add_texts(["1 0"], ids=["1"])
    raw.hset(f"{door.prefix}docs:foreign", "field", "no text")
    raw.set(f"{door.prefix}docs:string", "x")
    await store.delete(filter={"lang": {"$ne": "en"}, "year": {"$gte": 1}})
    assert sorted(await ids_of(store)) == ["1", "3"]
    await store.delete(filter={})
    assert await ids_of(store) == []
    assert await ids_of(other) == ["1"]
    assert raw.exists(f"{door.prefix}docs:foreign")
    assert raw.exists(f"{door.prefix}docs:string")


async def test_foreign_keys_are_skipped_where_found_and_named_where_in_the_way(
    door: StoreDoor, raw: Any
) -> None:
    store = door.open(embedding=Vectors())
    await store.add_texts(["1 0"], ids=["1"])
    raw.hset(
        f"{door.prefix}docs:h", mapping={"vector": np.array([1, 0], np.float32).tobytes(), "x": 1}
    )
    raw.rpush(f"{door.prefix}docs:l", "x")
    raw.hset(f"{door.prefix}docs:bytes", mapping={"page_content": b"\xff", "vector": b"1"})
    assert await ids_of(store) == ["1"]
    assert await store.get_by_ids(["h", "1", "bytes"]) == [Document("1 0", id="1", metadata={})]
    with pytest.raises(InvalidDocumentError, match=r"documents\[1\].*docs:h"):
        await store.add_texts(["0 1", "0 1"], ids=["new", "h"])
    with pytest.raises(WrongTypeError, match="docs:l"):
        await store.add_texts(["0 1"], ids=["l"])
    with pytest.raises(WrongTypeError, match="docs:l"):
        await store.get_by_ids(["l"])
    assert await ids_of(store) == ["1"]
    await store.delete(["h"])
    assert raw.exists(f"{door.prefix}docs:h")


async def test_no_index_finds_the_documents_of_another(door: StoreDoor) -> None:
    names = ["docs", "docs:1", "docs%3A1", "docs2", "do", "docs:"]
    stores = [door.open(name, embedding=Vectors()) for name in names]
    for name, store in zip(names, stores, strict=True):
        await store.add_texts(["1 0"], ids=[f"1:{name}"])
    for name, store in zip(names, stores, strict=True):
        assert await ids_of(store) == [f"1:{name}"]


async def test_many_documents_are_added_found_and_removed(door: StoreDoor) -> None:
    embedding = DeterministicFakeEmbedding(size=64)
    store = door.open(embedding=embedding, batch_bytes=5_000)
    ids = [str(i) for i in range(250)]
    texts = [f"text {i}" for i in ids]
    assert await store.add_texts(iter(texts), ids=ids) == ids
    documents = await store.get_by_ids(ids)
    assert [(each.id, each.page_content) for each in documents] == list(
        zip(ids, texts, strict=True)
    )
    found = await store.similarity_search("text 7", k=250)
    assert len(found) > (249 if is_exact(door.target) else 240)
    assert found[0].id == "7"
    await store.delete(ids)
    assert await store.similarity_search("text 7") == []


async def test_from_texts_and_from_documents_make_a_store(door: StoreDoor) -> None:
    cls = type(door.open().store)
    options = {
        "client": door.client,
        "index_name": "made",
        "key_prefix": door.prefix,
        "exact": is_exact(door.target),
    }
    if door.by_async:
        store = await cls.afrom_texts(["1 0"], Vectors(), [{"a": 1}], ids=["1"], **options)
        assert await store.aget_by_ids(["1"]) == [Document("1 0", id="1", metadata={"a": 1})]
        made = await cls.afrom_documents([Document("0 1", id="2")], Vectors(), **options)
        assert [each.id for each in await made.asimilarity_search("0 1")] == ["2", "1"]
        await made.adelete(filter={})
        await made.adrop_index()
    else:
        store = cls.from_texts(["1 0"], Vectors(), [{"a": 1}], ids=["1"], **options)
        assert store.get_by_ids(["1"]) == [Document("1 0", id="1", metadata={"a": 1})]
        made = cls.from_documents([Document("0 1", id="2")], Vectors(), **options)
        assert [each.id for each in made.similarity_search("0 1")] == ["2", "1"]
        made.delete(filter={})
        made.drop_index()
