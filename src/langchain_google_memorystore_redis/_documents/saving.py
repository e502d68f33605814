"""Documents saved as hashes without vectors.

Strategy: documents are checked, then their keys are looked for, and only then anything is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from langchain_core.documents import Document

from langchain_google_memorystore_redis._documents.drafts import Draft, draft_documents
from langchain_google_memorystore_redis._documents.rows import batched
from langchain_google_memorystore_redis._documents.stored import StoredDocuments
from langchain_google_memorystore_redis._documents.writing import Writing
from langchain_google_memorystore_redis._redis.arguments import iterable_not_str
from langchain_google_memorystore_redis._redis.op import FanOut, Flow, Op, raised
from langchain_google_memorystore_redis.errors import DocumentExistsError, InvalidDocumentError

_ADVICE = "delete those, and save all again"


@dataclass(frozen=True, slots=True)
class Saving:
    """Operations that save documents; `metadata_fields` are those to save, None for all."""

    stored: StoredDocuments
    metadata_fields: frozenset[str] | None

    def drafts(
        self, documents: Iterable[Document], ids: Iterable[str | None] | None
    ) -> list[Draft]:
        """Check documents; their own ids are taken where none are given."""
        checked = list(iterable_not_str("documents", documents))
        for index, each in enumerate(checked):
            if not isinstance(each, Document):
                problem = f"must be a Document, not {type(each).__name__}"
                raise InvalidDocumentError(index, "document", problem)
        return draft_documents(
            self.stored.keys,
            self.stored.codec,
            [each.page_content for each in checked],
            [self._chosen(each.metadata) for each in checked],
            [each.id for each in checked] if ids is None else ids,
        )

    def _chosen(self, metadata: dict[str, Any]) -> dict[str, Any]:
        names = self.metadata_fields
        return metadata if names is None else {n: v for n, v in metadata.items() if n in names}

    def save(self, drafts: list[Draft], batch_size: int) -> Flow[list[str]]:
        """Write documents, none of which may exist; returns their ids.

        Raises `DocumentsNotStoredError` if something fails once writing has begun.
        """
        existing: list[str] = []
        for batch in batched(drafts, batch_size):
            answers = yield FanOut([Op(("EXISTS", draft.key), bool) for draft in batch])
            pairs = zip(batch, raised(answers), strict=True)
            existing += [draft.id for draft, is_there in pairs if is_there]
        if existing:
            raise DocumentExistsError(existing)
        writing = Writing(len(drafts))
        try:
            for batch in batched(drafts, batch_size):
                yield from writing.send(batch, [[draft.write] for draft in batch])
        except Exception as error:
            raise writing.error(f"{type(error).__name__}: {error}", _ADVICE) from error
        return writing.stored
