"""All that belongs to an id prefix: counted, and deleted.

Strategy: each kind of data is listed by its own pages; nothing is held but the ids of one kind,
because SCAN may list a key twice.
"""

# ruff: noqa: PLC0415  (LangGraph is optional)
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from langchain_google_memorystore_redis import sessions
from langchain_google_memorystore_redis._checkpoint.threads import (
    Page,
    delete_threads,
    list_threads,
)
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.op import Flow
from langchain_google_memorystore_redis._redis.scan import ScanCursor, start_scan
from langchain_google_memorystore_redis.cli import output
from langchain_google_memorystore_redis.cli.formatting import format_count
from langchain_google_memorystore_redis.cli.info import scan_progress

_PAGE_SIZE = 500
"""Items, or namespaces, that are listed at once."""


@dataclass(frozen=True, slots=True)
class Count:
    """Numbers of what was found or deleted."""

    sessions: int = 0
    messages: int = 0
    threads: int = 0
    items: int = 0
    refused: int = 0

    def __bool__(self) -> bool:
        return bool(self.sessions or self.threads or self.items)

    def __str__(self) -> str:
        """Return the numbers in words; threads and items only if there are any."""
        messages = f" ({format_count(self.messages, 'message')})" if self.messages else ""
        words = [format_count(self.sessions, "session") + messages]
        words += [format_count(self.threads, "thread")] * bool(self.threads)
        words += [format_count(self.items, "item")] * bool(self.items)
        return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


@dataclass(frozen=True, slots=True)
class Belongings:
    """Sessions, threads and items of the store whose ids begin with `id_prefix`.

    The id of an item is the first label of its namespace.
    """

    client: Any
    id_prefix: str
    sessions_prefix: str
    threads_prefix: str
    store_prefix: str

    def count(self) -> Count:
        """Return the numbers of what is there."""
        found = messages = 0
        begin = self.sessions_prefix + self.id_prefix
        with scan_progress(self.client, "Scanning keys") as progress:
            for session in sessions.list_sessions(self.client, begin, progress=progress):
                found += 1
                messages += session.messages
        return Count(found, messages, self._threads(list_threads), self._items(delete=False))

    def delete(self, found: Count) -> Count:
        """Delete all of it; `found` is what `count` returned."""
        begin = self.sessions_prefix + self.id_prefix
        with output.progress("Deleting sessions", found.sessions) as progress:
            deleted = sessions.delete_prefix(self.client, begin, progress=progress)
        threads = self._threads(delete_threads)
        return Count(deleted.sessions, 0, threads, self._items(delete=True), deleted.refused)

    def _threads(self, page_of: Callable[[str, str, ScanCursor], Flow[Page]]) -> int:
        runner = runners_for(self.client)[0]
        seen: set[str] = set()
        cursor: ScanCursor | None = runner.run(start_scan())
        while cursor is not None:
            ids, cursor = runner.run(page_of(self.threads_prefix, self.id_prefix, cursor))
            seen.update(ids)
        return len(seen)

    def _items(self, *, delete: bool) -> int:
        """Return the number of items; delete each page of them if asked to."""
        if find_spec("langgraph") is None:
            return 0
        from langgraph.store.base import PutOp

        from langchain_google_memorystore_redis import MemorystoreStore

        store = MemorystoreStore(self.client, key_prefix=self.store_prefix)
        count = 0
        for namespace in self._namespaces(store):
            offset = 0
            while page := store.search(namespace, limit=_PAGE_SIZE, offset=offset):
                own = [item for item in page if item.namespace == namespace]
                count += len(own)
                if delete:
                    store.batch([PutOp(namespace, item.key, None) for item in own])
                # What was deleted no longer counts for the next page.
                offset += len(page) - len(own) if delete else len(page)
        return count

    def _namespaces(self, store: Any) -> list[tuple[str, ...]]:
        """Return the namespaces whose first label begins so."""
        found: list[tuple[str, ...]] = []
        offset = 0
        while page := store.list_namespaces(limit=_PAGE_SIZE, offset=offset):
            found += [each for each in page if each[0].startswith(self.id_prefix)]
            offset += len(page)
        return found
