"""A program written for release 0.3.0: `legacy_030.py write|read|faults PORT NAME`.

That release runs it in an environment of its own, and the tests run its functions with this one.
"write" stores documents, "read" prints what is read, and "faults" what becomes of calls that this
release mends. All print JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import redis
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from langchain_google_memorystore_redis import (
    DistanceStrategy,
    FLATConfig,
    HNSWConfig,
    MemorystoreDocumentLoader,
    MemorystoreDocumentSaver,
    RedisVectorStore,
)

TEXTS = ["1 0", "0.6 0.8", "0 1", "-1 0.1"]
METADATAS: list[dict[str, Any]] = [
    {"lang": "en", "nested": {"é": [1, None]}, "empty": "", "word": "true story"},
    {"title": "Ünï\ncode 🦜", "quote": 'say "hi"', "a b\n{}": "odd name"},
    {},
    {"path": "C:\\x", "braces": "{not json"},
]
"""Metadata that both releases store in the same way."""


class Vectors(Embeddings):
    """Embedding of texts that are vectors, as "1 0.5"."""

    def embed_query(self, text: str) -> list[float]:
        return [float(each) for each in text.split()]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


def as_json(documents: Any) -> list[dict[str, Any]]:
    return [{"text": each.page_content, "metadata": each.metadata} for each in documents]


def write(client: Any, name: str, metadatas: list[dict[str, Any]] = METADATAS) -> Any:
    RedisVectorStore.init_index(client, HNSWConfig(f"{name}docs", None, 2))
    store = RedisVectorStore(client, f"{name}docs", Vectors())
    keys = store.add_texts(TEXTS, metadatas, [str(i) for i in range(len(TEXTS))])
    documents = [
        Document(page_content=t, metadata=m) for t, m in zip(TEXTS, metadatas, strict=True)
    ]
    saver = MemorystoreDocumentSaver(client, f"{name}saved:", "text")
    saver.add_documents(documents, [str(i) for i in range(len(TEXTS))])
    return keys


def read(client: Any, name: str) -> Any:
    store = RedisVectorStore(client, f"{name}docs", Vectors())
    scored = store.similarity_search_with_score("1 0.1", k=10)
    loader = MemorystoreDocumentLoader(client, f"{name}saved:", {"text"})
    return {
        "found": as_json(document for document, _ in scored),
        "scores": [score for _, score in scored],
        "near": as_json(store.similarity_search("1 0.1", distance_threshold=0.6)),
        "diverse": as_json(store.max_marginal_relevance_search("1 0.1", k=2, lambda_mult=0.1)),
        "loaded": as_json(loader.load()),
    }


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # noqa: BLE001  (its name is the outcome)
        return type(error).__name__


def faults(client: Any, name: str) -> Any:
    config = FLATConfig(f"{name}docs", None, 2)
    store = RedisVectorStore(client, config.name, Vectors())
    found: dict[str, Any] = {}
    RedisVectorStore.init_index(client, config)
    found["init_index twice"] = outcome(lambda: RedisVectorStore.init_index(client, config))
    metadata = {"true": True, "none": None, "list": [1, "x"], "digits": "123"}
    keys = store.add_texts(["1 0"], [metadata])
    found["metadata"] = as_json(store.similarity_search("1 0"))[0]["metadata"]
    client.delete(*keys)
    taken = {"page_content": "overwritten"}
    found["page_content"] = outcome(lambda: len(store.add_texts(["1 0"], [taken])))
    found["generator"] = outcome(lambda: len(store.add_texts(text for text in ["1 0"])))
    store.add_texts(["1 0"] * 30)
    found["k over 10"] = len(store.similarity_search("1 0", k=20))
    decoding = redis.Redis(port=client.get_connection_kwargs()["port"], decode_responses=True)
    other = RedisVectorStore(decoding, config.name, Vectors())
    found["decode_responses"] = outcome(lambda: len(other.similarity_search("1 0")))
    inner = FLATConfig(f"{name}ip", None, 2, DistanceStrategy.MAX_INNER_PRODUCT)
    RedisVectorStore.init_index(client, inner)
    by_product = RedisVectorStore(client, inner.name, Vectors())
    by_product.add_texts(["0 1", "1 0"])
    strategy = DistanceStrategy.MAX_INNER_PRODUCT
    nearest = by_product.similarity_search("1 0", distance_strategy=strategy)[0]
    found["nearest by inner product"] = nearest.page_content
    found.update(faults_of_loader_and_saver(client, name))
    return found


def faults_of_loader_and_saver(client: Any, name: str) -> Any:
    found: dict[str, Any] = {}

    def load(prefix: str) -> Any:
        loader = MemorystoreDocumentLoader(client, prefix, {"text"}, {"title"})
        return outcome(lambda: sorted(each.page_content for each in loader.load()))

    saver = MemorystoreDocumentSaver(client, f"{name}a*", "text")
    other = MemorystoreDocumentSaver(client, f"{name}ab", "text")
    documents = [Document(page_content="x", metadata={"title": "X"})]
    saver.add_documents(documents, ["1"])
    other.add_documents(documents, ["1"])
    found["glob characters of a loader"] = len(load(f"{name}a*"))
    saver.delete()
    found["glob characters of a saver"] = client.exists(f"{name}ab1")
    client.set(f"{name}foreign:1", "x")
    found["foreign key"] = load(f"{name}foreign:")
    client.hset(f"{name}bare:1", "text", "x")
    found["missing field"] = load(f"{name}bare:")
    other.delete(["1"])
    other.add_documents(documents, ["1"])
    loader = MemorystoreDocumentLoader(client, f"{name}ab", {"text"})
    found["id"] = getattr(loader.load()[0], "id", None)
    found["empty list"] = outcome(lambda: saver.add_documents([]))
    other.delete([])
    found["delete([])"] = client.exists(f"{name}ab1")
    return found


if __name__ == "__main__":
    verb, port, prefix = sys.argv[1:]
    verbs = {"write": write, "read": read, "faults": faults}
    print(json.dumps(verbs[verb](redis.Redis(port=int(port)), prefix)))
