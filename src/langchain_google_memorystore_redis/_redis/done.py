"""A coroutine that has nothing to do, for methods that may be called with or without `await`.

Strategy: savers of other packages have one `setup()` that is called and one that is awaited, and
code for either must run here. A coroutine function would warn where it is not awaited.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, NoReturn


class Done(Coroutine[Any, Any, None]):
    """Coroutine that ends at once."""

    def __await__(self) -> Generator[Any, Any, None]:
        """Return an iterator that ends at once."""
        yield from ()

    def send(self, value: Any) -> NoReturn:
        """End."""
        raise StopIteration

    def throw(self, *args: Any) -> NoReturn:
        """Raise what is thrown in."""
        raise args[1] if len(args) > 1 and args[1] is not None else args[0]

    def close(self) -> None:
        """Do nothing."""


class DoneCount(int):
    """Number that may be awaited, and is its own result."""

    def __await__(self) -> Generator[Any, Any, int]:
        """Return an iterator that ends at once."""
        yield from ()
        return int(self)
