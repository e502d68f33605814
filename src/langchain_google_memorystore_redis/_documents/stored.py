"""Documents read and removed by their ids, or all that are there.

Strategy: a document is a hash with a text. What else lies under the prefix is left alone: skipped
where keys are listed, and an error where an id names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from langchain_core.documents import Document

from langchain_google_memorystore_redis._documents.codec import RowCodec, decode_value
from langchain_google_memorystore_redis._documents.keys import DocumentKeys
from langchain_google_memorystore_redis._documents.rows import (
    PAGE_SIZE,
    batched,
    listed,
    read_rows,
)
from langchain_google_memorystore_redis._filters.language import Condition, parse_filter
from langchain_google_memorystore_redis._filters.predicate import holds
from langchain_google_memorystore_redis._redis.arguments import iterable_not_str
from langchain_google_memorystore_redis._redis.op import FanOut, Flow, Op, raised
from langchain_google_memorystore_redis._redis.scan import ScanCursor, scan_page, start_scan

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredDocuments:
    """Operations on documents that are stored, with or without vectors."""

    keys: DocumentKeys
    codec: RowCodec

    def get(self, ids: Iterable[str]) -> Flow[list[Document]]:
        """Return the documents that are there, in the order of their ids."""
        named = self._named(ids)
        keys = [key for each in named for key in each]
        rows = raised((yield from read_rows(keys)))
        documents = [
            self.codec.decode(self.keys.id(key), row) for key, row in zip(keys, rows, strict=True)
        ]
        return list(dict(_first(named, documents)).values())

    def delete(self, ids: Iterable[str], page_size: int = PAGE_SIZE) -> Flow[bool]:
        """Remove documents; hashes without text are none and stay."""
        for page in batched(self._named(ids), page_size):
            yield from self._delete_page(page, raised)
        return True

    def delete_all(self, page_size: int) -> Flow[bool]:
        """Remove all documents, found by SCAN."""
        cursor: ScanCursor | None = yield from start_scan()
        while cursor is not None:
            ids, cursor = yield from scan_page(self.keys.prefix, cursor, "hash")
            for page in batched([(self.keys.key(each),) for each in ids], page_size):
                yield from self._delete_page(page, listed)
        return True

    def _delete_page(
        self,
        page: Sequence[tuple[bytes, ...]],
        checked: Callable[[Sequence[Any]], Iterable[bool | None]],
    ) -> Flow[None]:
        content = self.codec.content_field
        answers = yield FanOut(
            [Op(("HEXISTS", key, content), bool) for keys in page for key in keys]
        )
        yield from _unlink(key for key, _ in _first(page, checked(answers)))

    def _named(self, ids: Iterable[str]) -> list[tuple[bytes, ...]]:
        return [self.keys.named(each) for each in dict.fromkeys(iterable_not_str("ids", ids))]

    def delete_matching(self, filter: Mapping[str, Any]) -> Flow[bool]:  # noqa: A002
        """Remove the documents for which a filter holds, found by SCAN."""
        condition = parse_filter(filter, self.codec.fields)
        names = [self.codec.content_field, *self.codec.fields]
        cursor: ScanCursor | None = yield from start_scan()
        while cursor is not None:
            ids, cursor = yield from scan_page(self.keys.prefix, cursor, "hash")
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


def _first(
    named: Iterable[tuple[bytes, ...]], answers: Iterable[T | None]
) -> Iterator[tuple[bytes, T]]:
    """Yield, for each of the ids, the first of its keys with an answer, and that answer."""
    rest = iter(answers)
    for keys in named:
        pairs = [(key, next(rest)) for key in keys]
        yield from islice(((key, answer) for key, answer in pairs if answer), 1)


def _unlink(keys: Iterable[bytes]) -> Flow[None]:
    ops = [Op(("UNLINK", key), bool) for key in keys]
    if ops:
        raised((yield FanOut(ops)))
