"""Search methods of LangChain's vector stores.

Strategy: one flow for each kind of search; methods differ in what they are given, a text or a
vector, and in what they return of each hit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from langchain_google_memorystore_redis._documents.operations import DocumentOps, Query
from langchain_google_memorystore_redis._redis.runners import AwaitableRunner, BlockingRunner
from langchain_google_memorystore_redis._redis.sharing import SharesClient
from langchain_google_memorystore_redis.errors import InvalidArgumentError


class Retrieval(SharesClient, VectorStore):
    """Search methods over the operations of one store."""

    _sync: BlockingRunner
    _async: AwaitableRunner
    _ops: DocumentOps

    def _asked(self, method: str, query: Query, more: Mapping[str, Any]) -> Query:
        """Return a query with the further arguments of its method, of which there are none."""
        no_more_arguments(method, more)
        return query

    def similarity_search(
        self,
        query: str,
        k: int = 4,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        *,
        ef_runtime: int | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Return the `k` documents nearest to a text, of those for which a filter holds.

        `ef_runtime` is how many vectors an HNSW index examines: more find the nearest more surely,
        and take longer. One round trip, as the class says.

        Examples:
            >>> store.similarity_search("Hello!", k=2, filter={"lang": {"$in": ["en", "fr"]}})
            []
        """
        asked = self._asked("similarity_search", Query(query, k, filter, ef_runtime), kwargs)
        return self._sync.run(self._ops.near(asked))

    async def asimilarity_search(
        self,
        query: str,
        k: int = 4,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        *,
        ef_runtime: int | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Async twin of `similarity_search`."""
        asked = self._asked("similarity_search", Query(query, k, filter, ef_runtime), kwargs)
        return await self._async.run(self._ops.near(asked))

    def similarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        *,
        ef_runtime: int | None = None,
        **kwargs: Any,
    ) -> list[tuple[Document, float]]:
        """Return the nearest documents with their distances, which are the engine's.

        COSINE and IP: one minus the cosine or the inner product; L2: the square of the distance.
        The least is the nearest, and the first. One round trip, as the class says.

        Examples:
            >>> store.similarity_search_with_score("Hello!", k=2)
            []
        """
        asked = self._asked(
            "similarity_search_with_score", Query(query, k, filter, ef_runtime), kwargs
        )
        return self._sync.run(self._ops.similar(asked))

    async def asimilarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        *,
        ef_runtime: int | None = None,
        **kwargs: Any,
    ) -> list[tuple[Document, float]]:
        """Async twin of `similarity_search_with_score`."""
        asked = self._asked(
            "similarity_search_with_score", Query(query, k, filter, ef_runtime), kwargs
        )
        return await self._async.run(self._ops.similar(asked))

    def similarity_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = 4,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        *,
        ef_runtime: int | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Return the documents nearest to a vector. One round trip, as the class says.

        Examples:
            >>> store.similarity_search_by_vector([0.5] * 8)
            []
        """
        asked = self._asked(
            "similarity_search_by_vector",
            Query(embedding, k, filter, ef_runtime, is_text=False),
            kwargs,
        )
        return self._sync.run(self._ops.near(asked))

    async def asimilarity_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = 4,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        *,
        ef_runtime: int | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Async twin of `similarity_search_by_vector`."""
        asked = self._asked(
            "similarity_search_by_vector",
            Query(embedding, k, filter, ef_runtime, is_text=False),
            kwargs,
        )
        return await self._async.run(self._ops.near(asked))

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        *,
        ef_runtime: int | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Return `k` of the `fetch_k` nearest documents to a text, chosen to differ.

        `lambda_mult` is the weight of nearness, from 0 for diversity alone to 1. One round trip, as
        the class says.

        Examples:
            >>> store.max_marginal_relevance_search("Hello!", k=2, fetch_k=10)
            []
        """
        asked = self._asked(
            "max_marginal_relevance_search", Query(query, k, filter, ef_runtime), kwargs
        )
        return self._sync.run(self._ops.diverse(asked, fetch_k, lambda_mult))

    async def amax_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        *,
        ef_runtime: int | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Async twin of `max_marginal_relevance_search`."""
        asked = self._asked(
            "max_marginal_relevance_search", Query(query, k, filter, ef_runtime), kwargs
        )
        return await self._async.run(self._ops.diverse(asked, fetch_k, lambda_mult))

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        *,
        ef_runtime: int | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Return documents near a vector, chosen to differ. One round trip, as the class says.

        Examples:
            >>> store.max_marginal_relevance_search_by_vector([0.5] * 8, k=2)
            []
        """
        asked = self._asked(
            "max_marginal_relevance_search_by_vector",
            Query(embedding, k, filter, ef_runtime, is_text=False),
            kwargs,
        )
        return self._sync.run(self._ops.diverse(asked, fetch_k, lambda_mult))

    async def amax_marginal_relevance_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        *,
        ef_runtime: int | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Async twin of `max_marginal_relevance_search_by_vector`."""
        asked = self._asked(
            "max_marginal_relevance_search_by_vector",
            Query(embedding, k, filter, ef_runtime, is_text=False),
            kwargs,
        )
        return await self._async.run(self._ops.diverse(asked, fetch_k, lambda_mult))

    def _similarity_search_with_relevance_scores(
        self,
        query: str,
        k: int = 4,
        *,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        ef_runtime: int | None = None,
        **kwargs: Any,
    ) -> list[tuple[Document, float]]:
        """Return the nearest documents with scores from 0 to 1, for LangChain's own method."""
        asked = self._asked(
            "similarity_search_with_relevance_scores", Query(query, k, filter, ef_runtime), kwargs
        )
        return self._sync.run(self._ops.relevant(asked))

    async def _asimilarity_search_with_relevance_scores(
        self,
        query: str,
        k: int = 4,
        *,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        ef_runtime: int | None = None,
        **kwargs: Any,
    ) -> list[tuple[Document, float]]:
        asked = self._asked(
            "similarity_search_with_relevance_scores", Query(query, k, filter, ef_runtime), kwargs
        )
        return await self._async.run(self._ops.relevant(asked))


def no_more_arguments(method: str, arguments: Mapping[str, Any]) -> None:
    """Raise `InvalidArgumentError` for arguments that a method does not have."""
    for name in arguments:
        raise InvalidArgumentError(name, f"is no argument of {method}()")
