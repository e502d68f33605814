"""Documents added to a store, in batches of embeddings and pipelines of bounded size.

Strategy: all that can be checked is checked before anything is sent. A document is written by plain
commands, without MULTI or scripts, since valkey-search blocks or stalls on those and on large
pipelines; what it replaces is asked for first, so that no field of it and no expiry remains.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_google_memorystore_redis._documents.codec import RowCodec
from langchain_google_memorystore_redis._documents.drafts import Draft, draft_documents
from langchain_google_memorystore_redis._documents.indexes import Index
from langchain_google_memorystore_redis._documents.keys import DocumentKeys
from langchain_google_memorystore_redis._documents.rows import batched
from langchain_google_memorystore_redis._documents.writing import Writing
from langchain_google_memorystore_redis._redis.op import FanOut, Flow, Op
from langchain_google_memorystore_redis._vectors.embeddings import Embedding, embed_texts
from langchain_google_memorystore_redis.errors import (
    InvalidDocumentError,
)

_ADVICE = "adding all again under the same ids is safe"

_OVERHEAD = 16
"""Bytes that a field adds to a command, beside its name and value."""


@dataclass(frozen=True, slots=True)
class Additions:
    """Operations that add documents to an index."""

    keys: DocumentKeys
    codec: RowCodec
    index: Index
    embedding: Embedding
    batch_bytes: int

    def drafts(
        self,
        texts: Iterable[Any],
        metadatas: Iterable[Mapping[str, Any] | None] | None,
        ids: Iterable[str | None] | None,
    ) -> list[Draft]:
        """Check documents, and make ids where there are none."""
        return draft_documents(self.keys, self.codec, texts, metadatas, ids)

    def add(self, drafts: Sequence[Draft], ttl_ms: int, batch_size: int) -> Flow[list[str]]:
        """Embed and write documents; returns their ids.

        Raises `DocumentsNotStoredError` if something fails once writing has begun.
        """
        writing = Writing(len(drafts))
        try:
            for start, batch in enumerate(batched(drafts, batch_size)):
                yield from self._add_batch(start * batch_size, batch, ttl_ms, writing)
        except Exception as error:
            if not writing.sent:
                raise
            raise writing.error(self._problem(error), _ADVICE) from error
        return writing.stored

    def _problem(self, error: Exception) -> str:
        problem = f"{type(error).__name__}: {error}"
        if "Timeout" not in type(error).__name__:
            return problem
        return (
            f"{problem}; valkey-search is known to stall on large pipelines of documents: if this "
            f"comes back, choose a smaller batch_bytes than {self.batch_bytes:,}"
        )

    def _add_batch(
        self, start: int, batch: Sequence[Draft], ttl_ms: int, writing: Writing
    ) -> Flow[None]:
        replaced = yield from self._replaced(start, batch)
        vectors = yield from embed_texts(self.embedding, [draft.text for draft in batch], start)
        packed = yield from self.index.pack(vectors, start)
        yield from self.index.ensure(len(packed[0]) // 4)
        for group in self._groups(batch, packed):
            commands = [self._commands(draft, replaced.get(draft.id), ttl_ms) for draft in group]
            yield from writing.send(group, commands)

    def _replaced(self, start: int, batch: Sequence[Draft]) -> Flow[dict[str, set[bytes]]]:
        """Return the names of fields of documents that will be replaced.

        One round trip a node, none if all ids have just been made.
        """
        content = self.codec.content_field.encode()
        named = [(start + i, draft) for i, draft in enumerate(batch) if not draft.is_new]
        answers = []
        if named:
            answers = yield FanOut([Op(("HKEYS", draft.key), set) for _, draft in named])
        replaced = {}
        for (place, draft), names in zip(named, answers, strict=True):
            if isinstance(names, Exception):
                raise names
            if names and content not in names:
                problem = f"is taken: key {draft.key.decode()!r} holds a hash that is no document"
                raise InvalidDocumentError(place, f"id {draft.id!r:.80}", problem)
            if names:
                replaced[draft.id] = names
        return replaced

    def _groups(self, batch: Sequence[Draft], vectors: Sequence[bytes]) -> Iterator[list[Draft]]:
        """Yield documents with their vectors, as many as one pipeline may hold."""
        group: list[Draft] = []
        size = 0
        for draft, vector in zip(batch, vectors, strict=True):
            row = {**draft.row, self.codec.vector_field.encode(): vector}
            length = len(draft.key) + sum(len(n) + len(v) + _OVERHEAD for n, v in row.items())
            if group and size + length > self.batch_bytes:
                yield group
                group, size = [], 0
            group.append(draft._replace(row=row))
            size += length
        yield group

    def _commands(
        self, draft: Draft, replaced: set[bytes] | None, ttl_ms: int
    ) -> list[tuple[Any, ...]]:
        commands = [draft.write]
        stale = (replaced or set()) - draft.row.keys()
        if stale:
            commands.append(("HDEL", draft.key, *stale))
        if ttl_ms:
            commands.append(("PEXPIRE", draft.key, ttl_ms))
        elif replaced:
            commands.append(("PERSIST", draft.key))
        return commands
