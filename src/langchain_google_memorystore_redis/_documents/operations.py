"""Operations on the documents of one store.

Strategy: pure. Each is a flow that finds the index first, asks the embedding where it was given a
text, and leaves the rest to searches, additions and rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from langchain_core.documents import Document

from langchain_google_memorystore_redis._documents.additions import Additions
from langchain_google_memorystore_redis._documents.codec import RowCodec
from langchain_google_memorystore_redis._documents.indexes import (
    MAX_EF,
    Index,
    drop_index,
    read_info,
)
from langchain_google_memorystore_redis._documents.information import IndexInfo
from langchain_google_memorystore_redis._documents.searches import Hit, Request, Searches
from langchain_google_memorystore_redis._documents.stored import StoredDocuments
from langchain_google_memorystore_redis._filters.language import parse_filter
from langchain_google_memorystore_redis._redis.arguments import positive
from langchain_google_memorystore_redis._redis.op import Flow
from langchain_google_memorystore_redis._redis.scan import ScanCursor, scan_page, start_scan
from langchain_google_memorystore_redis._vectors.distances import relevance
from langchain_google_memorystore_redis._vectors.diversity import choose_diverse
from langchain_google_memorystore_redis._vectors.embeddings import (
    Embedding,
    embed_query,
    embed_texts,
)
from langchain_google_memorystore_redis._vectors.packing import pack_vectors, unpack_vectors
from langchain_google_memorystore_redis.errors import (
    IndexMissingError,
    InvalidArgumentError,
)

_EMPTY_SCANS = 100
"""Pages of 1,000 keys among which a search without an index looks for documents."""


class Query(NamedTuple):
    """Search, as a caller asks for it."""

    subject: Any
    """Text, or with `is_text=False` a vector."""
    k: int
    filter: Mapping[str, Any] | None = None
    ef_runtime: int | None = None
    is_text: bool = True
    max_distance: float | None = None
    """Distance beyond which documents are no hits."""


@dataclass(frozen=True, slots=True)
class DocumentOps:
    """Operations on the documents of one store."""

    stored: StoredDocuments
    index: Index
    embedding: Embedding
    additions: Additions
    searches: Searches

    # Reading

    def similar(self, query: Query) -> Flow[list[tuple[Document, float]]]:
        """Return the nearest documents with their distances."""
        hits, _ = yield from self._nearest(query)
        return [(self._document(hit), hit.distance) for hit in hits]

    def near(self, query: Query) -> Flow[list[Document]]:
        """Return the nearest documents."""
        hits, _ = yield from self._nearest(query)
        return list(map(self._document, hits))

    def relevant(self, query: Query) -> Flow[list[tuple[Document, float]]]:
        """Return the nearest documents with their relevance."""
        hits, vector = yield from self._nearest(query)
        distance, (numbers,) = self.index.spec.distance, unpack_vectors([vector])
        return [(self._document(hit), relevance(hit.distance, distance, numbers)) for hit in hits]

    def diverse(self, query: Query, fetch_k: int, lambda_mult: float) -> Flow[list[Document]]:
        """Return near documents that are far from each other."""
        k, fetch_k = positive("k", query.k), positive("fetch_k", fetch_k)
        if isinstance(lambda_mult, bool) or not 0 <= lambda_mult <= 1:
            raise InvalidArgumentError("lambda_mult", "must be from 0 to 1")
        hits, vector = yield from self._nearest(query._replace(k=max(k, fetch_k)))
        if not hits:
            return []
        name = self.stored.codec.vector_field.encode()
        matrix = unpack_vectors([hit.row[name] for hit in hits])
        (numbers,) = unpack_vectors([vector])
        return [self._document(hits[i]) for i in choose_diverse(numbers, matrix, k, lambda_mult)]

    def _nearest(self, query: Query) -> Flow[tuple[list[Hit], bytes]]:
        """Return the nearest documents, and the vector of the query."""
        hits, packed = yield from self._all_nearest(query)
        most = math.inf if query.max_distance is None else query.max_distance
        return [hit for hit in hits if hit.distance <= most], packed

    def _all_nearest(self, query: Query) -> Flow[tuple[list[Hit], bytes]]:
        k = positive("k", query.k)
        condition = parse_filter(query.filter, self.stored.codec.fields)
        self._check_ef_runtime(query.ef_runtime)
        vector = query.subject
        if query.is_text:
            vector = yield from embed_query(self.embedding, vector)
        (packed,) = yield from self.index.pack([vector])
        request = Request(packed, k, condition, query.ef_runtime)
        if self.index.is_exact:
            return (yield from self.searches.exact_nearest(request)), packed
        found = yield from self.index.find()
        if found is None:
            yield from self._require_no_documents()
            return [], packed
        try:
            return (yield from self.searches.nearest(request, found)), packed
        except IndexMissingError:
            self.index.forget()  # dropped meanwhile
            raise

    def _check_ef_runtime(self, ef_runtime: int | None) -> None:
        if ef_runtime is None:
            return
        if self.index.is_exact or self.index.spec.algorithm != "HNSW":
            raise InvalidArgumentError("ef_runtime", "is for indexes of the algorithm HNSW")
        if positive("ef_runtime", ef_runtime) > MAX_EF:
            raise InvalidArgumentError("ef_runtime", f"must be {MAX_EF:,} or less")

    def _require_no_documents(self) -> Flow[None]:
        """Raise `IndexMissingError` unless a store without an index is empty."""
        cursor: ScanCursor | None = yield from start_scan()
        for _ in range(_EMPTY_SCANS):
            if cursor is None:
                return
            ids, cursor = yield from scan_page(self.stored.keys.prefix, cursor)
            if ids:
                break
        raise IndexMissingError(self.index.spec.keys.index)

    def _document(self, hit: Hit) -> Document:
        return cast("Document", self.stored.codec.decode(hit.id, hit.row))  # a hit has a text

    # The index

    def create_index(self, wait: float, parameters: Mapping[str, int]) -> Flow[None]:
        """Create the index, for vectors of the size that the embedding makes."""
        if self.index.is_exact:
            return
        dimensions = yield from self.index.dimensions()
        if dimensions is None:
            (vector,) = yield from embed_texts(self.embedding, ["size of a vector"], 0)
            (packed,) = pack_vectors([vector], distance=self.index.spec.distance)
            dimensions = len(packed) // 4
        yield from self.index.create(dimensions, parameters, wait)

    def index_info(self) -> Flow[IndexInfo]:
        """Return the state of the index."""
        if self.index.is_exact:
            raise InvalidArgumentError("exact", "is True: there is no index")
        found = yield from self.index.find()
        if found is None:
            raise IndexMissingError(self.index.spec.keys.index)
        return (yield from read_info(found.name))

    def drop_index(self) -> Flow[None]:
        """Remove the index, and no document; nothing if there is none."""
        found = None if self.index.is_exact else (yield from self.index.find())
        self.index.forget()
        if found is not None:
            yield from drop_index(found.name)


def document_ops(
    codec: RowCodec,
    index: Index,
    embedding: Embedding,
    *,
    batch_bytes: int,
    max_scored: int,
    expires: bool = False,
) -> DocumentOps:
    """Return the operations of a store."""
    keys, distance = index.spec.keys, index.spec.distance
    return DocumentOps(
        StoredDocuments(keys, codec),
        index,
        embedding,
        Additions(keys, codec, index, embedding, batch_bytes),
        Searches(keys, codec, distance, max_scored, expires),
    )
