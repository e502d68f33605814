"""`RedisVectorStore`, the vector store of release 0.3.0.

Strategy: the operations of `MemorystoreVectorStore` over that release's keys, without a separator
and without declared fields. Its index is made by `init_index` alone, and taken as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from langchain_google_memorystore_redis._documents.codec import RowCodec
from langchain_google_memorystore_redis._documents.index_configs import (
    VectorIndexConfig,
    distance_strategy_of,
)
from langchain_google_memorystore_redis._documents.indexes import (
    GivenIndex,
    Index,
    IndexSpec,
    check_parameters,
    drop_index,
)
from langchain_google_memorystore_redis._documents.keys import LegacyKeys
from langchain_google_memorystore_redis._documents.operations import Query, document_ops
from langchain_google_memorystore_redis._documents.retrieval import Retrieval, no_more_arguments
from langchain_google_memorystore_redis._documents.vectorstore import BATCH_BYTES
from langchain_google_memorystore_redis._redis.arguments import positive
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.op import Flow
from langchain_google_memorystore_redis.errors import (
    ArgumentTypeError,
    IndexMissingError,
    InvalidArgumentError,
    InvalidFilterError,
)

_MAX_SCORED = 2_000


class RedisVectorStore(Retrieval):
    """Vector store of release 0.3.0: the same calls, keys, fields and index.

    A document is a hash under `index_name + id`, without a separator, and its id is that whole key.
    `init_index` makes the index. New programs are better served by `MemorystoreVectorStore`, which
    has filters, expiry, keys that no two indexes share, and search without an index.

    Args:
        client: a client of redis-py or valkey-py, blocking or asyncio, standalone, cluster or
            sentinel, `decode_responses` on or off.
        index_name: name of the index, and beginning of the keys of its documents.
        embeddings: model that makes the vectors.
        content_field: field of a hash that holds the text.
        vector_field: field of a hash that holds the vector.

    All search methods take `distance_threshold` (or `score_threshold`, its other name), the
    distance beyond which documents are no hits; distances are those of
    `similarity_search_with_score`, where the least is the nearest. They take `distance_strategy`
    too, which changes nothing: the index has its own.

    Examples:
        >>> from langchain_core.embeddings import DeterministicFakeEmbedding
        >>> from langchain_google_memorystore_redis import HNSWConfig
        >>> RedisVectorStore.init_index(client, HNSWConfig("notes-", vector_size=8))
        >>> notes = RedisVectorStore(client, "notes-", DeterministicFakeEmbedding(size=8))
        >>> notes.add_texts(["Hello!"], [{"lang": "en"}], ids=["1"])
        ['notes-1']
        >>> notes.similarity_search("Hello!", k=1)
        [Document(id='notes-1', metadata={'lang': 'en'}, page_content='Hello!')]
        >>> notes.delete(["notes-1"])
        True
        >>> RedisVectorStore.drop_index(client, "notes-")
    """

    def __init__(
        self,
        client: Any,
        index_name: str,
        embeddings: Embeddings,
        content_field: str = "page_content",
        vector_field: str = "vector",
    ) -> None:
        self._sync, self._async = runners_for(client)
        if not isinstance(embeddings, Embeddings):
            kind = type(embeddings).__name__
            raise ArgumentTypeError("embeddings", f"must be LangChain's Embeddings, not {kind}")
        self.content_field = _name("content_field", content_field)
        self.vector_field = _name("vector_field", vector_field)
        if content_field == vector_field:
            raise InvalidArgumentError("content_field", "must differ from vector_field")
        self.index_name = self.key_prefix = _name("index_name", index_name)
        self.embeddings_service = embeddings
        spec = IndexSpec(LegacyKeys(index_name, index_name), vector_field=vector_field)
        self._ops = document_ops(
            RowCodec({}, content_field, vector_field, takes_empty_text=True),
            GivenIndex(spec),
            embeddings,
            batch_bytes=BATCH_BYTES,
            max_scored=_MAX_SCORED,
        )

    @property
    def embeddings(self) -> Embeddings:
        """The embedding model. No round trip."""
        return self.embeddings_service

    # The index

    @staticmethod
    def init_index(client: Any, index_config: VectorIndexConfig) -> None:
        """Create an index, and return when existing documents are in it.

        May be repeated: an index that is there is compared with the settings, and
        `IndexMismatchError` says how it differs. Raises `InvalidArgumentError` for a name that
        begins another's, or is begun by it: without a separator, one would find the documents of
        the other. After 30 seconds it returns all the same, and logs that.

        Three round trips, one for each such name, and one a primary for each look, up to two a
        second.
        """
        runners_for(client)[0].run(_init_index(index_config))

    @staticmethod
    async def ainit_index(client: Any, index_config: VectorIndexConfig) -> None:
        """Async twin of `init_index`."""
        await runners_for(client)[1].run(_init_index(index_config))

    @staticmethod
    def drop_index(client: Any, index_name: str, index_only: bool = True) -> None:
        """Remove an index, and no document. One round trip. Idempotent."""
        runners_for(client)[0].run(_drop_index(index_name, index_only))

    @staticmethod
    async def adrop_index(client: Any, index_name: str, index_only: bool = True) -> None:
        """Async twin of `drop_index`."""
        await runners_for(client)[1].run(_drop_index(index_name, index_only))

    # Writing

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        batch_size: int = 1_000,
        **kwargs: Any,
    ) -> list[str]:
        """Add documents, or replace those that have these ids, and return their keys.

        Ids are made for those without one. Everything is checked first, but for the vectors.
        `batch_size` texts at a time go to the embedding. A batch takes a round trip a node to see
        what it replaces, unless all its ids are made here, and one for each 16 KB. If something
        fails once writing has begun, `DocumentsNotStoredError` names the keys that are stored.
        """
        no_more_arguments("add_texts", kwargs)
        return self._sync.run(self._add(texts, metadatas, ids, batch_size))

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        batch_size: int = 1_000,
        **kwargs: Any,
    ) -> list[str]:
        """Async twin of `add_texts`."""
        no_more_arguments("add_texts", kwargs)
        return await self._async.run(self._add(texts, metadatas, ids, batch_size))

    def _add(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None,
        ids: list[str] | None,
        batch_size: int,
    ) -> Flow[list[str]]:
        drafts = self._ops.additions.drafts(texts, metadatas or None, ids)
        return self._ops.additions.add(drafts, 0, positive("batch_size", batch_size))

    def add_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
        """Add documents, or replace those that were read from this store, and return their keys.

        Round trips of `add_texts`.
        """
        return super().add_documents(self._with_raw_ids(documents), **kwargs)

    async def aadd_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
        """Async twin of `add_documents`."""
        return await super().aadd_documents(self._with_raw_ids(documents), **kwargs)

    def _with_raw_ids(self, documents: Iterable[Document]) -> list[Document]:
        """Return documents with ids such as `add_texts` takes them, where they are keys."""
        prefix = self.key_prefix
        return [
            each.model_copy(update={"id": each.id.removeprefix(prefix) or None})
            if each.id and each.id.startswith(prefix)
            else each
            for each in documents
        ]

    @classmethod
    def from_texts(  # noqa: PLR0917  (as release 0.3.0 has it)
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        client: Any = None,
        index_name: str = "",
        **kwargs: Any,
    ) -> Self:
        """Create a store and add texts to it; `kwargs` go to the constructor.

        Round trips of `add_texts`. It makes no index.
        """
        store = cls(client, index_name, embedding, **kwargs)
        store.add_texts(texts, metadatas, ids)
        return store

    @classmethod
    async def afrom_texts(  # noqa: PLR0917
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        client: Any = None,
        index_name: str = "",
        **kwargs: Any,
    ) -> Self:
        """Async twin of `from_texts`."""
        store = cls(client, index_name, embedding, **kwargs)
        await store.aadd_texts(texts, metadatas, ids)
        return store

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Remove documents by their keys or raw ids; returns False for None and `[]`.

        What has no document is no error. Two round trips a node for each 100.
        """
        self._refuse_filter(kwargs)
        no_more_arguments("delete", kwargs)
        return bool(ids) and self._sync.run(self._ops.stored.delete(ids or ()))

    async def adelete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Async twin of `delete`."""
        self._refuse_filter(kwargs)
        no_more_arguments("delete", kwargs)
        return bool(ids) and await self._async.run(self._ops.stored.delete(ids or ()))

    # Reading

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return the documents that are there, by their keys or raw ids, in that order.

        One round trip a node for each 100.
        """
        return self._sync.run(self._ops.stored.get(ids))

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Async twin of `get_by_ids`."""
        return await self._async.run(self._ops.stored.get(ids))

    def _asked(self, method: str, query: Query, more: Mapping[str, Any]) -> Query:
        """Return a query with the threshold that release 0.3.0 knows under two names."""
        self._refuse_filter({"filter": query.filter})
        rest = dict(more)
        thresholds = [rest.pop(name, None) for name in ("distance_threshold", "score_threshold")]
        strategy = rest.pop("distance_strategy", None)
        if strategy is not None:
            distance_strategy_of(strategy)
        no_more_arguments(method, rest)
        given = [each for each in thresholds if each is not None]
        return query._replace(max_distance=_threshold(given[0])) if given else query

    @staticmethod
    def _refuse_filter(arguments: Mapping[str, Any]) -> None:
        if arguments.get("filter") is not None:
            raise InvalidFilterError(
                "RedisVectorStore has none. MemorystoreVectorStore has them, over the same "
                'documents: MemorystoreVectorStore(client, index_name, embedding, separator="", '
                'fields={"lang": "tag"})'
            )


def _init_index(config: VectorIndexConfig) -> Flow[None]:
    if not isinstance(config, VectorIndexConfig):
        kind = type(config).__name__
        raise ArgumentTypeError("index_config", f"must be HNSWConfig or FLATConfig, not {kind}")
    keys = LegacyKeys(config.name, config.name)
    spec = IndexSpec(
        keys, {}, config.type, config.distance_metric, config.field_name, config.vector_size
    )
    parameters = check_parameters(config.type, config.parameters)
    yield from Index(spec).create(config.vector_size, parameters)


def _drop_index(index_name: str, index_only: bool) -> Flow[None]:
    if not index_only:
        raise InvalidArgumentError(
            "index_only",
            "must be True: Memorystore's FT.DROPINDEX removes no documents. "
            'MemorystoreVectorStore(client, index_name, embedding, separator="") does, by '
            "delete(filter={})",
        )
    with suppress(IndexMissingError):
        yield from drop_index(_name("index_name", index_name))


def _name(argument: str, value: str) -> str:
    if not isinstance(value, str):
        raise ArgumentTypeError(argument, f"must be a str, not {type(value).__name__}")
    if not value:
        raise InvalidArgumentError(argument, "must not be empty")
    return value


def _threshold(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        kind = type(value).__name__
        raise ArgumentTypeError("distance_threshold", f"must be a number, not {kind}") from error
    if isinstance(value, (bool, str)) or math.isnan(number):
        raise InvalidArgumentError("distance_threshold", f"must be a number, not {value!r:.80}")
    return number
