"""Lua scripts as operations.

Strategy: a script is a file of the `lua` folder, read once at import, and sent by its SHA-1.
Before Redis 7 a script that fails on a full or read-only server answers with a text that no
client recognises as such ("ERR Error running script ... -OOM ..."), so every script runs inside
`_report_errors.lua`, which hands the server's own words on: redis-py then raises the error,
and heals a failover, as for a plain command.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, TypeVar

from langchain_google_memorystore_redis._engine.op import Op

T = TypeVar("T")

_FOLDER = files("langchain_google_memorystore_redis") / "lua"


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")


class Script:
    """A Lua file, ready to become operations; `begin` names one that several begin with."""

    def __init__(self, name: str, *, begin: str = "") -> None:
        body = "".join(map(_text, filter(None, (begin, name))))
        self._source = _text("_report_errors").replace("--BODY--", body)
        self._sha = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    def op(self, keys: Sequence[bytes], args: Sequence[Any], decode: Callable[[Any], T]) -> Op[T]:
        """One run of the script: every key it touches in `keys`, everything else in `args`."""
        return Op(("EVALSHA", self._sha, len(keys), *keys, *args), decode, self._source)
