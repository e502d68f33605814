"""`MemorystoreDocumentLoader`, which reads documents from hashes.

Strategy: a thin adapter over `loading.py`: LangChain's interface of loaders, of which `load` and
`aload` collect what the lazy methods yield.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator
from typing import Any

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from langchain_google_memorystore_redis._documents.loading import Listing, Loading, field_names
from langchain_google_memorystore_redis._redis.arguments import positive
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.keys import prefix_pattern
from langchain_google_memorystore_redis._redis.sharing import SharesClient
from langchain_google_memorystore_redis.errors import InvalidArgumentError


class MemorystoreDocumentLoader(SharesClient, BaseLoader):
    """Documents loaded from all hashes under a prefix, as release 0.3.0 and its saver store them.

    The id of a document is what follows the prefix in its key. A value that reads as JSON is
    parsed; one that is not UTF-8, such as a vector, is left out. Keys of other types, and hashes
    without any of the content fields, are skipped.

    Args:
        client: a client of redis-py or valkey-py, blocking or asyncio, standalone, cluster or
            sentinel, `decode_responses` on or off.
        key_prefix: beginning of the keys; "" for all keys. No character of it is special.
        content_fields: fields that make the text. Of several, it is a JSON object of those that are
            there.
        metadata_fields: fields that make the metadata; None, or none at all, takes all others.
        batch_size: documents that one round trip reads.

    Examples:
        >>> client.hset("faq:1", mapping={"text": "Hello!", "page": 1})
        2
        >>> MemorystoreDocumentLoader(client, "faq:", {"text"}).load()
        [Document(id='1', metadata={'page': 1}, page_content='Hello!')]
        >>> client.delete("faq:1")
        1
    """

    def __init__(
        self,
        client: Any,
        key_prefix: str | None,
        content_fields: Collection[str],
        metadata_fields: Collection[str] | None = None,
        batch_size: int = 100,
    ) -> None:
        self._sync, self._async = runners_for(client)
        key_prefix = "" if key_prefix is None else key_prefix  # as in release 0.3.0
        prefix_pattern(key_prefix)  # raises for what cannot be one
        contents = field_names("content_fields", content_fields)
        others = field_names("metadata_fields", metadata_fields or ())
        if not contents:
            raise InvalidArgumentError("content_fields", "must not be empty")
        if set(contents) & set(others):
            both = ", ".join(each for each in contents if each in others)
            raise InvalidArgumentError("metadata_fields", f"and content_fields both hold {both}")
        self._ops = Loading(key_prefix, contents, others, positive("batch_size", batch_size))

    def lazy_load(self) -> Iterator[Document]:
        """Yield documents, in no order, each once.

        A round trip for each 1,000 keys of the server, which are all scanned, and one a node for
        each `batch_size` documents.
        """
        listing: Listing | None = self._sync.run(self._ops.start())
        while listing is not None:
            documents, listing = self._sync.run(self._ops.next_batch(listing))
            yield from documents

    async def alazy_load(self) -> AsyncIterator[Document]:
        """Async twin of `lazy_load`."""
        listing: Listing | None = await self._async.run(self._ops.start())
        while listing is not None:
            documents, listing = await self._async.run(self._ops.next_batch(listing))
            for document in documents:
                yield document
