"""Operations on the documents of one store.

Strategy: pure. Each is a flow that finds the index first, asks the embedding where it was given a
text, and leaves the rest to searches, additions and rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from langchain_core.documents import Document

from langchain_google_memorystore_redis._documents.additions import Additions
from langchain_google_memorystore_redis._documents.codec import RowCodec, decode_value
from langchain_google_memorystore_redis._documents.embeddings import (
    Embedding,
    embed_query,
    embed_texts,
)
from langchain_google_memorystore_redis._documents.indexes import (
    MAX_EF,
    Index,
    drop_index,
    read_info,
)
from langchain_google_memorystore_redis._documents.information import IndexInfo
from langchain_google_memorystore_redis._documents.keys import DocumentKeys
from langchain_google_memorystore_redis._documents.rows import (
    PAGE_SIZE,
    batched,
    listed,
    read_rows,
)
from langchain_google_memorystore_redis._documents.searches import Hit, Request, Searches
from langchain_google_memorystore_redis._filters.language import Condition, parse_filter
from langchain_google_memorystore_redis._filters.predicate import holds
from langchain_google_memorystore_redis._redis.arguments import iterable_not_str, positive
from langchain_google_memorystore_redis._redis.op import FanOut, Flow, Op
from langchain_google_memorystore_redis._redis.scan import ScanCursor, scan_page, start_scan
from langchain_google_memorystore_redis._vectors.distances import relevance
from langchain_google_memorystore_redis._vectors.diversity import choose_diverse
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


@dataclass(frozen=True, slots=True)
class DocumentOps:
    """Operations on the documents of one store."""

    keys: DocumentKeys
    codec: RowCodec
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
        name = self.codec.vector_field.encode()
        matrix = unpack_vectors([hit.row[name] for hit in hits])
        (numbers,) = unpack_vectors([vector])
        return [self._document(hits[i]) for i in choose_diverse(numbers, matrix, k, lambda_mult)]

    def _nearest(self, query: Query) -> Flow[tuple[list[Hit], bytes]]:
        """Return the nearest documents, and the vector of the query."""
        k = positive("k", query.k)
        condition = parse_filter(query.filter, self.codec.fields)
        self._check_ef_runtime(query.ef_runtime)
        dimensions = yield from self.index.dimensions()
        vector = query.subject
        if query.is_text:
            vector = yield from embed_query(self.embedding, vector)
        (packed,) = pack_vectors([vector], distance=self.index.spec.distance, dimensions=dimensions)
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
            ids, cursor = yield from scan_page(self.keys.prefix, cursor)
            if ids:
                break
        raise IndexMissingError(self.keys.index)

    def _document(self, hit: Hit) -> Document:
        return cast("Document", self.codec.decode(hit.id, hit.row))  # a hit has a text

    def get(self, ids: Iterable[str]) -> Flow[list[Document]]:
        """Return the documents that are there, in the order of their ids."""
        named = dict.fromkeys(iterable_not_str("ids", ids))
        rows = yield from read_rows([self.keys.key(each) for each in named])
        found = zip(named, _raised(rows), strict=True)
        documents = [self.codec.decode(id_, row) for id_, row in found]
        return [document for document in documents if document is not None]

    # Removing

    def delete(self, ids: Iterable[str]) -> Flow[bool]:
        """Remove documents; hashes without text are none and stay."""
        content = self.codec.content_field
        keys = [self.keys.key(each) for each in dict.fromkeys(iterable_not_str("ids", ids))]
        for page in batched(keys, PAGE_SIZE):
            answers = yield FanOut([Op(("HEXISTS", key, content), bool) for key in page])
            yield from _unlink(
                key for key, there in zip(page, _raised(answers), strict=True) if there
            )
        return True

    def delete_matching(self, filter: Mapping[str, Any]) -> Flow[bool]:  # noqa: A002
        """Remove the documents for which a filter holds, found by SCAN."""
        condition = parse_filter(filter, self.codec.fields)
        names = [self.codec.content_field, *self.codec.fields]
        cursor: ScanCursor | None = yield from start_scan()
        while cursor is not None:
            ids, cursor = yield from scan_page(self.keys.prefix, cursor)
            for keys in batched([self.keys.key(each) for each in ids], PAGE_SIZE):
                answers = yield FanOut([Op(("HMGET", key, *names), list) for key in keys])
                found = zip(keys, listed(answers), strict=True)
                yield from _unlink(
                    key for key, values in found if values and self._matches(values, condition)
                )
        return True

    def _matches(self, values: Sequence[bytes | None], condition: Condition) -> bool:
        text, *declared = values
        pairs = zip(self.codec.fields, declared, strict=True)
        return text is not None and holds(
            condition, {name: decode_value(raw) for name, raw in pairs if raw is not None}
        )

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
            raise IndexMissingError(self.keys.index)
        return (yield from read_info(found.name))

    def drop_index(self) -> Flow[None]:
        """Remove the index, and no document; nothing if there is none."""
        found = None if self.index.is_exact else (yield from self.index.find())
        self.index.forget()
        if found is not None:
            yield from drop_index(found.name)


def _unlink(keys: Iterable[bytes]) -> Flow[None]:
    ops = [Op(("UNLINK", key), bool) for key in keys]
    if ops:
        _raised((yield FanOut(ops)))


def _raised(answers: Sequence[Any]) -> Sequence[Any]:
    """Return answers; raise the first error among them."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers
