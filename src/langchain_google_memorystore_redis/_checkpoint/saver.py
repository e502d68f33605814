"""`MemorystoreSaver`, LangGraph's interface to threads of checkpoints.

Strategy: a thin adapter: `operations.py` decides what to send and how to read the reply, and
`configs.py` converts LangGraph's shapes. Each method is a line or two, and its async twin the same
with `await`.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, Self

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from langchain_google_memorystore_redis._checkpoint.compression import CompressingSerializer
from langchain_google_memorystore_redis._checkpoint.configs import (
    index_writes,
    make_config,
    make_listing,
    make_tuple,
    parse_checkpoint_config,
    parse_config,
    parse_id,
    parse_ids,
)
from langchain_google_memorystore_redis._checkpoint.keys import thread_prefix
from langchain_google_memorystore_redis._checkpoint.operations import CheckpointOps
from langchain_google_memorystore_redis._checkpoint.thread_cache import ThreadCache, make_cache
from langchain_google_memorystore_redis._codec.compression import compression_threshold
from langchain_google_memorystore_redis._connect.owned import OwnedClient
from langchain_google_memorystore_redis._redis.arguments import ttl_milliseconds
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.done import Done
from langchain_google_memorystore_redis._redis.op import Flow
from langchain_google_memorystore_redis._redis.sharing import SharesClient


class MemorystoreSaver(SharesClient, BaseCheckpointSaver[str]):
    """Short-term memory of LangGraph graphs and agents, in Memorystore for Redis or Valkey.

    Args:
        client: a client of redis-py or valkey-py, blocking or asyncio, standalone, cluster or
            sentinel, `decode_responses` on or off. A blocking client serves async methods from
            a thread; an asyncio client serves blocking methods from other threads than that of its
            event loop, as when a sync node of `ainvoke()` invokes a graph.
        ttl: seconds (or a timedelta) after the last write at which a whole thread expires; None
            leaves its expiry alone.
        async_client: an asyncio client for the async methods, beside a blocking `client`.
        key_prefix: beginning of the two keys of each thread.
        refresh_on_read: reading a thread renews `ttl` too.
        serde: serializer of values, LangGraph's own by default.
        cache: `ThreadCache` of what the process has stored and read, shared by the savers that are
            given the same; "own" for one of this saver alone, None for none.
        compress: "zstd" compresses what takes `compress_min_bytes` or more, each message alone, if
            that makes it smaller; needs the extra `zstd`, as does reading it. Savers with other
            settings read it too.
        compress_min_bytes: minimum size to compress, in bytes.

    The constructor sends nothing, and there is nothing to set up. Methods raise the client's own
    errors when the server is unreachable, full, read-only or refuses permission, and
    `WrongTypeError` when a key of the thread holds another Redis type. Writes are idempotent: one
    that is repeated, by the client after a lost reply or by you, is stored once. One object may be
    used by many threads and tasks at once.

    Examples:
        >>> from langchain.agents import create_agent
        >>> from langchain_core.language_models import FakeListChatModel
        >>> saver = MemorystoreSaver(client, ttl=3600)
        >>> agent = create_agent(FakeListChatModel(responses=["Hello!"]), checkpointer=saver)
        >>> config = {"configurable": {"thread_id": "docs"}}
        >>> agent.invoke({"messages": "hi"}, config)["messages"][-1].content
        'Hello!'
        >>> saver.delete_thread("docs")
    """

    def __init__(
        self,
        client: Any,
        ttl: float | timedelta | None = None,
        *,
        async_client: Any = None,
        key_prefix: str = "checkpoint:",
        refresh_on_read: bool = False,
        serde: SerializerProtocol | None = None,
        cache: ThreadCache | Literal["own"] | None = "own",
        compress: Literal["zstd"] | None = None,
        compress_min_bytes: int = 256,
    ) -> None:
        super().__init__(serde=serde)
        self._sync, self._async = runners_for(client, async_client)
        thread_prefix(key_prefix)  # raises for an unusable prefix
        self._key_prefix = key_prefix
        self._ttl_ms = ttl_milliseconds(ttl)
        self._refresh_on_read = refresh_on_read
        self._cache = make_cache(cache)
        self._compress_min_bytes = compression_threshold(compress, compress_min_bytes)

    @classmethod
    def from_conn_string(
        cls,
        conn_string: str,
        *,
        cluster: bool | None = None,
        client_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> OwnedClient[Self]:
        """Return a context manager whose saver owns its client; no round trip.

        `with` makes a client of `connect()`, `async with` one of `aconnect()`, and either closes it
        at the end. `cluster` and `client_options` go to these, `options` to the saver. Entering
        the block asks the server whether it is a cluster, in 1 round trip, unless `cluster` says.

        Examples:
            >>> with MemorystoreSaver.from_conn_string(url, ttl=3600) as saver:
            ...     saver.get_tuple({"configurable": {"thread_id": "docs"}})
        """
        factory = functools.partial(cls, **options)
        return OwnedClient(factory, conn_string, cluster=cluster, options=client_options or {})

    def setup(self) -> Awaitable[None]:
        """Do nothing, awaited or not: savers of other packages need this call. No round trip."""
        return Done()

    async def asetup(self) -> None:
        """Do nothing, as `setup`. No round trip."""

    # Reading

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that `config` names, or the newest of its namespace.

        None if there is none. One round trip. Contents that the process holds in its cache are not
        read again, and each caller gets copies.

        Examples:
            >>> saver.get_tuple({"configurable": {"thread_id": "docs"}})
        """
        found = self._sync.run(self._ops.get(parse_config(config)))
        return make_tuple(found) if found else None

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Async twin of `get_tuple`."""
        found = await self._async.run(self._ops.get(parse_config(config)))
        return make_tuple(found) if found else None

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Yield the checkpoints of a thread, newest first in each namespace.

        Without a namespace in `config`, all are listed, one after another. One round trip for each
        50 checkpoints or megabyte; with a filter, one for each 500 examined and one for each 50
        found. Checkpoints put during the listing are not seen.

        Without a `config`, threads are found by SCAN and listed one after another: newest first in
        each, as LangGraph's InMemorySaver does, and not across threads, as its PostgresSaver does.
        That takes about 200 bytes of memory a thread, so that none is listed twice.

        Examples:
            >>> list(saver.list({"configurable": {"thread_id": "docs"}}, limit=10))
            []
        """
        listing = make_listing(config, filter, before, limit)
        while listing is not None:
            found, listing = self._sync.run(self._ops.list_page(listing))
            yield from map(make_tuple, found)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Async twin of `list`."""
        listing = make_listing(config, filter, before, limit)
        while listing is not None:
            found, listing = await self._async.run(self._ops.list_page(listing))
            for stored in found:
                yield make_tuple(stored)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, Any]:
        """Return the seeds and writes from which LangGraph makes the values of delta channels.

        Called by LangGraph. One round trip for each 500 ancestors or megabyte that the server
        examines; large writes and seeds that the process holds in its cache are not read again.

        Examples:
            >>> config = {"configurable": {"thread_id": "docs"}}
            >>> saver.get_delta_channel_history(config=config, channels=["messages"])
            {'messages': {'writes': []}}
        """
        return self._sync.run(self._ops.delta_history(parse_config(config), channels))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, Any]:
        """Async twin of `get_delta_channel_history`."""
        return await self._async.run(self._ops.delta_history(parse_config(config), channels))

    # Writing

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint as a child of the one that `config` names, and return its config.

        One round trip, two if the thread expired or was deleted or pruned since the parent was
        read. Sent are the contents that are new in this process's cache, of the channels that have
        a new version: messages that were added or edited in place. Idempotent.

        Examples:
            >>> from langgraph.checkpoint.base import empty_checkpoint
            >>> config = {"configurable": {"thread_id": "docs", "checkpoint_ns": ""}}
            >>> stored = saver.put(config, empty_checkpoint(), {"source": "input"}, {})
            >>> saver.get_tuple(config).metadata
            {'source': 'input'}
            >>> saver.delete_thread("docs")
        """
        parent, extended = parse_config(config), get_checkpoint_metadata(config, metadata)
        stored = parent._replace(checkpoint_id=parse_id("checkpoint id", checkpoint["id"]))
        self._sync.run(self._ops.put(parent, checkpoint, extended, new_versions))
        return make_config(stored)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Async twin of `put`."""
        parent, extended = parse_config(config), get_checkpoint_metadata(config, metadata)
        stored = parent._replace(checkpoint_id=parse_id("checkpoint id", checkpoint["id"]))
        await self._async.run(self._ops.put(parent, checkpoint, extended, new_versions))
        return make_config(stored)

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store the writes of a task, pending at the checkpoint that `config` names.

        One round trip. Idempotent: a task's first writes stay, except errors, interrupts and
        resumes, of which the last stay. Raises `InvalidArgumentError` if `config` names no
        checkpoint: nothing would ever read the writes.

        Examples:
            >>> config = {"configurable": {"thread_id": "docs", "checkpoint_id": "1"}}
            >>> saver.put_writes(config, [("messages", "hi")], task_id="task-1")
            >>> saver.delete_thread("docs")
        """
        if writes:
            self._sync.run(self._put_writes(config, writes, task_id, task_path))

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Async twin of `put_writes`."""
        if writes:
            await self._async.run(self._put_writes(config, writes, task_id, task_path))

    def _put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, path: str
    ) -> Flow[None]:
        address, task = parse_checkpoint_config(config), parse_id("task_id", task_id)
        return self._ops.put_writes(address, task, path, index_writes(writes))

    def get_next_version(self, current: Any, channel: None) -> Any:
        """Return the version of a channel after `current`; no round trip.

        Versions sort by number. A random part follows, because two branches of a thread may give
        the same number to different values. Versions of other savers that are numbers stay numbers.
        """
        if isinstance(current, (int, float)):
            return int(current) + 1 + secrets.randbits(32) / 2**32
        number = int(current.partition(".")[0]) + 1 if current else 1
        return f"{number:010}.{secrets.token_hex(4)}"

    # Whole threads

    def delete_thread(self, thread_id: str) -> None:
        """Remove a thread. One round trip. Idempotent.

        Examples:
            >>> saver.delete_thread("docs")
        """
        self._sync.run(self._ops.delete(parse_id("thread_id", thread_id)))

    async def adelete_thread(self, thread_id: str) -> None:
        """Async twin of `delete_thread`."""
        await self._async.run(self._ops.delete(parse_id("thread_id", thread_id)))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Remove the checkpoints that runs have stored, and their pending writes. Idempotent.

        A run's checkpoints are those with its id as `run_id` in their metadata. LangGraph puts it
        there if the run's config has it under "metadata" or "configurable", and does not for
        `config["run_id"]` alone.

        Every thread is examined, found by SCAN: one round trip for each 500 checkpoints of each,
        2 s for 10,000 short threads on a local link. An index of a run's threads would cost every
        `put` a second round trip, to another slot of a cluster. The next `prune` of a thread frees
        the values that no checkpoint refers to any more.

        Examples:
            >>> saver.delete_for_runs(["run-1"])
        """
        self._sync.run(self._ops.delete_for_runs(parse_ids("run_id", run_ids)))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Async twin of `delete_for_runs`."""
        await self._async.run(self._ops.delete_for_runs(parse_ids("run_id", run_ids)))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy the checkpoints of a thread, and their pending writes, to another one.

        Two round trips for each 50 checkpoints or megabyte, and one more. Idempotent: what the
        other thread holds already stays.

        Examples:
            >>> saver.copy_thread("docs", "docs-copy")
        """
        source, target = parse_ids("thread_id", (source_thread_id, target_thread_id))
        self._sync.run(self._ops.copy(source, target))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Async twin of `copy_thread`."""
        source, target = parse_ids("thread_id", (source_thread_id, target_thread_id))
        await self._async.run(self._ops.copy(source, target))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Remove all but the newest checkpoint of each namespace, or with "delete" whole threads.

        One round trip a thread, at a cost that depends only on what is kept. Ancestors that the
        newest checkpoint needs for its delta channels are kept too. Does not renew `ttl`.

        Examples:
            >>> saver.prune(["docs"])
        """
        self._sync.run(self._ops.prune(parse_ids("thread_id", thread_ids), strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Async twin of `prune`."""
        await self._async.run(self._ops.prune(parse_ids("thread_id", thread_ids), strategy))

    @property
    def _ops(self) -> CheckpointOps:
        # Made anew for each call: LangGraph copies savers and gives the copy another `serde`.
        serde = CompressingSerializer(self.serde, self._compress_min_bytes)
        return CheckpointOps(
            self._key_prefix, serde, self._ttl_ms, self._refresh_on_read, self._cache
        )
