"""Searches: on a server with FT.SEARCH, or exactly and in this process.

Strategy: a server's answer is never taken as it is. Rows are sorted, made unique and rechecked by
the filter; where that leaves too few, more are asked for, until there are enough, or all have been
seen, or the search raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from langchain_google_memorystore_redis._documents.codec import RowCodec, encode_value
from langchain_google_memorystore_redis._documents.indexes import any_primary
from langchain_google_memorystore_redis._documents.information import IndexInfo
from langchain_google_memorystore_redis._documents.keys import DocumentKeys
from langchain_google_memorystore_redis._documents.rows import Row, scan_rows
from langchain_google_memorystore_redis._filters.expression import ExpressionWriter
from langchain_google_memorystore_redis._filters.language import Condition
from langchain_google_memorystore_redis._filters.predicate import holds
from langchain_google_memorystore_redis._redis.op import Flow, Op, ask
from langchain_google_memorystore_redis._vectors.distances import distances_to
from langchain_google_memorystore_redis._vectors.packing import unpack_vectors
from langchain_google_memorystore_redis.errors import InvalidVectorError, SearchLimitError

_SPARE = 10
"""Rows asked for beyond twice `k`, where some may be dropped again."""

_GROWTH = 4


class Hit(NamedTuple):
    """Document that a search found."""

    id: str
    distance: float
    row: Row


@dataclass(frozen=True, slots=True)
class Request:
    """Search for the `k` nearest documents for which a condition holds."""

    vector: bytes
    k: int
    condition: Condition
    ef_runtime: int | None = None


@dataclass(frozen=True, slots=True)
class Searches:
    """Searches among the documents of an index."""

    keys: DocumentKeys
    codec: RowCodec
    distance: str
    max_scored: int
    expires: bool
    """True where documents may expire, which valkey-search leaves out of an answer uncounted."""

    def nearest(self, request: Request, index: IndexInfo) -> Flow[list[Hit]]:
        """Return hits by FT.SEARCH, nearest first.

        One round trip, and more where the recheck leaves too few.
        """
        writer = ExpressionWriter(self.codec.fields, encode_value, escapes=index.knows_escapes)
        expression = writer.write(request.condition)
        if expression.text is None:
            return []
        asked = request.k if expression.exact else 2 * request.k + _SPARE
        limit = max(self.max_scored, asked)
        before = -1
        while True:
            command = self.search_command(index.name, expression.text, request, asked)
            node = yield from any_primary()
            rows = yield from ask(Op(command, parse_search, node=node))
            hits = self._hits(rows, request.condition)
            complete = len(rows) < asked and (not self.expires or len(rows) == before)
            if len(hits) >= request.k or complete:
                return hits[: request.k]
            if asked == limit:
                raise SearchLimitError(limit, len(hits), request.k)
            before, asked = len(rows), min(_GROWTH * asked, limit)

    def search_command(
        self, name: str, expression: str, request: Request, count: int
    ) -> tuple[Any, ...]:
        """Return FT.SEARCH for a number of rows."""
        ef_runtime = f" EF_RUNTIME {request.ef_runtime}" if request.ef_runtime else ""
        query = (
            f"{expression if expression == '*' else f'({expression})'}=>"
            f"[KNN {count} @{self.codec.vector_field} $vector{ef_runtime} "
            f"AS {self.codec.distance_field}]"
        )
        parameters = ("PARAMS", 2, "vector", request.vector)
        return ("FT.SEARCH", name, query, *parameters, "LIMIT", 0, count, "DIALECT", 2)

    def _hits(self, rows: Iterable[tuple[bytes, Row | None]], condition: Condition) -> list[Hit]:
        hits: dict[bytes, Hit] = {}
        for key, row in rows:
            if row is None or not self._is_match(row, condition):
                continue  # expired, foreign, or no match
            distance = row.get(self.codec.distance_field.encode())
            if distance is not None:
                hits.setdefault(key, Hit(self.keys.id(key), float(distance), row))
        return sorted(hits.values(), key=lambda hit: hit.distance)

    def _is_match(self, row: Row, condition: Condition) -> bool:
        return self.codec.text(row) is not None and holds(condition, self.codec.declared(row))

    def exact_nearest(self, request: Request) -> Flow[list[Hit]]:
        """Return hits among all documents, which are read whole, nearest first.

        One round trip for each 1,000 keys of the server or 100 documents. Raises
        `SearchLimitError` beyond `max_scored` documents.
        """
        vector_name = self.codec.vector_field.encode()
        found: dict[str, Row] = {}
        other_sizes = set()
        pages = scan_rows(self.keys, limit=self.max_scored)
        for id_, row in (yield from pages).items():
            vector = row.get(vector_name)
            if vector is None or not self._is_match(row, request.condition):
                continue
            if len(vector) == len(request.vector):
                found[id_] = row
            else:
                other_sizes.add(len(vector) // 4)
        if not found:
            if other_sizes:
                sizes = " or ".join(map(str, sorted(other_sizes)))
                problem = f"has {len(request.vector) // 4} numbers, where documents have {sizes}"
                raise InvalidVectorError(0, problem)
            return []
        matrix = unpack_vectors([row[vector_name] for row in found.values()])
        (query,) = unpack_vectors([request.vector])
        distances = distances_to(query, matrix, self.distance).tolist()
        hits = [Hit(i, d, row) for (i, row), d in zip(found.items(), distances, strict=True)]
        return sorted(hits, key=lambda hit: hit.distance)[: request.k]


def parse_search(reply: Any) -> list[tuple[bytes, Row | None]]:
    """Read FT.SEARCH: arrays under RESP2 and of valkey-search, maps of RediSearch under RESP3.

    A document that expired meanwhile has no fields.
    """
    if isinstance(reply, Mapping):
        named = {_text(name): value for name, value in reply.items()}
        return [
            (_bytes(row["id"]), _row(row.get("extra_attributes")))
            for row in (
                {_text(name): value for name, value in each.items()}
                for each in named.get("results", ())
            )
        ]
    return [
        (_bytes(key), _row(fields)) for key, fields in zip(reply[1::2], reply[2::2], strict=True)
    ]


def _row(fields: Any) -> Row | None:
    if fields is None:
        return None
    pairs = fields.items() if isinstance(fields, Mapping) else zip(*[iter(fields)] * 2, strict=True)
    return {_bytes(name): _bytes(value) for name, value in pairs}


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
