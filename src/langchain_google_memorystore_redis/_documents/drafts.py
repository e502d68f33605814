"""Documents that are to be added, checked before anything is sent.

Strategy: each has its id, its key and the fields of its row; ids are made where there are none.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from langchain_google_memorystore_redis._documents.codec import RowCodec
from langchain_google_memorystore_redis._documents.keys import DocumentKeys
from langchain_google_memorystore_redis._redis.arguments import iterable_not_str
from langchain_google_memorystore_redis.errors import InvalidArgumentError


class Draft(NamedTuple):
    """Document that is to be added."""

    id: str
    key: bytes
    text: str
    row: dict[bytes, bytes]
    is_new: bool
    """True if its id has just been made."""

    @property
    def write(self) -> tuple[Any, ...]:
        """The command that writes its row."""
        return ("HSET", self.key, *(part for item in self.row.items() for part in item))


def draft_documents(
    keys: DocumentKeys,
    codec: RowCodec,
    texts: Iterable[Any],
    metadatas: Iterable[Mapping[str, Any] | None] | None,
    ids: Iterable[str | None] | None,
) -> list[Draft]:
    """Check documents, and make ids where there are none."""
    checked = list(iterable_not_str("texts", texts))
    metadata = _as_many("metadatas", metadatas, checked)
    named = _as_many("ids", ids, checked)
    drafts: dict[str, Draft] = {}
    for index, (text, fields, given) in enumerate(zip(checked, metadata, named, strict=True)):
        key = keys.key(str(uuid.uuid4()) if given is None else given)
        id_ = keys.id(key)
        if id_ in drafts:
            raise InvalidArgumentError("ids", f"{given!r:.80} is given twice")
        row = codec.encode(index, text, {} if fields is None else fields)
        drafts[id_] = Draft(id_, key, text, row, given is None)
    return list(drafts.values())


def _as_many(argument: str, values: Iterable[Any] | None, texts: Sequence[Any]) -> list[Any]:
    if values is None:
        return [None] * len(texts)
    given = list(iterable_not_str(argument, values))
    if len(given) != len(texts):
        raise InvalidArgumentError(argument, f"has {len(given)} items for {len(texts)} texts")
    return given
