"""Scores, relevance, and choices that differ."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document

from langchain_google_memorystore_redis import InvalidArgumentError
from langchain_google_memorystore_redis._vectors.distances import distances_to
from tests.documents.stores import StoreDoor, Vectors, is_exact

TEXTS = ["1 0 0", "2 0 0", "0.9 0.1 0", "0 1 0", "-1 0 0", "0.5 0.5 0.5", "0 0 3"]


@pytest.mark.parametrize("distance", ["COSINE", "L2", "IP"])
async def test_scores_are_the_engines_distances_nearest_first(
    door: StoreDoor, distance: str
) -> None:
    store = door.open(embedding=Vectors(), distance=distance, algorithm="FLAT")
    await store.add_texts(TEXTS, ids=TEXTS)
    found = await store.similarity_search_with_score("1 0.2 0", k=10)
    numbers = np.array([[float(x) for x in text.split()] for text in TEXTS])
    expected = dict(zip(TEXTS, distances_to([1, 0.2, 0], numbers, distance), strict=True))
    assert [score for _, score in found] == sorted(score for _, score in found)
    assert {d.id: score for d, score in found} == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("distance", ["COSINE", "L2", "IP"])
async def test_relevance_is_one_for_an_equal_vector_and_falls_with_the_rank(
    door: StoreDoor, distance: str
) -> None:
    store = door.open(embedding=Vectors(), distance=distance)
    await store.add_texts(TEXTS, ids=TEXTS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = await store.similarity_search_with_relevance_scores("1 0 0", k=10)
        above = await store.similarity_search_with_relevance_scores(
            "1 0 0", k=10, score_threshold=0.6
        )
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert {d.id: s for d, s in found}["1 0 0"] == pytest.approx(1, abs=1e-6)
    assert above == [each for each in found if each[1] >= 0.6]


async def test_diverse_documents_are_chosen_by_text_and_by_vector(door: StoreDoor) -> None:
    store = door.open(embedding=Vectors(), fields={"lang": "tag"})
    texts = ["1 0 0", "0.99 0.01 0", "0.98 0.02 0", "0.7 0.7 0"]
    await store.add_texts(texts, [{"lang": "en"}] * 4, ids=texts)
    await store.add_texts(["0.9 0 0.1"], ids=["other"])
    options: dict[str, Any] = {"k": 2, "fetch_k": 4, "filter": {"lang": "en"}}
    by_text = await store.max_marginal_relevance_search("1 0 0", lambda_mult=0.1, **options)
    by_vector = await store.max_marginal_relevance_search_by_vector(
        [1, 0, 0], lambda_mult=0.1, **options
    )
    assert [each.id for each in by_text] == ["1 0 0", "0.7 0.7 0"]
    assert by_vector == by_text
    near = await store.max_marginal_relevance_search("1 0 0", lambda_mult=1, **options)
    assert [each.id for each in near] == texts[:2]
    with pytest.raises(InvalidArgumentError, match="lambda_mult"):
        await store.max_marginal_relevance_search("1 0 0", lambda_mult=2)


@pytest.mark.parametrize(
    ("search_type", "options"),
    [
        ("similarity", {"k": 1}),
        ("similarity_score_threshold", {"score_threshold": 0.99, "k": 5}),
        ("mmr", {"k": 1, "fetch_k": 5}),
    ],
)
async def test_a_retriever_of_each_type_finds_the_nearest(
    door: StoreDoor, search_type: str, options: dict[str, Any]
) -> None:
    store = door.open(embedding=Vectors())
    await store.add_texts(["1 0", "0 1"], ids=["a", "b"])
    retriever = store.store.as_retriever(search_type=search_type, search_kwargs=options)
    found = await retriever.ainvoke("1 0") if door.by_async else retriever.invoke("1 0")
    assert found == [Document("1 0", id="a")]


async def test_a_search_by_vector_takes_lists_and_arrays(door: StoreDoor) -> None:
    store = door.open(embedding=Vectors())
    await store.add_texts(["1 0", "0 1"], ids=["a", "b"])
    for vector in ([1, 0], (1.0, 0.0), np.array([1.0, 0.0]), np.array([1, 0], np.float32)):
        found = await store.similarity_search_by_vector(vector, k=np.int64(1))
        assert [each.id for each in found] == ["a"]
    if not is_exact(door.target):
        found = await store.similarity_search("1 0", k=1, ef_runtime=50)
        assert [each.id for each in found] == ["a"]
