"""Semantic search: vectors that follow their items, compared here."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings
from langgraph.store.base import PutOp, SearchOp

from langchain_google_memorystore_redis import InvalidVectorError, SearchLimitError
from tests.servers.processes import wait_until
from tests.store.stores import DoorStore, StoreDoor, keys, keys_of

NS = ("users", "ada")
LETTERS = "abcdefgh"


class Letters(Embeddings):
    """Embedding that counts letters, and its calls."""

    def __init__(self, letters: str = LETTERS) -> None:
        self.letters = letters
        self.calls: list[list[str]] = []

    def vector(self, text: str) -> list[float]:
        return [float(text.count(each)) for each in self.letters]

    def embed_query(self, text: str) -> list[float]:
        self.calls.append([text])
        return self.vector(text)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.calls.append(texts)
        return [self.vector(text) for text in texts]


def index(*fields: str, embed: Any = None) -> dict[str, Any]:
    embed = embed or Letters()
    return {"embed": embed, "dims": len(LETTERS), "fields": list(fields or ("text",))}


@pytest.fixture
def store(door: StoreDoor) -> DoorStore:
    return door.open(index=index())


def cosine(one: str, other: str) -> float:
    a, b = (np.array(Letters().vector(text)) for text in (one, other))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


async def test_the_nearest_come_first_with_their_cosines(store: DoorStore) -> None:
    texts = ["aab", "abc", "ccc", "bbb", "ab"]
    for text in texts:
        await store.put(NS, text, {"text": text})
    found = await store.search(NS, query="aab", limit=4)
    expected = sorted(texts, key=lambda text: -cosine("aab", text))
    assert keys(found) == expected[:4]
    for item in found:
        assert item.score == pytest.approx(cosine("aab", item.key), abs=1e-6)
    pages = [await store.search(NS, query="aab", limit=2, offset=at) for at in (0, 2, 4)]
    assert [key for page in pages for key in keys(page)] == expected
    found = await store.search(NS, query="aab", filter={"text": {"$ne": "aab"}}, limit=2)
    assert keys(found) == expected[1:3]


async def test_a_search_over_a_prefix_ranks_the_items_of_all_namespaces(store: DoorStore) -> None:
    for place, text in enumerate(["a", "ab", "abc", "b"]):
        await store.put(("n", f"{place}"), "key", {"text": text})
    found = await store.search(("n",), query="a", limit=3)
    assert [each.value["text"] for each in found] == ["a", "ab", "abc"]


async def test_items_without_vectors_follow_those_that_have_some(store: DoorStore) -> None:
    await store.put(NS, "none", {"text": "a"}, index=False)
    await store.put(NS, "far", {"text": "h"})
    await store.put(NS, "other", {"title": "a"})
    await store.put(NS, "near", {"text": "ab"})
    found = await store.search(NS, query="a")
    assert keys(found) == ["near", "far", "other", "none"]
    assert [each.score for each in found][2:] == [None, None]
    pages = [await store.search(NS, query="a", limit=1, offset=at) for at in range(5)]
    assert [key for page in pages for key in keys(page)] == keys(found)


async def test_a_vector_follows_its_item(store: DoorStore, raw: Any, prefix: str) -> None:
    _, item, vectors = keys_of(prefix, NS, "a")

    async def scores() -> list[float | None]:
        return [each.score for each in await store.search(NS, query="a")]

    await store.put(NS, "a", {"text": "a"})
    assert await scores() == [1.0]
    for value, options in (
        ({"text": "a"}, {"index": False}),
        ({"title": "a"}, {}),
        ({"text": None}, {}),
    ):
        await store.put(NS, "a", value, **options)
        assert await scores() == [None]
        assert not raw.exists(vectors)
        await store.put(NS, "a", {"text": "a"})
        assert await scores() == [1.0]
    await store.put(NS, "a", {"text": "b", "title": "a"}, index=["title"])
    assert await scores() == [1.0]
    await store.delete(NS, "a")
    assert not raw.exists(vectors)
    await store.put(NS, "a", {"text": "a"}, ttl=5)
    assert raw.pttl(item) == pytest.approx(raw.pttl(vectors), abs=100)
    raw.pexpire(item, 60_000)
    raw.pexpire(vectors, 60_000)
    assert await store.get(NS, "a") is not None
    assert min(raw.pttl(item), raw.pttl(vectors)) > 200_000
    raw.pexpire(item, 60_000)
    raw.pexpire(vectors, 60_000)
    assert await scores() == [1.0]
    assert min(raw.pttl(item), raw.pttl(vectors)) > 200_000
    await store.put(NS, "a", {"text": "a"})
    assert raw.pttl(vectors) == -1
    await store.put(NS, "a", {"text": "a"}, ttl=1 / 60_000)
    gone = lambda: not raw.exists(item) and not raw.exists(vectors)  # noqa: E731
    await asyncio.to_thread(wait_until, gone, "item and vectors to expire")
    assert await scores() == []


async def test_an_item_with_several_vectors_is_one_hit_with_the_best_score(
    door: StoreDoor,
) -> None:
    store = door.open(index=index("tags[*]", "text"))
    await store.put(NS, "many", {"tags": ["h", "a", "hh"], "text": "ab"})
    await store.put(NS, "one", {"text": "abb"})
    found = await store.search(NS, query="a")
    assert keys(found) == ["many", "one"]
    assert found[0].score == pytest.approx(1.0)
    await store.put(NS, "many", {"tags": ["h"]})
    assert keys(await store.search(NS, query="a")) == ["one", "many"]


async def test_whole_values_and_paths_are_embedded(door: StoreDoor) -> None:
    embed = Letters()
    store = door.open(index={"embed": embed, "dims": len(LETTERS)})
    await store.put(NS, "whole", {"b": "ü", "a": 1})
    assert embed.calls == [['{"a": 1, "b": "ü"}']]
    paths = ["a.b", "list[*].text", "list[-1].text", "missing"]
    value = {"a": {"b": 5}, "list": [{"text": "x"}, {"text": "y"}]}
    await store.put(NS, "paths", value, index=paths)
    assert embed.calls[1:] == [["5", "x", "y"]]
    await store.put(NS, "nothing", {"a": 1}, index=["missing"])
    await store.put(NS, "nothing", {"a": 1}, index=[])
    assert len(embed.calls) == 2


async def test_a_batch_calls_the_embedding_once_for_every_text_and_query(door: StoreDoor) -> None:
    embed = Letters()
    store = door.open(index=index(embed=embed))
    results = await store.batch(
        [
            PutOp(NS, "1", {"text": "a"}),
            PutOp(NS, "2", {"text": "a"}),
            PutOp(("n",), "3", {"text": "b"}),
            SearchOp(NS, query="ab"),
            SearchOp(("n",), query="ab"),
            SearchOp(("n",), query="b"),
        ]
    )
    assert embed.calls == [["a", "b"], ["ab"], ["b"]]
    assert [sorted(keys(each)) for each in results[3:]] == [["1", "2"], ["3"], ["3"]]
    assert all(item.score is not None for each in results[3:] for item in each)


async def test_vectors_of_another_size_are_an_error_at_put_and_at_search(door: StoreDoor) -> None:
    store = door.open(index=index())
    await store.put(NS, "a", {"text": "a"})
    other = door.open(index=index(embed=Letters("abc")))
    with pytest.raises(InvalidVectorError, match="has 3 numbers, where the index has 8"):
        await other.put(NS, "b", {"text": "a"})
    with pytest.raises(InvalidVectorError, match="has 3 numbers"):
        await other.search(NS, query="a")
    unchecked = door.open(index={"embed": Letters("abc")})
    assert await unchecked.get(NS, "b") is None
    with pytest.raises(InvalidVectorError, match="another embedding"):
        await unchecked.search(NS, query="a")
    await unchecked.put(NS, "b", {"text": "a"}, index=["text"])
    with pytest.raises(InvalidVectorError, match="another embedding"):
        await store.search(NS, query="a")


async def test_what_an_embedding_must_not_return_stores_nothing(door: StoreDoor) -> None:
    for embed in (
        lambda texts: [[1.0] * len(LETTERS)] * (len(texts) + 1),
        lambda texts: [["x"] * len(LETTERS)],
        lambda texts: [[float("nan")] * len(LETTERS)],
    ):
        store = door.open(index=index(embed=embed))
        with pytest.raises(InvalidVectorError):
            await store.put(NS, "a", {"text": "a"})
        assert await store.get(NS, "a") is None


async def test_a_text_without_meaning_has_a_score_of_zero(store: DoorStore) -> None:
    await store.put(NS, "a", {"text": ""})
    (found,) = await store.search(NS, query="a")
    assert found.score == 0
    (found,) = await store.search(NS, query="xyz")
    assert found.score == 0


async def test_more_vectors_than_may_be_compared_raise(door: StoreDoor) -> None:
    store = door.open(index=index("tags[*]"), max_scored=10)
    for number in range(10):
        await store.put(NS, f"{number}", {"tags": ["a"]})
    assert len(await store.search(NS, query="a")) == 10
    await store.put(NS, "9", {"tags": ["a", "b"]})
    with pytest.raises(SearchLimitError, match="more than 10 vectors") as caught:
        await store.search(NS, query="a")
    assert caught.value.limit == 10
    await store.put(NS, "9", {"tags": ["a"]})
    await store.put(NS, "10", {})
    with pytest.raises(SearchLimitError, match="more than 10 items"):
        await store.search(NS, query="a")
    with pytest.raises(SearchLimitError, match="MemorystoreVectorStore"):
        await store.search((), query="a")
    await store.put(("n",), "1", {"tags": ["a"]})
    assert keys(await store.search(("n",), query="a")) == ["1"]


async def test_without_an_index_a_query_asks_nothing(door: StoreDoor) -> None:
    store = door.open()
    for number in range(3):
        await store.put(NS, f"{number}", {"text": "a"}, index=["text"])
    found = await store.search(NS, query="a")
    assert keys(found) == ["2", "1", "0"]
    assert {each.score for each in found} == {None}
    indexed = door.open(index=index())
    assert keys(await indexed.search(NS, query="")) == ["2", "1", "0"]


async def test_functions_are_embeddings(door: StoreDoor) -> None:
    async def embed(texts: Any) -> Any:
        return Letters().embed_documents(texts)

    store = door.open(index=index(embed=lambda texts: Letters().embed_documents(texts)))
    await store.put(NS, "a", {"text": "a"})
    assert [each.score for each in await store.search(NS, query="a")] == [1.0]
    if door.by_async:
        store = door.open(index=index(embed=embed))
        await store.put(NS, "b", {"text": "ab"})
        assert keys(await store.search(NS, query="ab")) == ["b", "a"]


@pytest.mark.process
def test_without_numpy_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "import redis\n"
        "from langchain_google_memorystore_redis import MemorystoreStore, MissingExtraError\n"
        "MemorystoreStore(redis.Redis())\n"
        "try:\n    MemorystoreStore(redis.Redis(), index={'embed': len, 'dims': 3})\n"
        "except MissingExtraError as error:\n    print(error.extra)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "vector"
