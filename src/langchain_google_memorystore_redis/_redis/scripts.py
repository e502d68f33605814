"""Lua scripts as operations.

Strategy: a script is a file in the `lua` folder of its wing, read once at import, and sent by its
SHA-1. Before Redis 7 a script that fails on a full or read-only server answers with a text that no
client recognises as such ("ERR Error running script ... -OOM ..."), so every script runs inside
`_report_errors.lua`, which hands the server's own words on: redis-py then raises the error,
and heals a failover, as for a plain command.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, TypeVar

from langchain_google_memorystore_redis._redis.op import Op

T = TypeVar("T")


def _text(package: str, name: str) -> str:
    return (files(package) / "lua" / f"{name}.lua").read_text(encoding="utf-8")


_FRAME = _text("langchain_google_memorystore_redis._redis", "_report_errors")


class Script:
    """A Lua file of a package's `lua` folder; `begin` names one that several begin with."""

    def __init__(self, package: str, name: str, *, begin: str = "") -> None:
        body = "".join(_text(package, part) for part in (begin, name) if part)
        self._source = _FRAME.replace("--BODY--", body)
        self._sha = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    def op(self, keys: Sequence[bytes], args: Sequence[Any], decode: Callable[[Any], T]) -> Op[T]:
        """One run of the script: every key it touches in `keys`, everything else in `args`."""
        return Op(("EVALSHA", self._sha, len(keys), *keys, *args), decode, self._source)
