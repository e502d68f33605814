"""The vector store of release 0.3.0: its calls, on every server with search."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    DistanceStrategy,
    FLATConfig,
    HNSWConfig,
    IndexMismatchError,
    IndexMissingError,
    InvalidArgumentError,
    InvalidDocumentError,
    InvalidFilterError,
    InvalidVectorError,
    MemorystoreVectorStore,
    RedisVectorStore,
    VectorIndexConfig,
)
from tests.documents.stores import DoorStore, StoreDoor, Vectors
from tests.plugins.clients import Target


@pytest.fixture
def raw(search_target: Target, blocking_clients: dict[Target, Any]) -> Any:
    """A client that shows what is stored, as bytes."""
    return blocking_clients[Target(search_target.engine, cluster=search_target.cluster, protocol=2)]


def flat(door: StoreDoor, distance: DistanceStrategy = DistanceStrategy.COSINE) -> FLATConfig:
    return FLATConfig(f"{door.prefix}docs", None, 2, distance)


async def test_keys_and_fields_are_those_of_release_030(search_door: StoreDoor, raw: Any) -> None:
    store = await search_door.legacy(flat(search_door), Vectors())
    metadata = {"lang": "en", "digits": "123", "true": True, "none": None, "list": [1, "1"]}
    key = f"{search_door.prefix}docs1"
    assert await store.add_texts(["1 0"], [metadata], ["1"]) == [key]
    assert raw.hgetall(key) == {
        b"page_content": b"1 0",
        b"vector": np.array([1, 0], "<f4").tobytes(),
        b"lang": b"en",
        b"digits": b'"123"',
        b"true": b"true",
        b"none": b"null",
        b"list": b'[1, "1"]',
    }
    expected = Document("1 0", id=key, metadata=metadata)
    assert await store.similarity_search("1 0") == [expected]
    assert await store.get_by_ids([key]) == await store.get_by_ids(["1"]) == [expected]
    assert await store.get_by_ids(["1", key, "2"]) == [expected]


async def test_keys_are_taken_before_raw_ids(search_door: StoreDoor, raw: Any) -> None:
    store = await search_door.legacy(flat(search_door), Vectors())
    name = f"{search_door.prefix}docs"
    keys = await store.add_texts(["1 0", "0 1"], ids=["1", f"{name}1"])
    assert keys == [f"{name}1", f"{name}{name}1"]
    assert [d.page_content for d in await store.get_by_ids([f"{name}1"])] == ["1 0"]
    assert await store.delete([f"{name}1"])
    assert [d.page_content for d in await store.get_by_ids([f"{name}1"])] == ["0 1"]
    assert await store.delete([f"{name}1", "missing"])
    assert [raw.exists(key) for key in keys] == [0, 0]


async def test_deleting_nothing_deletes_nothing(search_door: StoreDoor, raw: Any) -> None:
    store = await search_door.legacy(flat(search_door), Vectors())
    foreign = f"{search_door.prefix}other"
    raw.hset(foreign, "page_content", "of another store")
    (key,) = await store.add_texts(["1 0"])
    assert await store.delete([]) is await store.delete() is False
    await store.delete([foreign])
    assert raw.exists(foreign) == raw.exists(key) == 1


async def test_a_document_that_was_read_and_is_added_again_replaces_itself(
    search_door: StoreDoor,
) -> None:
    store = await search_door.legacy(flat(search_door), Vectors())
    keys = await store.add_documents(
        [Document("1 0", id="1", metadata={"old": 1}), Document("0 1")]
    )
    (found,) = await store.similarity_search("1 0", k=1)
    found.metadata = {"new": 1}
    assert await store.add_documents([found]) == [keys[0]]
    (again,) = await store.similarity_search("1 0", k=1)
    assert again == found
    assert len(await store.similarity_search("1 0")) == 2


async def test_more_than_ten_generators_and_empty_texts(search_door: StoreDoor) -> None:
    embedding = DeterministicFakeEmbedding(size=8)
    store = await search_door.legacy(embedding=embedding)
    await store.add_texts((f"text {i}" for i in range(30)), batch_size=7)
    await store.add_texts([""], [], ["empty"])
    assert await store.add_texts([]) == []
    assert len(await store.similarity_search("text", k=31)) == 31
    (found,) = await store.similarity_search("", k=1)
    assert (found.page_content, found.id) == ("", f"{search_door.prefix}docsempty")


@pytest.mark.parametrize(
    ("strategy", "distances"),
    [
        (DistanceStrategy.COSINE, [0, 0.2929, 1]),
        (DistanceStrategy.EUCLIDEAN_DISTANCE, [0, 1, 2]),
        (DistanceStrategy.MAX_INNER_PRODUCT, [0, 0, 1]),
    ],
)
async def test_the_nearest_comes_first_and_thresholds_are_distances(
    search_door: StoreDoor, strategy: DistanceStrategy, distances: list[float]
) -> None:
    store = await search_door.legacy(flat(search_door, strategy), Vectors())
    await store.add_texts(["0 1", "1 1", "1 0"], ids=["c", "b", "a"])
    found = await store.similarity_search_with_score("1 0", distance_strategy=strategy)
    assert [score for _, score in found] == pytest.approx(distances, abs=1e-4)
    assert found[-1][0].page_content == "0 1"
    for name in ("distance_threshold", "score_threshold"):
        near = {name: np.float32(0.5)}
        for documents in (
            await store.similarity_search("1 0", **near),
            await store.similarity_search_by_vector([1, 0], **near),
            await store.max_marginal_relevance_search("1 0", **near),
        ):
            assert len(documents) == sum(each < 0.5 for each in distances)
    scored = await store.similarity_search_with_relevance_scores("1 0", score_threshold=0.99)
    assert scored[0][1] == pytest.approx(1)
    assert {each.page_content for each, _ in scored} <= {"1 0", "1 1"}


async def test_an_index_is_created_once_and_compared(search_door: StoreDoor) -> None:
    name = f"{search_door.prefix}docs"
    store = await search_door.legacy(HNSWConfig(name, vector_size=2, m=8), Vectors())
    for _ in range(2):
        await store.init_index(search_door.client, HNSWConfig(name, vector_size=2))
    for config, words in (
        (FLATConfig(name, vector_size=2), "algorithm is 'HNSW', not 'FLAT'"),
        (HNSWConfig(name, vector_size=3), "size of vectors is 2, not 3"),
        (HNSWConfig(name, "embedding", 2), "vector field is 'vector', not 'embedding'"),
        (HNSWConfig(name, None, 2, DistanceStrategy.MAX_INNER_PRODUCT), "'COSINE', not 'IP'"),
    ):
        with pytest.raises(IndexMismatchError, match=words):
            await store.init_index(search_door.client, config)


async def test_an_index_covers_documents_that_were_there_before_it(search_door: StoreDoor) -> None:
    made = RedisVectorStore(search_door.client, f"{search_door.prefix}docs", Vectors())
    store = DoorStore(made, search_door.by_async)
    await store.add_texts([f"1 {i}" for i in range(300)])
    with pytest.raises(IndexMissingError, match="init_index"):
        await store.similarity_search("1 0")
    await search_door.legacy(flat(search_door), Vectors())
    assert len(await store.similarity_search("1 0", k=300)) == 300


async def test_a_store_notices_an_index_that_was_made_anew(search_door: StoreDoor) -> None:
    store = await search_door.legacy(flat(search_door), Vectors())
    await store.add_texts(["1 0"])
    with pytest.raises(InvalidVectorError, match="has 3 numbers, where the index has 2"):
        await store.add_texts(["1 0 0"])
    await store.drop_index(search_door.client, f"{search_door.prefix}docs")
    await store.drop_index(search_door.client, f"{search_door.prefix}docs")
    await store.init_index(search_door.client, FLATConfig(f"{search_door.prefix}docs", None, 3))
    (key,) = await store.add_texts(["1 0 0"])
    assert [each.id for each in await store.similarity_search("1 0 0")] == [key]


async def test_names_that_cannot_be_told_apart_are_refused(search_door: StoreDoor) -> None:
    store = await search_door.legacy(FLATConfig(f"{search_door.prefix}docs2", None, 2), Vectors())
    for name in ("docs", "docs2a"):
        with pytest.raises(InvalidArgumentError, match=r"an index '.*docs2'.*separator"):
            await store.init_index(
                search_door.client, FLATConfig(search_door.prefix + name, None, 2)
            )
    await search_door.legacy(FLATConfig(f"{search_door.prefix}docs3", None, 2), Vectors())
    # The keys of one begin with "docs:", and the other has the same keys as "docs2".
    embedding = DeterministicFakeEmbedding(size=2)
    options = {"separator": "", "algorithm": "FLAT", "fields": {"lang": "tag"}}
    await search_door.open("docs", embedding).create_index()
    await search_door.open("docs2", embedding, **options).create_index()
    await store.drop_index(search_door.client, f"{search_door.prefix}docs2")
    await store.init_index(search_door.client, FLATConfig(f"{search_door.prefix}docs2", None, 2))


async def test_the_newer_class_filters_the_same_documents(search_door: StoreDoor) -> None:
    store = await search_door.legacy()
    keys = await store.add_texts(["1 0", "0 1"], [{"lang": "en"}, {"lang": "fr"}], ["1", "2"])
    newer = search_door.open(separator="", fields={"lang": "tag"})
    await newer.create_index()
    found = await newer.similarity_search("1 0", filter={"lang": "fr"})
    assert [each.id for each in found] == ["2"]
    await newer.add_texts(["1 1"], ids=["3"])
    assert len(await store.similarity_search("1 0")) == 3
    for call in (
        store.similarity_search("1 0", filter={"lang": "fr"}),
        store.delete(keys, filter={"lang": "fr"}),
        store.similarity_search_with_relevance_scores("1 0", filter={"lang": "fr"}),
    ):
        with pytest.raises(InvalidFilterError, match="MemorystoreVectorStore"):
            await call


async def test_other_fields_for_text_and_vector(search_door: StoreDoor, raw: Any) -> None:
    config = FLATConfig(f"{search_door.prefix}docs", "embedding", 2)
    await search_door.legacy(config, Vectors())
    made = RedisVectorStore(search_door.client, config.name, Vectors(), "text", "embedding")
    store = DoorStore(made, search_door.by_async)
    (key,) = await store.add_texts(["1 0"], [{"page_content": 1, "vector": 2}])
    assert {b"text", b"embedding"} <= raw.hgetall(key).keys()
    (found,) = await store.similarity_search("1 0")
    assert found == Document("1 0", id=key, metadata={"page_content": 1, "vector": 2})
    with pytest.raises(InvalidDocumentError, match=r"metadata\['text'\].*rename"):
        await store.add_texts(["1 0"], [{"text": "other"}])


async def test_bad_input_is_refused_and_named(search_door: StoreDoor) -> None:
    store = await search_door.legacy(flat(search_door), Vectors())
    for arguments, words in (
        ({"page_content": "x"}, "page_content"),
        ({"when": object()}, "when"),
    ):
        with pytest.raises(InvalidDocumentError, match=words):
            await store.add_texts(["1 0"], [arguments])
    with pytest.raises(InvalidArgumentError, match="ids has 2 items for 1 texts"):
        await store.add_texts(["1 0"], None, ["1", "2"])
    with pytest.raises(InvalidArgumentError, match="batch_size"):
        await store.add_texts(["1 0"], batch_size=0)
    with pytest.raises(InvalidArgumentError, match="tags is no argument of similarity_search"):
        await store.similarity_search("1 0", tags=1)
    with pytest.raises(InvalidArgumentError, match="distance_strategy must be one of"):
        await store.similarity_search("1 0", distance_strategy="L2")
    for threshold in ("0.5", math.nan, True):
        with pytest.raises(InvalidArgumentError, match="distance_threshold must be a number"):
            await store.similarity_search("1 0", distance_threshold=threshold)
    with pytest.raises(InvalidArgumentError, match=r"index_only.*delete\(filter"):
        await store.drop_index(search_door.client, "docs", index_only=False)
    with pytest.raises(ArgumentTypeError, match="HNSWConfig or FLATConfig, not dict"):
        await store.init_index(search_door.client, {})
    with pytest.raises(InvalidArgumentError, match="m must be 512 or less"):
        await store.init_index(search_door.client, HNSWConfig("x", m=513))
    assert await store.similarity_search("1 0") == []


async def test_from_texts_and_from_documents_make_a_store(search_door: StoreDoor) -> None:
    await search_door.legacy(flat(search_door), Vectors())
    name = f"{search_door.prefix}docs"
    options = {"client": search_door.client, "index_name": name}
    if search_door.by_async:
        store = await RedisVectorStore.afrom_texts(["1 0"], Vectors(), [{"a": 1}], ["1"], **options)
        await RedisVectorStore.afrom_documents([Document("0 1", id="2")], Vectors(), **options)
    else:
        store = RedisVectorStore.from_texts(["1 0"], Vectors(), [{"a": 1}], ["1"], **options)
        RedisVectorStore.from_documents([Document("0 1", id="2")], Vectors(), **options)
    found = await DoorStore(store, search_door.by_async).similarity_search("1 0")
    assert [(each.id, each.metadata) for each in found] == [
        (f"{name}1", {"a": 1}),
        (f"{name}2", {}),
    ]


def test_settings_of_an_index_are_those_of_release_030() -> None:
    cosine = DistanceStrategy.COSINE
    config = HNSWConfig("docs")
    assert vars(config) == {
        "name": "docs",
        "field_name": "vector",
        "type": "HNSW",
        "distance_strategy": DistanceStrategy.COSINE,
        "vector_size": 128,
        "data_type": "FLOAT32",
        "initial_cap": 10_000,
        "m": 16,
        "ef_construction": 200,
        "ef_runtime": 10,
    }
    inner = FLATConfig("docs", "v", 3, DistanceStrategy.MAX_INNER_PRODUCT)
    assert (inner.type, inner.field_name, inner.distance_metric) == ("FLAT", "v", "IP")
    assert VectorIndexConfig("d", "v", "FLAT", cosine, 3).distance_metric == "COSINE"
    bad: dict[str, Callable[[], Any]] = {
        "distance_strategy": lambda: FLATConfig("docs", None, 3, DistanceStrategy.DOT_PRODUCT),
        "vector_size must be 1": lambda: FLATConfig("docs", None, -1),
        "vector_size must be 32,768": lambda: FLATConfig("docs", None, 40_000),
        "name must not be empty": lambda: FLATConfig(""),
        "type must be": lambda: VectorIndexConfig("d", "v", "IVF", cosine, 3),
        "FLOAT32": lambda: VectorIndexConfig("d", "v", "FLAT", cosine, 3, "INT8"),
    }
    for words, make in bad.items():
        with pytest.raises(ValueError, match=words):
            make()


def test_arguments_of_the_constructor_are_checked() -> None:
    client = Target("redis-7.0").connect(1)
    for arguments, words in (
        ((client, 1, Vectors()), "index_name must be a str"),
        ((client, "", Vectors()), "index_name must not be empty"),
        ((client, "docs", None), "embeddings must be"),
        ((client, "docs", Vectors(), "x", "x"), "content_field must differ"),
    ):
        with pytest.raises(ValueError, match=words):
            RedisVectorStore(*arguments)
    with pytest.raises(TypeError, match="client must be"):
        RedisVectorStore.from_texts(["1 0"], Vectors())


@pytest.mark.parametrize(
    "module", ["chat_message_history", "loader", "saver", "vectorstore", "version"]
)
def test_the_module_paths_of_release_030_are_there(module: str) -> None:
    import importlib

    import langchain_google_memorystore_redis as package

    old = importlib.import_module(f"{package.__name__}.{module}")
    for name in set(old.__all__) - {"IndexConfig"}:
        assert getattr(old, name) is getattr(package, name)


def test_the_newer_class_has_all_that_this_one_has() -> None:
    own = {"init_index", "ainit_index", "content_field", "vector_field", "index_name"}
    names = {name for name in dir(RedisVectorStore) if name[0] != "_"}
    assert names - own <= set(dir(MemorystoreVectorStore))
