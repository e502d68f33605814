"""Searches among the items of a namespace and of all below it.

Strategy: the indexes of all those namespaces are read side by side, and merged. Without a query the
newest update comes first; with one, all vectors are read and compared here, up to a stated number,
beyond which the search raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_google_memorystore_redis._filters.language import EVERYTHING
from langchain_google_memorystore_redis._redis.op import Op, ignore_reply
from langchain_google_memorystore_redis._redis.scripts import Script
from langchain_google_memorystore_redis._store.codec import StoredItem
from langchain_google_memorystore_redis._store.keys import (
    Namespace,
    StoreKeys,
    parse_name,
)
from langchain_google_memorystore_redis._store.namespaces import Namespaces
from langchain_google_memorystore_redis._store.reading import (
    KEYS_PER_COMMAND,
    Entry,
    Reader,
    by_namespace,
    chunks,
    index_page,
    newest_first,
    read_values,
)
from langchain_google_memorystore_redis._store.requests import Search
from langchain_google_memorystore_redis._store.together import Waves
from langchain_google_memorystore_redis.errors import SearchLimitError

if TYPE_CHECKING:
    from langchain_google_memorystore_redis._store.semantics import Semantics

MAX_NAMESPACES = 1_000
"""Namespaces that one search goes through at the most."""

_PAGE = 500
"""Entries of an index that one round trip reads where a filter may drop some."""

_REFRESH = Script(__package__, "refresh", begin=("_index", "_refresh"))


@dataclass(slots=True)
class Indexes:
    """Entries read so far of the indexes of some namespaces."""

    keys: StoreKeys
    size: int
    """Entries of a page."""
    entries: list[Entry] = field(default_factory=list)
    """Those that have not been taken."""
    unread: dict[Namespace, int] = field(default_factory=dict)
    """Indexes that may have more entries, and the time below which these are."""

    def ops(self, namespaces: Sequence[Namespace]) -> list[Op[list[Entry]]]:
        """Return operations that read the first or next page of some indexes."""
        return [
            index_page(
                each,
                self.keys.of(each).index_key,
                self.size,
                f"({self.unread[each]}" if each in self.unread else "+inf",
            )
            for each in namespaces
        ]

    def add(self, namespaces: Sequence[Namespace], pages: Sequence[Sequence[Entry]]) -> None:
        """Take in pages of indexes."""
        for namespace, page in zip(namespaces, pages, strict=True):
            self.entries += page
            self.unread.pop(namespace, None)
            if len(page) == self.size:
                self.unread[namespace] = page[-1].updated_us

    def take(self) -> list[Entry]:
        """Return the entries that no unread one precedes, newest first."""
        bar = max(self.unread.values(), default=0)
        taken = [each for each in self.entries if each.updated_us >= bar]
        self.entries = [each for each in self.entries if each.updated_us < bar]
        return newest_first(taken)

    def read_more(self) -> Waves[None]:
        """Read the next page of each unread index."""
        namespaces = list(self.unread)
        self.add(namespaces, (yield self.ops(namespaces)))


@dataclass(frozen=True, slots=True)
class Searches:
    """Searches under a key prefix."""

    keys: StoreKeys
    namespaces: Namespaces
    semantics: Semantics | None
    max_scored: int

    def search(self, request: Search, query: bytes | None) -> Waves[list[StoredItem]]:
        """Return items that match, best first; `query` is the packed vector of the query."""
        wanted = request.offset + request.limit
        if not request.limit:
            return []
        size = _PAGE if request.condition is not EVERYTHING else min(wanted, _PAGE)
        size = size if query is None else self.max_scored + 1
        indexes = yield from self._open(request.namespace, size)
        reader = Reader(self.keys, request.condition, wanted, self.max_scored)
        if query is None or self.semantics is None:
            yield from reader.read(indexes.take())
            while indexes.unread and not reader.is_complete:
                yield from indexes.read_more()
                yield from reader.read(indexes.take())
        else:
            yield from reader.read((yield from self._rank(indexes, query, self.semantics)))
        yield from reader.remove_missing()
        found = reader.found[request.offset : wanted]
        if request.refresh:
            yield from self._refresh(found)
        return found

    def _open(self, prefix: Namespace, size: int) -> Waves[Indexes]:
        """Read the first page of each index: two steps, one if there is a single namespace."""
        indexes = Indexes(self.keys, size)
        own = [prefix] if prefix else []
        listing = self.namespaces.names_under(prefix, MAX_NAMESPACES)
        names, *pages = yield [listing, *indexes.ops(own)]
        indexes.add(own, pages)
        others = [each for each in map(parse_name, names) if each != prefix]
        if len(names) == MAX_NAMESPACES:
            others = yield from self.namespaces.under(prefix, MAX_NAMESPACES + 1)
            if len(others) > MAX_NAMESPACES:
                raise SearchLimitError(
                    MAX_NAMESPACES,
                    problem=f"there are more than {MAX_NAMESPACES:,} namespaces under {prefix!r}, "
                    "which is more than one search goes through. Search a narrower namespace.",
                )
            others = [each for each in others if each != prefix]
        if others:
            indexes.add(others, (yield indexes.ops(others)))
        return indexes

    def _rank(self, indexes: Indexes, query: bytes, semantics: Semantics) -> Waves[list[Entry]]:
        """Return all entries, those nearest to the query first, those without vectors last."""
        entries = newest_first(indexes.entries)
        if len(entries) > self.max_scored:
            raise self._too_many("items")
        if not entries:
            return []
        rows = yield from read_values(self.keys, entries, vectors=True)
        if semantics.count(rows) > self.max_scored:
            raise self._too_many("vectors")
        scores = semantics.scores(query, rows)
        scored = [each._replace(score=s) for each, s in zip(entries, scores, strict=True)]
        with_score = [each for each in scored if each.score is not None]
        without = [each for each in scored if each.score is None]
        return [*sorted(with_score, key=lambda each: -(each.score or 0.0)), *without]

    def _too_many(self, what: str) -> SearchLimitError:
        return SearchLimitError(
            self.max_scored,
            problem=f"there are more than {self.max_scored:,} {what} to compare with the query "
            "here. Search a narrower namespace, raise max_scored, or keep them in "
            "MemorystoreVectorStore, which has an index.",
        )

    def _refresh(self, items: Sequence[StoredItem]) -> Waves[None]:
        """Start the time to live of items anew."""
        entries = [Entry(each.namespace, each.name, 0) for each in items if each.ttl_ms]
        ops = [
            _REFRESH.op(self.keys.of(namespace).of_items(names), names, ignore_reply)
            for namespace, some in by_namespace(entries).items()
            for names in chunks([each.name for each in some], KEYS_PER_COMMAND)
        ]
        if ops:
            yield ops
