"""Requests to the store, checked and in the terms of this package.

Strategy: `conversions.py` makes them of LangGraph's operations; nothing here knows LangGraph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from langchain_google_memorystore_redis._filters.language import Condition
from langchain_google_memorystore_redis._store.keys import Namespace

WILDCARD = "*"


@dataclass(frozen=True, slots=True)
class Put:
    """Storing of an item."""

    namespace: Namespace
    name: bytes
    value: bytes
    ttl_ms: int
    """0 for none."""
    texts: tuple[str, ...] = ()
    """Texts whose vectors are the item's."""


@dataclass(frozen=True, slots=True)
class Get:
    """Reading of an item."""

    namespace: Namespace
    name: bytes
    refresh: bool


@dataclass(frozen=True, slots=True)
class Delete:
    """Removal of an item."""

    namespace: Namespace
    name: bytes


@dataclass(frozen=True, slots=True)
class Search:
    """Search among the items of a namespace and of all below it."""

    namespace: Namespace
    condition: Condition
    limit: int
    offset: int
    query: str | None
    """None without one, and where the store has no embedding."""
    refresh: bool


@dataclass(frozen=True, slots=True)
class Pattern:
    """Beginning or end that a namespace must have; `*` is any label."""

    labels: Namespace
    is_suffix: bool

    def matches(self, namespace: Namespace) -> bool:
        """Tell whether a namespace has it."""
        labels = self.labels
        if len(namespace) < len(labels):
            return False
        start = len(namespace) - len(labels) if self.is_suffix else 0
        pairs = zip(labels, namespace[start:], strict=False)
        return all(wanted in (WILDCARD, label) for wanted, label in pairs)

    @property
    def literal(self) -> Namespace:
        """The labels before the first wildcard, of a beginning."""
        if self.is_suffix:
            return ()
        end = self.labels.index(WILDCARD) if WILDCARD in self.labels else None
        return self.labels[:end]


@dataclass(frozen=True, slots=True)
class ListNamespaces:
    """Listing of namespaces."""

    patterns: Sequence[Pattern]
    max_depth: int | None
    limit: int
    offset: int


ItemRequest: TypeAlias = Put | Get | Delete
Request: TypeAlias = ItemRequest | Search | ListNamespaces
