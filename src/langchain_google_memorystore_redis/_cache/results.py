"""Operations on the results of a graph's nodes.

Strategy: those of `operations.py`, with values of LangGraph's serializer around them. A value that
cannot be stored, or read, is one that the node has to compute again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

from langchain_google_memorystore_redis._cache.operations import CacheOps
from langchain_google_memorystore_redis._cache.outages import OnOutage
from langchain_google_memorystore_redis._redis.arguments import milliseconds
from langchain_google_memorystore_redis._redis.op import Flow

Name: TypeAlias = tuple[tuple[str, ...], str]
"""A namespace and a key in it."""


class ResultOps(CacheOps):
    """Operations on one cache of results.

    Args:
        dumps: function that returns the type and the bytes of a value.
        loads: its inverse.
    """

    def __init__(
        self,
        key_prefix: str,
        ttl: float | timedelta | None,
        on_outage: OnOutage,
        *,
        dumps: Callable[[Any], tuple[str, bytes]],
        loads: Callable[[tuple[str, bytes]], Any],
    ) -> None:
        super().__init__(key_prefix, ttl, on_outage)
        self._dumps = dumps
        self._loads = loads

    def find(self, names: Sequence[Name]) -> Flow[dict[Name, Any]]:
        """Return the values that are there."""
        if not names:
            return {}
        keys = [self.keys.of_entry([key], namespace) for namespace, key in names]
        contents = yield from self.lookup(keys)
        values = {}
        for name, content in zip(names, contents, strict=True):
            if content is None:
                continue
            kind, _, data = content.partition(b":")
            try:
                values[name] = self._loads((kind.decode(), data))
            except Exception as error:  # noqa: BLE001 - a serializer raises anything
                self.outages.report(f"a value cannot be read ({type(error).__name__}: {error})")
        return values

    def store(self, pairs: Mapping[Name, tuple[Any, float | None]]) -> Flow[None]:
        """Write values, each with seconds to live (None: the default), if they can be stored."""
        entries = []
        for (namespace, key), (value, ttl) in pairs.items():
            ttl_ms = 0 if ttl is None else milliseconds("ttl", ttl)
            try:
                kind, data = self._dumps(value)
            except Exception as error:  # noqa: BLE001 - a serializer raises anything
                self.outages.report(f"{type(value).__name__} ({type(error).__name__}: {error})")
                continue
            keys = self.keys.of_entry([key], namespace)
            entries.append((keys, kind.encode() + b":" + data, ttl_ms))
        if entries:
            yield from self.update(entries)
