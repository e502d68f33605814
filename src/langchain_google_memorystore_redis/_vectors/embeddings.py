"""Calls of an embedding model, as steps of flows.

Strategy: a blocking runner calls the model, an async one awaits it. Its answer is checked where it
comes in, since models return what they like.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from langchain_google_memorystore_redis._redis.op import Call, Flow
from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidVectorError


class Embedding(Protocol):
    """Embedding model, with the methods that LangChain's have."""

    def embed_query(self, text: str) -> Any:
        """Return the vector of a query."""

    def embed_documents(self, texts: list[str]) -> Any:
        """Return the vectors of documents."""

    def aembed_query(self, text: str) -> Awaitable[Any]:
        """Async twin of `embed_query`."""

    def aembed_documents(self, texts: list[str]) -> Awaitable[Any]:
        """Async twin of `embed_documents`."""


def embed_texts(embedding: Embedding, texts: list[str], start: int) -> Flow[Sequence[Any]]:
    """Return the vectors of documents, the first of which is at place `start`."""
    vectors = yield Call(embedding.embed_documents, embedding.aembed_documents, (texts,))
    try:
        count = len(vectors)
    except TypeError:
        vectors = list(vectors)
        count = len(vectors)
    if count != len(texts):
        problem = f"is wrong: the embedding made {count} vectors of {len(texts)} texts"
        raise InvalidVectorError(start + min(count, len(texts)), problem)
    return vectors  # type: ignore[no-any-return]


def embed_query(embedding: Embedding, query: str) -> Flow[Any]:
    """Return the vector of a query."""
    if not isinstance(query, str):
        raise ArgumentTypeError("query", f"must be a str, not {type(query).__name__}")
    return (yield Call(embedding.embed_query, embedding.aembed_query, (query,)))
