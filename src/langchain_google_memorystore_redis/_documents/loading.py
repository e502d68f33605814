"""Documents read from all hashes under a prefix, a batch at a time.

Strategy: a listing is SCAN with the keys of a page that are still to be read. Keys of another type,
and hashes without any of the content fields, are no documents and are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from langchain_core.documents import Document

from langchain_google_memorystore_redis._documents.codec import decode_text
from langchain_google_memorystore_redis._documents.rows import Row, listed, parse_row
from langchain_google_memorystore_redis._redis.arguments import iterable_not_str
from langchain_google_memorystore_redis._redis.op import FanOut, Flow, Op
from langchain_google_memorystore_redis._redis.scan import ScanCursor, scan_page, start_scan
from langchain_google_memorystore_redis.errors import ArgumentTypeError


class Listing(NamedTuple):
    """Position of a listing."""

    cursor: ScanCursor | None
    ids: list[str]
    """Ids that are listed and still to be read."""
    seen: set[str]
    """All ids so far: SCAN may list a key twice."""


@dataclass(frozen=True, slots=True)
class Loading:
    """Operations that load documents; no `metadata_fields` are all."""

    key_prefix: str
    content_fields: tuple[str, ...]
    metadata_fields: tuple[str, ...]
    batch_size: int

    def start(self) -> Flow[Listing]:
        """Return the position at which a listing begins; no round trip."""
        # SCAN's page names what follows the prefix, which is nothing if a key is the prefix.
        return Listing((yield from start_scan()), [""] if self.key_prefix else [], {""})

    def next_batch(self, listing: Listing) -> Flow[tuple[list[Document], Listing | None]]:
        """Return the next documents, if there are any, and the position after them.

        One round trip a node, and one for each page of 1,000 keys.
        """
        cursor, ids, seen = listing
        if not ids and cursor is not None:
            found, cursor = yield from scan_page(self.key_prefix, cursor, "hash")
            ids = [each for each in found if each not in seen]
            seen.update(ids)
        batch, rest = ids[: self.batch_size], ids[self.batch_size :]
        answers = yield FanOut([self._read((self.key_prefix + each).encode()) for each in batch])
        documents = [
            self.document(id_, row) for id_, row in zip(batch, listed(answers), strict=True) if row
        ]
        more = Listing(cursor, rest, seen) if rest or cursor is not None else None
        return [each for each in documents if each is not None], more

    def _read(self, key: bytes) -> Op[Row]:
        if not self.metadata_fields:
            return Op(("HGETALL", key), parse_row)
        names = [name.encode() for name in (*self.content_fields, *self.metadata_fields)]
        return Op(("HMGET", key, *names), lambda values: _row_of(names, values))

    def document(self, id: str, row: Row) -> Document | None:  # noqa: A002
        """Return the document of a row; None for one without text."""
        texts = dict(_texts(row))
        content = {name: texts.pop(name) for name in self.content_fields if name in texts}
        if not content:
            return None
        text = content.popitem()[1] if len(self.content_fields) == 1 else json.dumps(content)
        metadata = {name: decode_text(value) for name, value in texts.items()}
        return Document(text, id=id or None, metadata=metadata)


def _row_of(names: list[bytes], values: list[Any]) -> Row:
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def _texts(row: Row) -> Iterator[tuple[str, str]]:
    """Yield the fields that are text; vectors are not."""
    for name, value in row.items():
        try:
            yield name.decode(), value.decode()
        except UnicodeDecodeError:
            continue


def field_names(argument: str, names: Collection[str]) -> tuple[str, ...]:
    """Check names of fields; those of a set, which has no order, are sorted."""
    checked = list(dict.fromkeys(iterable_not_str(argument, names)))
    for each in checked:
        if not isinstance(each, str):
            raise ArgumentTypeError(argument, f"must hold str, not {type(each).__name__}")
    return tuple(sorted(checked) if isinstance(names, (set, frozenset)) else checked)
