"""Rows of documents, read from their hashes.

Strategy: rows are read whole, a page a round trip and node. Keys of another type, and hashes
without fields, are none of ours, and are skipped where keys are listed rather than named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from langchain_google_memorystore_redis._documents.keys import DocumentKeys
from langchain_google_memorystore_redis._redis.op import FanOut, Flow, Op
from langchain_google_memorystore_redis._redis.scan import ScanCursor, scan_page, start_scan
from langchain_google_memorystore_redis.errors import SearchLimitError, WrongTypeError

T = TypeVar("T")

Row: TypeAlias = Mapping[bytes, bytes]
"""Fields of a document, as they are stored."""

PAGE_SIZE = 100
"""Documents that one round trip reads."""


def read_rows(keys: Sequence[bytes]) -> Flow[list[Row | Exception]]:
    """Return the row at each key, empty where there is none, or its error.

    One round trip a node for each 100.
    """
    rows: list[Row | Exception] = []
    for page in batched(keys, PAGE_SIZE):
        rows += yield FanOut([Op(("HGETALL", key), parse_row) for key in page])
    return rows


def scan_rows(keys: DocumentKeys, *, limit: int) -> Flow[dict[str, Row]]:
    """Return all rows of an index by their ids; raises `SearchLimitError` beyond a number."""
    found: dict[str, Row] = {}
    cursor: ScanCursor | None = yield from start_scan()
    while cursor is not None:
        ids, cursor = yield from scan_page(keys.prefix, cursor, "hash")
        new = [each for each in ids if each not in found]
        rows = yield from read_rows(list(map(keys.key, new)))
        found.update((i, row) for i, row in zip(new, listed(rows), strict=True) if row)
        if len(found) > limit:
            raise SearchLimitError(limit)
    return found


def listed(answers: Sequence[T | Exception]) -> Iterator[T | None]:
    """Yield the answers for keys that were listed; None for one of another type."""
    for answer in answers:
        if isinstance(answer, Exception) and not isinstance(answer, WrongTypeError):
            raise answer
        yield None if isinstance(answer, Exception) else answer


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield items in batches."""
    return (items[start : start + size] for start in range(0, len(items), size))


def parse_row(reply: Any) -> Row:
    """Read HGETALL: a map, or an array of names and values."""
    if isinstance(reply, Mapping):
        return reply
    return dict(zip(reply[::2], reply[1::2], strict=True))
