"""`MemorystoreNodeCache`, LangGraph's interface to a cache of nodes' results.

Strategy: a thin adapter: `results.py` converts values, and `operations.py` decides what to send.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from langgraph.cache.base import BaseCache, FullKey, Namespace, ValueT
from langgraph.checkpoint.serde.base import SerializerProtocol

from langchain_google_memorystore_redis._cache.outages import OnOutage
from langchain_google_memorystore_redis._cache.results import ResultOps
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.sharing import SharesClient


class MemorystoreNodeCache(SharesClient, BaseCache[ValueT]):
    """Cache of the results of a graph's nodes, in Memorystore for Redis or Valkey.

    Args:
        client: a client of redis-py or valkey-py, blocking or asyncio, standalone, cluster or
            sentinel. A blocking client serves async methods from a thread.
        ttl: seconds (or a timedelta) to keep the results of nodes whose `CachePolicy` has no `ttl`;
            None keeps them until 30 days after their last use.
        async_client: an asyncio client for the async methods, beside a blocking `client`.
        key_prefix: beginning of all keys of the cache.
        on_outage: "miss" (the node runs) or "raise", as in `MemorystoreCache`.
        serde: serializer of values, LangGraph's own by default. That one can run code named in what
            it reads: where others may write to the server, give it an allow-list, as the page on
            the checkpointer shows.

    A value that the serializer refuses is not cached, and one that it cannot read counts as
    missing; both are logged once. None is a value.

    Examples:
        >>> from langgraph.graph import StateGraph
        >>> from langgraph.types import CachePolicy
        >>> graph = StateGraph(dict)
        >>> _ = graph.add_node("slow", lambda state: {"n": 1}, cache_policy=CachePolicy(ttl=60))
        >>> _ = graph.set_entry_point("slow").set_finish_point("slow")
        >>> agent = graph.compile(cache=MemorystoreNodeCache(client, key_prefix="docs-nodes:"))
        >>> agent.invoke({"n": 0})
        {'n': 1}
    """

    def __init__(
        self,
        client: Any,
        ttl: float | timedelta | None = None,
        *,
        async_client: Any = None,
        key_prefix: str = "node-cache:",
        on_outage: OnOutage = "miss",
        serde: SerializerProtocol | None = None,
    ) -> None:
        super().__init__(serde=serde)
        self._sync, self._async = runners_for(client, async_client)
        self._key_prefix = key_prefix
        self._ops = ResultOps(
            key_prefix,
            ttl,
            on_outage,
            dumps=self.serde.dumps_typed,
            loads=self.serde.loads_typed,
        )

    def __repr__(self) -> str:
        """Return the class and its prefix, never the client, which may hold a password."""
        return f"{type(self).__name__}(key_prefix={self._key_prefix!r})"

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, ValueT]:
        """Return the values that are there, each under its namespace and key.

        One round trip (a node, on a cluster).

        Examples:
            >>> nodes.get([(("a", "b"), "key")])
            {}
        """
        return self._sync.run(self._ops.find(keys))

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, ValueT]:
        """Async twin of `get`."""
        return await self._async.run(self._ops.find(keys))

    def set(self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]) -> None:
        """Store values, each with the seconds to keep it; None takes the constructor's `ttl`.

        One round trip (a node, on a cluster). Raises `InvalidArgumentError` for a `ttl` of 0 or
        less.

        Examples:
            >>> nodes.set({(("a", "b"), "key"): ("value", 60)})
            >>> nodes.get([(("a", "b"), "key"), (("a:b",), "key")])
            {(('a', 'b'), 'key'): 'value'}
        """
        self._sync.run(self._ops.store(pairs))

    async def aset(self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]) -> None:
        """Async twin of `set`."""
        await self._async.run(self._ops.store(pairs))

    def clear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Make the values of exactly these namespaces stale, for every process at once.

        None means all of them, and `[]` none. One round trip (a node, on a cluster), however many
        values there are: they expire later. A failure raises, in an outage too; repeat the call.

        Examples:
            >>> nodes.clear([("a", "b")])
            >>> nodes.get([(("a", "b"), "key")])
            {}
        """
        self._sync.run(self._ops.clear(namespaces))

    async def aclear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Async twin of `clear`."""
        await self._async.run(self._ops.clear(namespaces))
