"""`MemorystoreDocumentSaver`, which stores documents in hashes.

Strategy: a thin adapter over `saving.py` and `stored.py`. Each method is a line or two, and its
async twin the same with `await`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from langchain_core.documents import Document

from langchain_google_memorystore_redis._documents.codec import RowCodec
from langchain_google_memorystore_redis._documents.keys import DocumentKeys
from langchain_google_memorystore_redis._documents.loading import field_names
from langchain_google_memorystore_redis._documents.saving import Saving
from langchain_google_memorystore_redis._documents.stored import StoredDocuments
from langchain_google_memorystore_redis._redis.arguments import positive
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.op import Flow
from langchain_google_memorystore_redis._redis.sharing import SharesClient
from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError


class MemorystoreDocumentSaver(SharesClient):
    """Documents stored in hashes, on any server, in the layout of release 0.3.0.

    A document is a hash under `key_prefix + id`: its text in `content_field`, and a field for each
    key of its metadata. Strings are stored as they are unless they read as JSON, all else as JSON.
    `MemorystoreDocumentLoader` reads it back equal.

    Args:
        client: a client of redis-py or valkey-py, blocking or asyncio, standalone, cluster or
            sentinel, `decode_responses` on or off.
        key_prefix: beginning of the keys; not empty. No character of it is special.
        content_field: field of a hash that holds the text.
        metadata_fields: keys of metadata to store; None, or none at all, stores all.

    Examples:
        >>> saver = MemorystoreDocumentSaver(client, "pages:", "text")
        >>> saver.add_documents([Document("Hello!", metadata={"page": 1})], ids=["1"])
        ['1']
        >>> client.hgetall("pages:1")
        {b'text': b'Hello!', b'page': b'1'}
        >>> saver.delete(["1"])
    """

    def __init__(
        self,
        client: Any,
        key_prefix: str,
        content_field: str,
        metadata_fields: Collection[str] | None = None,
    ) -> None:
        self._sync, self._async = runners_for(client)
        for argument, value in (("key_prefix", key_prefix), ("content_field", content_field)):
            if not isinstance(value, str):
                raise ArgumentTypeError(argument, f"must be a str, not {type(value).__name__}")
            if not value:
                raise InvalidArgumentError(argument, "must not be empty")
        names = field_names("metadata_fields", metadata_fields or ())
        codec = RowCodec({}, content_field, "", "", takes_empty_text=True)
        stored = StoredDocuments(DocumentKeys(key_prefix, key_prefix), codec)
        self._ops = Saving(stored, frozenset(names) or None)

    def add_documents(
        self,
        documents: Sequence[Document],
        ids: Sequence[str] | None = None,
        batch_size: int = 1_000,
    ) -> list[str]:
        """Save documents, and return their ids.

        Without `ids`, documents keep their own, and ids are made for those without one. Raises
        `DocumentExistsError` if some of them exist already, and saves nothing then. Two savers of
        one id at once may leave fields of both. If something fails once writing has begun,
        `DocumentsNotStoredError` names the ids that are stored. Two round trips a node for each
        `batch_size` documents.
        """
        return self._sync.run(self._save(documents, ids, batch_size))

    async def aadd_documents(
        self,
        documents: Sequence[Document],
        ids: Sequence[str] | None = None,
        batch_size: int = 1_000,
    ) -> list[str]:
        """Async twin of `add_documents`."""
        return await self._async.run(self._save(documents, ids, batch_size))

    def _save(
        self, documents: Sequence[Document], ids: Sequence[str] | None, batch_size: int
    ) -> Flow[list[str]]:
        size = positive("batch_size", batch_size)
        # As in release 0.3.0, no ids at all are the same as None.
        return self._ops.save(self._ops.drafts(documents, ids or None), size)

    def delete(self, ids: Sequence[str] | None = None, batch_size: int = 1_000) -> None:
        """Remove documents by their ids; None removes all under the prefix, and `[]` none.

        A document is a hash with the field `content_field`: others are left alone. Two round trips
        a node for each `batch_size` documents, and without ids one for each 1,000 keys of the
        server, which are all scanned.
        """
        self._sync.run(self._delete(ids, batch_size))

    async def adelete(self, ids: Sequence[str] | None = None, batch_size: int = 1_000) -> None:
        """Async twin of `delete`."""
        await self._async.run(self._delete(ids, batch_size))

    def _delete(self, ids: Sequence[str] | None, batch_size: int) -> Flow[bool]:
        size, stored = positive("batch_size", batch_size), self._ops.stored
        return stored.delete_all(size) if ids is None else stored.delete(ids, size)
