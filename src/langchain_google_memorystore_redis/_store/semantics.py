"""Vectors of items, and their similarity to a query.

Strategy: a row holds the size and the numbers of all vectors of an item, which has the score of the
nearest. Vectors of another size than the query's are an error, because they are of another model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from langchain_google_memorystore_redis._redis.op import Flow
from langchain_google_memorystore_redis._vectors.distances import cosines
from langchain_google_memorystore_redis._vectors.embeddings import (
    Embedding,
    embed_query,
    embed_texts,
)
from langchain_google_memorystore_redis._vectors.packing import pack_vectors, unpack_vectors
from langchain_google_memorystore_redis.errors import InvalidVectorError

_HEAD_BYTES = 4
_NUMBER_BYTES = 4


@dataclass(frozen=True, slots=True)
class Semantics:
    """Semantic search with one embedding, whose vectors have `dims` numbers; None for any."""

    embedding: Embedding
    dims: int | None

    def embed_items(self, items: Iterable[tuple[str, ...]]) -> Flow[dict[tuple[str, ...], bytes]]:
        """Return the row of each group of texts; every text is embedded once."""
        groups = dict.fromkeys(items)
        texts = list(dict.fromkeys(text for group in groups for text in group))
        if not texts:
            return {}
        vectors = yield from embed_texts(self.embedding, texts, 0)
        packed = dict(zip(texts, self._pack(vectors), strict=True))
        return {group: _row([packed[text] for text in group]) for group in groups if group}

    def embed_query(self, query: str) -> Flow[bytes]:
        """Return the vector of a query."""
        vector = yield from embed_query(self.embedding, query)
        return self._pack([vector])[0]

    def _pack(self, vectors: Iterable[object]) -> list[bytes]:
        # As for inner products, because a text without meaning may have a vector of zeros.
        return pack_vectors(vectors, distance="IP", dimensions=self.dims)

    def count(self, rows: Iterable[bytes | None]) -> int:
        """Return the number of vectors in rows."""
        return sum((len(row) - _HEAD_BYTES) // _size(row) for row in rows if row)

    def scores(self, query: bytes, rows: Sequence[bytes | None]) -> list[float | None]:
        """Return the cosine of each row's nearest vector and the query; None without vectors."""
        found: list[float | None] = [None] * len(rows)
        places = [place for place, row in enumerate(rows) if row]
        if not places:
            return found
        vectors, starts = [], [0]
        for row in (row for row in rows if row):
            if _size(row) != len(query):
                raise InvalidVectorError(
                    0,
                    f"has {len(query) // _NUMBER_BYTES} numbers, where items have vectors of "
                    f"{_size(row) // _NUMBER_BYTES}: they are of another embedding. Put the items "
                    "again",
                )
            vectors.append(row[_HEAD_BYTES:])
            starts.append(starts[-1] + (len(row) - _HEAD_BYTES) // len(query))
        matrix = unpack_vectors([b"".join(vectors)]).reshape(starts[-1], -1)
        (vector,) = unpack_vectors([query])
        similarity = cosines(vector, matrix)
        best = np.maximum.reduceat(similarity, starts[:-1]).tolist()
        for place, score in zip(places, best, strict=True):
            found[place] = score
        return found


def _row(vectors: Sequence[bytes]) -> bytes:
    return len(vectors[0]).to_bytes(_HEAD_BYTES, "little") + b"".join(vectors)


def _size(row: bytes) -> int:
    """Return the bytes of one vector of a row."""
    return int.from_bytes(row[:_HEAD_BYTES], "little") or 1
