"""Lua scripts as operations.

Strategy: a script is a file in the `lua` folder of its wing, read once at import and sent by its
SHA-1. Each runs inside `_report_errors.lua`, so that redis-py recognises the server's errors and
recovers from a failover as it does for a plain command.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, TypeVar

from langchain_google_memorystore_redis._redis.op import Op

T = TypeVar("T")


def _read_lua(package: str, name: str) -> str:
    return (files(package) / "lua" / f"{name}.lua").read_text(encoding="utf-8")


_FRAME = _read_lua("langchain_google_memorystore_redis._redis", "_report_errors")


class Script:
    """Lua script of a wing.

    Args:
        package: the wing, usually `__package__`.
        name: the file in its `lua` folder, without the suffix.
        begin: other files there, with what several scripts begin with.
    """

    def __init__(self, package: str, name: str, *, begin: Sequence[str] = ()) -> None:
        body = "".join(_read_lua(package, part) for part in (*begin, name))
        self._source = _FRAME.replace("--BODY--", body)
        self._sha = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    def op(self, keys: Sequence[bytes], args: Sequence[Any], decode: Callable[[Any], T]) -> Op[T]:
        """Return the operation that runs the script on `keys`, which are all that it touches."""
        return Op(("EVALSHA", self._sha, len(keys), *keys, *args), decode, self._source)
