"""State that belongs to a client, and not to one of the many objects that use it.

Strategy: applications create an object for every request (LangChain a history for every turn), and
keep the client. So the state is found by the client, and lives as long as the client does.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from langchain_google_memorystore_redis._redis.locks import create_lock

T = TypeVar("T")


class ClientRegistry(Generic[T]):
    """Table of clients, with a state for each.

    Args:
        create: function that returns the state of a new client.
    """

    def __init__(self, create: Callable[[], T]) -> None:
        self._create = create
        self._states: weakref.WeakKeyDictionary[object, T] = weakref.WeakKeyDictionary()
        self._lock = create_lock()

    def of(self, client: object) -> T:
        """Return the state of a client, created on first use."""
        try:
            found = self._states.get(client)
            if found is not None:
                return found
            created = self._create()
            with self._lock:
                return self._states.setdefault(client, created)
        except TypeError:  # the client is not hashable, or cannot be referenced weakly
            return self._create()

    def items(self) -> list[tuple[object, T]]:
        """Return all clients with their states."""
        with self._lock:
            return list(self._states.items())
