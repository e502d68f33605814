"""`MemorystoreStore`, LangGraph's interface to long-term memory.

Strategy: a thin adapter: `conversions.py` checks LangGraph's operations and makes its items,
`operations.py` decides what to send and how to read the reply. `put`, `get` and the like are
LangGraph's own, each a batch of one.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, Self

from langgraph.store.base import (
    BaseStore,
    Embeddings,
    IndexConfig,
    Op,
    Result,
    TTLConfig,
    ensure_embeddings,
)

from langchain_google_memorystore_redis._connect.owned import OwnedClient
from langchain_google_memorystore_redis._redis.arguments import boolean, positive
from langchain_google_memorystore_redis._redis.clients import is_cluster, runners_for
from langchain_google_memorystore_redis._redis.done import Done, DoneCount
from langchain_google_memorystore_redis._redis.keys import tagged_prefix
from langchain_google_memorystore_redis._redis.op import Flow
from langchain_google_memorystore_redis._redis.op import Op as RedisOp
from langchain_google_memorystore_redis._redis.sharing import SharesClient
from langchain_google_memorystore_redis._store.conversions import (
    Parser,
    make_result,
    parse_fields,
    parse_ttl,
)
from langchain_google_memorystore_redis._store.keys import StoreKeys
from langchain_google_memorystore_redis._store.operations import StoreOps
from langchain_google_memorystore_redis.errors import (
    ArgumentTypeError,
    InvalidArgumentError,
    MissingExtraError,
)


class MemorystoreStore(SharesClient, BaseStore):
    """Long-term memory of LangGraph graphs and agents, in Memorystore for Redis or Valkey.

    Args:
        client: a client of redis-py or valkey-py, blocking or asyncio, standalone, cluster or
            sentinel, `decode_responses` on or off. A blocking client serves async methods from
            a thread; an asyncio client serves blocking methods from other threads than that of its
            event loop, as when a tool of an agent that was awaited calls the store.
        async_client: an asyncio client for the async methods, beside a blocking `client`.
        index: LangGraph's configuration of semantic search: `embed`, `dims` and `fields`. Needs the
            extra `vector`.
        ttl: LangGraph's configuration of expiry, in minutes: `default_ttl`, `refresh_on_read`.
        key_prefix: beginning of all keys.
        max_scored: items that a search with a filter, and vectors that one with a query, may
            examine in this process, beyond which it raises `SearchLimitError`.

    The constructor sends nothing, and there is nothing to set up. `put`, `get`, `delete`, and
    `batch` of these, take one round trip, on a cluster one more where something is put. `search`
    takes two for one namespace, and one more if there are others below it: the newest items first,
    or the nearest to a query. It goes through at most 1,000 namespaces. With a filter, further
    ones follow for each 256 items examined. `list_namespaces` takes two for each 500 namespaces.
    Reading renews the time to live of what it returns, in one more round trip for a search, unless
    `refresh_ttl=False`.

    Values come back equal, or are refused by `InvalidItemError`. Methods raise the client's own
    errors when the server is unreachable, full, read-only or refuses permission. One object may be
    used by many threads and tasks at once.

    Examples:
        >>> store = MemorystoreStore(client, ttl={"default_ttl": 60 * 24 * 30})
        >>> store.put(("users", "ada"), "food", {"likes": "pizza"})
        >>> store.get(("users", "ada"), "food").value
        {'likes': 'pizza'}
        >>> [item.key for item in store.search(("users",), filter={"likes": {"$ne": "fish"}})]
        ['food']
        >>> store.list_namespaces(prefix=("users",))
        [('users', 'ada')]
        >>> store.delete(("users", "ada"), "food")
    """

    def __init__(
        self,
        client: Any,
        *,
        async_client: Any = None,
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
        key_prefix: str = "store:",
        max_scored: int = 5_000,
    ) -> None:
        self._sync, self._async = runners_for(client, async_client)
        self.supports_ttl = True
        self.ttl_config = _check_ttl(ttl)
        self.index_config = index
        self.embeddings: Embeddings | None = None
        tagged_prefix(key_prefix)  # raises for an unusable prefix
        semantics, fields = None, None
        if index is not None:
            self.embeddings, dims, fields = _check_index(index)
            semantics = _semantics(self.embeddings, dims)
        self._parser = Parser(fields)
        self._ops = StoreOps(
            StoreKeys(key_prefix), positive("max_scored", max_scored), is_cluster(client), semantics
        )

    @classmethod
    def from_conn_string(
        cls,
        conn_string: str,
        *,
        cluster: bool | None = None,
        client_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> OwnedClient[Self]:
        """Return a context manager whose store owns its client; no round trip.

        `with` makes a client of `connect()`, `async with` one of `aconnect()`, and either closes it
        at the end. `cluster` and `client_options` go to these, `options` to the store. Entering
        the block asks the server whether it is a cluster, in 1 round trip, unless `cluster` says.

        Examples:
            >>> with MemorystoreStore.from_conn_string(url) as store:
            ...     store.get(("users", "ada"), "food")
        """
        factory = functools.partial(cls, **options)
        return OwnedClient(factory, conn_string, cluster=cluster, options=client_options or {})

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Run operations as if one after another, and return their results in order.

        Each is all or nothing, the batch is not. What is independent shares round trips: one for
        puts, gets and deletes in a row (two in a cluster), and those of the longest for searches
        and listings in a row. All texts go to the embedding in one call, before anything is sent.

        Examples:
            >>> from langgraph.store.base import GetOp, PutOp
            >>> namespace = ("users", "docs")
            >>> _, item = store.batch([PutOp(namespace, "a", {"n": 1}), GetOp(namespace, "a")])
            >>> item.value
            {'n': 1}
            >>> store.delete(namespace, "a")
        """
        requests = self._parser.parse(ops)
        return [make_result(answer) for answer in self._sync.run(self._work(requests))]

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Async twin of `batch`."""
        requests = self._parser.parse(ops)
        return [make_result(answer) for answer in await self._async.run(self._work(requests))]

    def _work(self, requests: Any) -> Flow[list[Any]] | RedisOp[list[Any]]:
        """Return a batch as a flow, or as the single operation that it may be."""
        op = self._ops.single(requests[0]) if len(requests) == 1 else None
        if op is None:
            return self._ops.batch(requests)
        decode = op.decode
        return op._replace(decode=lambda reply: [decode(reply)])

    # For code that was written for stores which need it

    def setup(self) -> Awaitable[None]:
        """Do nothing, awaited or not: stores of other packages need this call. No round trip."""
        return Done()

    def sweep_ttl(self) -> DoneCount:
        """Return 0, awaited or not: the server removes what has expired. No round trip."""
        return DoneCount(0)

    def start_ttl_sweeper(self, sweep_interval_minutes: int | None = None) -> Awaitable[None]:
        """Do nothing, awaited or not: the server removes what has expired. No round trip."""
        return Done()

    def stop_ttl_sweeper(self, timeout: float | None = None) -> DoneCount:
        """Return 1 for True, awaited or not: no sweeper is running. No round trip."""
        return DoneCount(1)


def _check_ttl(ttl: Any) -> TTLConfig | None:
    if ttl is None:
        return None
    if not isinstance(ttl, Mapping):
        raise ArgumentTypeError(
            "ttl", f'must be a dict, as {{"default_ttl": minutes}}, not {type(ttl).__name__}'
        )
    parse_ttl(ttl.get("default_ttl"))
    boolean("refresh_on_read", ttl.get("refresh_on_read", True))
    checked: Any = dict(ttl)
    config: TTLConfig = checked
    return config


def _check_index(index: Any) -> tuple[Embeddings, int | None, tuple[str, ...]]:
    if not isinstance(index, Mapping):
        raise ArgumentTypeError("index", f"must be a dict, not {type(index).__name__}")
    if index.get("embed") is None:
        raise InvalidArgumentError("index", 'needs "embed": an embedding model, or a function')
    dims = index.get("dims")
    return (
        ensure_embeddings(index["embed"]),
        None if dims is None else positive("dims", dims),
        parse_fields(index.get("fields") or ["$"]),
    )


def _semantics(embeddings: Embeddings, dims: int | None) -> Any:
    try:
        from langchain_google_memorystore_redis._store.semantics import (  # noqa: PLC0415
            Semantics,
        )
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        raise MissingExtraError("vector", "MemorystoreStore(index=...)") from error
    return Semantics(embeddings, dims)
