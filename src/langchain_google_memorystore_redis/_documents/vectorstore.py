"""`MemorystoreVectorStore`, LangChain's interface to documents and their vectors.

Strategy: a thin adapter: `operations.py` and `additions.py` decide what to send and how to read the
reply. Each method is a line or two, and its async twin the same with `await`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Self

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from langchain_google_memorystore_redis._documents.codec import RowCodec
from langchain_google_memorystore_redis._documents.indexes import (
    Index,
    IndexSpec,
    check_fields,
    check_parameters,
)
from langchain_google_memorystore_redis._documents.information import IndexInfo
from langchain_google_memorystore_redis._documents.keys import document_keys
from langchain_google_memorystore_redis._documents.operations import document_ops
from langchain_google_memorystore_redis._documents.retrieval import Retrieval, no_more_arguments
from langchain_google_memorystore_redis._redis.arguments import (
    boolean,
    not_negative_number,
    one_of,
    positive,
    ttl_milliseconds,
)
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.op import Flow
from langchain_google_memorystore_redis._vectors.distances import DISTANCES
from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError

ALGORITHMS = ("HNSW", "FLAT")
BATCH_BYTES = 16_000
"""Size of a pipeline that every version of valkey-search takes."""


class MemorystoreVectorStore(Retrieval):
    """Documents and their vectors, in Memorystore for Redis or Valkey.

    A document is a hash under `key_prefix + index_name + separator + id`, in the layout of release
    0.3.0. An index of the server finds the nearest ones, with filters on declared fields.

    Args:
        client: a client of redis-py or valkey-py, blocking or asyncio, standalone, cluster or
            sentinel, `decode_responses` on or off. A blocking client serves async methods from
            a thread; an asyncio client serves the blocking methods from other threads than that of
            its event loop.
        index_name: name of the index, and of the keys of its documents.
        embedding: model that makes the vectors.
        async_client: an asyncio client for the async methods, beside a blocking `client`.
        fields: metadata that filters may name, at most nine: "tag" for one string, bool or
            number, "numeric" for numbers, as in `{"lang": "tag", "year": "numeric"}`.
        exact: search without an index, by reading and scoring all documents in this process. Works
            on any server.
        ttl: seconds (or a timedelta) after which a document expires; None keeps it.
        key_prefix: beginning of all keys, and of the name of the index.
        separator: what stands between name and id. With an empty one, keys are those of 0.3.0.
        algorithm: "HNSW", approximate and fast, or "FLAT", exact.
        distance: "COSINE", "L2" or "IP".
        max_scored: documents that a search may examine in this process, beyond which it raises
            `SearchLimitError`: with `exact`, and where a filter cannot be asked of the server.
        batch_bytes: size at which a pipeline of documents ends. valkey-search is known to stall on
            pipelines of more than 20 KB; other servers load a little faster with larger ones.

    The constructor sends nothing. The first use finds the index, one round trip (two for one with
    other fields), and the first documents create it. A search for `k` documents is one round trip;
    further ones follow where documents have expired, or where the server cannot be asked for a
    filter exactly. Methods raise the client's own errors when the server is unreachable, full,
    read-only or refuses permission. One object may be used by many threads and tasks at once.

    Examples:
        >>> from langchain_core.embeddings import DeterministicFakeEmbedding
        >>> store = MemorystoreVectorStore(
        ...     client, "docs", DeterministicFakeEmbedding(size=8), fields={"lang": "tag"}
        ... )
        >>> store.add_texts(["Hello!", "Salut!"], [{"lang": "en"}, {"lang": "fr"}], ids=["1", "2"])
        ['1', '2']
        >>> [document.id for document in store.similarity_search("Hello!", filter={"lang": "fr"})]
        ['2']
        >>> store.delete(["1", "2"])
        True
    """

    def __init__(
        self,
        client: Any,
        index_name: str,
        embedding: Embeddings,
        *,
        async_client: Any = None,
        fields: Mapping[str, str] | None = None,
        exact: bool = False,
        ttl: float | timedelta | None = None,
        key_prefix: str = "",
        separator: str = ":",
        algorithm: str = "HNSW",
        distance: str = "COSINE",
        max_scored: int = 2_000,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self._sync, self._async = runners_for(client, async_client)
        if not isinstance(embedding, Embeddings):
            kind = type(embedding).__name__
            raise ArgumentTypeError("embedding", f"must be LangChain's Embeddings, not {kind}")
        self._embedding = embedding
        self._ttl_ms = ttl_milliseconds(ttl)
        keys = document_keys(key_prefix, index_name, separator)
        codec = RowCodec(fields=check_fields(fields or {}, RowCodec().reserved))
        distance = one_of("distance", distance, DISTANCES)
        spec = IndexSpec(keys, codec.fields, one_of("algorithm", algorithm, ALGORITHMS), distance)
        index = Index(spec, exact=boolean("exact", exact))
        self._ops = document_ops(
            codec,
            index,
            embedding,
            batch_bytes=positive("batch_bytes", batch_bytes),
            max_scored=positive("max_scored", max_scored),
            expires=bool(ttl),
        )

    @property
    def embeddings(self) -> Embeddings:
        """The embedding model. No round trip."""
        return self._embedding

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        client: Any = None,
        index_name: str = "",
        **options: Any,
    ) -> Self:
        """Create a store and add texts to it; `options` go to the constructor.

        Round trips of `add_texts`.

        Examples:
            >>> store = MemorystoreVectorStore.from_texts(
            ...     ["Hello!"], store.embeddings, ids=["1"], client=client, index_name="docs-2"
            ... )
            >>> store.delete(["1"])
            True
        """
        store = cls(client, index_name, embedding, **options)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    @classmethod
    async def afrom_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        client: Any = None,
        index_name: str = "",
        **options: Any,
    ) -> Self:
        """Async twin of `from_texts`."""
        store = cls(client, index_name, embedding, **options)
        await store.aadd_texts(texts, metadatas, ids=ids)
        return store

    # Writing

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        ttl: float | timedelta | None = None,
        batch_size: int = 100,
        **kwargs: Any,
    ) -> list[str]:
        """Add documents, or replace those that have these ids, and return their ids.

        A replaced document keeps no field and no expiry. Ids are made for those without one. `ttl`
        takes the place of the store's. Everything is checked first, but for the vectors.

        `batch_size` texts at a time go to the embedding. A batch takes a round trip a node to see
        what it replaces, unless all its ids are made here, and one for each `batch_bytes`. Two
        writers of one id at once may leave fields of both. If something fails once writing has
        begun, `DocumentsNotStoredError` names the ids that are stored.

        Examples:
            >>> store.add_texts(["Hello!"], [{"lang": "en"}], ids=["1"])
            ['1']
        """
        no_more_arguments("add_texts", kwargs)
        return self._sync.run(self._add(texts, metadatas, ids, ttl, batch_size))

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        ttl: float | timedelta | None = None,
        batch_size: int = 100,
        **kwargs: Any,
    ) -> list[str]:
        """Async twin of `add_texts`."""
        no_more_arguments("add_texts", kwargs)
        return await self._async.run(self._add(texts, metadatas, ids, ttl, batch_size))

    def _add(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None,
        ids: list[str] | None,
        ttl: float | timedelta | None,
        batch_size: int,
    ) -> Flow[list[str]]:
        drafts = self._ops.additions.drafts(texts, metadatas, ids)
        ttl_ms = self._ttl_ms if ttl is None else ttl_milliseconds(ttl)
        return self._ops.additions.add(drafts, ttl_ms, positive("batch_size", batch_size))

    def delete(
        self,
        ids: list[str] | None = None,
        *,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        **kwargs: Any,
    ) -> bool:
        """Remove documents by their ids, or all for which a filter holds, and return True.

        Ids without a document are no error; `[]` removes nothing, and `filter={}` everything. By
        ids, two round trips a node for each 100. By filter, every key of the server is scanned: a
        round trip for each 1,000 keys, and two a node for each 100 documents.

        Examples:
            >>> store.delete(["1"])
            True
            >>> store.delete(filter={"lang": {"$ne": "en"}})
            True
        """
        no_more_arguments("delete", kwargs)
        return self._sync.run(self._delete(ids, filter))

    async def adelete(
        self,
        ids: list[str] | None = None,
        *,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        **kwargs: Any,
    ) -> bool:
        """Async twin of `delete`."""
        no_more_arguments("delete", kwargs)
        return await self._async.run(self._delete(ids, filter))

    def _delete(
        self,
        ids: list[str] | None,
        filter: Mapping[str, Any] | None,  # noqa: A002
    ) -> Flow[bool]:
        if ids is not None and filter is None:
            return self._ops.stored.delete(ids)
        if filter is not None and ids is None:
            return self._ops.stored.delete_matching(filter)
        raise InvalidArgumentError(
            "ids or filter", "must be given, and one of them alone; filter={} removes all"
        )

    # Reading

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return the documents that are there, in the order of their ids.

        One round trip a node for each 100.

        Examples:
            >>> store.get_by_ids(["missing"])
            []
        """
        return self._sync.run(self._ops.stored.get(ids))

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Async twin of `get_by_ids`."""
        return await self._async.run(self._ops.stored.get(ids))

    # The index

    def create_index(self, wait: float = 30, **parameters: int) -> None:
        """Create the index unless it is there, and wait until existing documents are in it.

        `parameters` are those of HNSW: `m`, `ef_construction`, `ef_runtime`; and `initial_cap`.
        May be repeated: an index that is there is compared with what the store asks for, and
        `IndexMismatchError` says how it differs. Where it lacks declared fields, a second one is
        created over the same documents. After `wait` seconds it returns all the same, and logs
        that; `index_info` tells how far it is. Does nothing with `exact`.

        A round trip or two, a call of the embedding for the size of its vectors, and a round trip a
        primary for each look, up to two a second.

        Examples:
            >>> store.create_index(m=32)
        """
        self._sync.run(self._create_index(wait, parameters))

    async def acreate_index(self, wait: float = 30, **parameters: int) -> None:
        """Async twin of `create_index`."""
        await self._async.run(self._create_index(wait, parameters))

    def _create_index(self, wait: float, parameters: Mapping[str, int]) -> Flow[None]:
        checked = check_parameters(self._ops.index.spec.algorithm, parameters)
        return self._ops.create_index(not_negative_number("wait", wait), checked)

    def index_info(self) -> IndexInfo:
        """Return the state of the index: its documents, and how many are still to be indexed.

        One round trip a primary.

        Examples:
            >>> store.create_index()
            >>> store.index_info().ready
            True
        """
        return self._sync.run(self._ops.index_info())

    async def aindex_info(self) -> IndexInfo:
        """Async twin of `index_info`."""
        return await self._async.run(self._ops.index_info())

    def drop_index(self) -> None:
        """Remove the index, and no document. One round trip. Idempotent.

        Examples:
            >>> store.drop_index()
        """
        self._sync.run(self._ops.drop_index())

    async def adrop_index(self) -> None:
        """Async twin of `drop_index`."""
        await self._async.run(self._ops.drop_index())
