"""LangChain's indexing API, which keeps a store in step with its sources."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, aindex, index

from tests.documents.stores import StoreDoor, Vectors


@pytest.mark.parametrize("cleanup", ["full", "incremental"])
async def test_changed_sources_replace_their_documents(door: StoreDoor, cleanup: str) -> None:
    store = door.open(embedding=Vectors())
    manager = InMemoryRecordManager("docs")
    manager.create_schema()

    async def run(*documents: Document) -> dict[str, Any]:
        options: dict[str, Any] = {
            "cleanup": cleanup,
            "source_id_key": "source",
            "key_encoder": "sha256",
        }
        if door.by_async:
            return dict(await aindex(list(documents), manager, store.store, **options))
        return dict(index(list(documents), manager, store.store, **options))

    one, two = (Document(text, metadata={"source": text}) for text in ("1 0", "0 1"))
    changed = Document("1 1", metadata={"source": "1 0"})
    assert (await run(one, two))["num_added"] == 2
    assert (await run(one, two))["num_skipped"] == 2
    result = await run(changed, two)
    assert (result["num_added"], result["num_deleted"]) == (1, 1)
    found = await store.similarity_search("1 0")
    assert {(each.page_content, each.metadata["source"]) for each in found} == {
        ("1 1", "1 0"),
        ("0 1", "0 1"),
    }
