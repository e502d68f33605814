"""Copies of objects that hold a client.

Strategy: frameworks copy such objects (LangGraph a saver for each graph that it compiles), and a
copy must go on with the same client, caches and locks. None of these can leave the process.
"""

from __future__ import annotations

from typing import Any, NoReturn, Self

from langchain_google_memorystore_redis.errors import NotPicklableError


class SharesClient:
    """Object whose copies, deep ones too, share its client, caches and locks."""

    def __copy__(self) -> Self:
        """Return an object of the same class and attributes."""
        made = object.__new__(type(self))
        vars(made).update(vars(self))
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a copy as `copy.copy` makes it: neither connections nor locks can be doubled."""
        return self.__copy__()

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """Raise `NotPicklableError`, a TypeError."""
        raise NotPicklableError(type(self).__name__)
