"""`MemorystoreSaver`, LangGraph's interface to threads of checkpoints.

Strategy: a thin adapter. What an operation sends and what its answer means is decided in
`operations.py`; here LangGraph's configs, tuples and metadata are taken apart and put
together, each method is a line or two, and its async twin the same with `await`.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Self

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

from langchain_google_memorystore_redis._checkpoint.configs import (
    checkpoint_place_of,
    config_of,
    indexed,
    listing_of,
    place_of,
    text_of,
    tuple_of,
)
from langchain_google_memorystore_redis._checkpoint.keys import thread_prefix
from langchain_google_memorystore_redis._checkpoint.operations import CheckpointOps
from langchain_google_memorystore_redis._connect.owned import Connecting
from langchain_google_memorystore_redis._redis.arguments import iterable_not_str, ttl_milliseconds
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.op import Op

_thread_id = functools.partial(text_of, "thread_id")


class MemorystoreSaver(BaseCheckpointSaver[str]):
    """Short-term memory of LangGraph graphs and agents, in Memorystore for Redis or Valkey.

    Args:
        client: a client of redis-py or valkey-py, blocking or asyncio, standalone, cluster or
            sentinel, `decode_responses` on or off. A blocking client serves async methods from
            a thread; an asyncio client serves async methods only.
        ttl: seconds (or a timedelta) after the last write at which a thread expires, whole; None
            leaves its expiry alone.
        async_client: an asyncio client for the async methods, beside a blocking `client`.
        key_prefix: put before the id of a thread to make its two keys.
        refresh_on_read: reading a thread renews `ttl` too.
        serde: what turns values into bytes, LangGraph's own by default.

    The constructor sends nothing, and there is nothing to set up. Methods raise the client's own
    errors when the server is away, full, read-only or refuses permission, and `WrongTypeError`
    when a key of the thread holds something else. Every write may be repeated, by the client
    after a lost reply or by you: it is stored once. One object may be used by many threads and
    tasks at once.

    Example:
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
    ) -> None:
        super().__init__(serde=serde)
        self._sync, self._async = runners_for(client, async_client)
        thread_prefix(key_prefix)  # raises for what can be no prefix
        self._key_prefix = key_prefix
        self._ttl_ms = ttl_milliseconds(ttl)
        self._refresh_on_read = refresh_on_read

    @classmethod
    def from_conn_string(
        cls,
        conn_string: str,
        *,
        cluster: bool = False,
        client_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Connecting[Self]:
        """A saver with a client of its own, for `with` or `async with`; no round trip.

        `client_options` go to the client of redis-py, `options` to the saver.

        Example:
            >>> with MemorystoreSaver.from_conn_string(url, ttl=3600) as saver:
            ...     saver.get_tuple({"configurable": {"thread_id": "docs"}})
        """
        make = functools.partial(cls, **options)
        return Connecting(make, conn_string, cluster=cluster, options=client_options or {})

    def setup(self) -> None:
        """Do nothing: other savers need this call. No round trip."""

    async def asetup(self) -> None:
        """Async twin of `setup`."""

    # Reading

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, the newest of its thread if it names none.

        One round trip, whatever the length of the thread. None if there is none.

        Example:
            >>> saver.get_tuple({"configurable": {"thread_id": "docs"}})
        """
        found = self._sync.run(self._ops.get(place_of(config)))
        return tuple_of(found) if found else None

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Async twin of `get_tuple`."""
        found = await self._async.run(self._ops.get(place_of(config)))
        return tuple_of(found) if found else None

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Checkpoints of a thread, newest first; namespace by namespace if `config` names none.

        One round trip for each 50 checkpoints or megabyte; with a filter, one for each 500
        looked at and one for each 50 found. What is put meanwhile is not seen.

        No `config` lists thread after thread, found by SCAN: newest first in each, as LangGraph's
        InMemorySaver does, and not across threads, as its PostgresSaver does. Needs about 200
        bytes of memory a thread, to list none twice.

        Example:
            >>> list(saver.list({"configurable": {"thread_id": "docs"}}, limit=10))
            []
        """
        listing = listing_of(config, filter, before, limit)
        while listing is not None:
            found, listing = self._sync.run(self._ops.page(listing))
            yield from map(tuple_of, found)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Async twin of `list`."""
        listing = listing_of(config, filter, before, limit)
        while listing is not None:
            found, listing = await self._async.run(self._ops.page(listing))
            for stored in found:
                yield tuple_of(stored)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, Any]:
        """What LangGraph makes the values of its delta channels from.

        One round trip for each 500 ancestors. Called by LangGraph.

        Example:
            >>> config = {"configurable": {"thread_id": "docs"}}
            >>> saver.get_delta_channel_history(config=config, channels=["messages"])
            {'messages': {'writes': []}}
        """
        return self._sync.run(self._ops.history(place_of(config), channels))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, Any]:
        """Async twin of `get_delta_channel_history`."""
        return await self._async.run(self._ops.history(place_of(config), channels))

    # Writing

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, as a child of the one that `config` names; returns its own config.

        One round trip, two if the thread was deleted, pruned or expired since the parent was
        read. Values of channels that have no new version are not sent. Safe to repeat.

        Example:
            >>> from langgraph.checkpoint.base import empty_checkpoint
            >>> config = {"configurable": {"thread_id": "docs", "checkpoint_ns": ""}}
            >>> stored = saver.put(config, empty_checkpoint(), {"source": "input"}, {})
            >>> saver.get_tuple(config).metadata
            {'source': 'input'}
            >>> saver.delete_thread("docs")
        """
        place, extended = place_of(config), get_checkpoint_metadata(config, metadata)
        self._sync.run(self._ops.put(place, checkpoint, extended, new_versions))
        return config_of(place._replace(checkpoint_id=checkpoint["id"]))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Async twin of `put`."""
        place, extended = place_of(config), get_checkpoint_metadata(config, metadata)
        await self._async.run(self._ops.put(place, checkpoint, extended, new_versions))
        return config_of(place._replace(checkpoint_id=checkpoint["id"]))

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what a task wrote, beside the checkpoint that `config` names. One round trip.

        Safe to repeat: a task's first writes stay, but for errors, interrupts and resumes,
        where the last ones count. Raises `InvalidArgumentError` if `config` names no
        checkpoint: nothing would ever read the writes.

        Example:
            >>> config = {"configurable": {"thread_id": "docs", "checkpoint_id": "1"}}
            >>> saver.put_writes(config, [("messages", "hi")], task_id="task-1")
            >>> saver.delete_thread("docs")
        """
        if writes:
            self._sync.run(self._write(config, writes, task_id, task_path))

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Async twin of `put_writes`."""
        if writes:
            await self._async.run(self._write(config, writes, task_id, task_path))

    def _write(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, path: str
    ) -> Op[None]:
        place, task = checkpoint_place_of(config), text_of("task_id", task_id)
        return self._ops.write(place, task, path, indexed(writes))

    def get_next_version(self, current: Any, channel: None) -> Any:
        """The version of a channel that follows `current`; no round trip.

        Versions sort by number. What follows the number tells apart those that two branches of a
        thread give to different values. Numbers, as other savers make them, stay numbers.
        """
        if isinstance(current, (int, float)):
            return int(current) + 1 + secrets.randbits(32) / 2**32
        number = int(current.partition(".")[0]) + 1 if current else 1
        return f"{number:010}.{secrets.token_hex(4)}"

    # Whole threads

    def delete_thread(self, thread_id: str) -> None:
        """Remove a thread. One round trip. Safe to repeat.

        Example:
            >>> saver.delete_thread("docs")
        """
        self._sync.run(self._ops.delete(_thread_id(thread_id)))

    async def adelete_thread(self, thread_id: str) -> None:
        """Async twin of `delete_thread`."""
        await self._async.run(self._ops.delete(_thread_id(thread_id)))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Remove the checkpoints that runs have stored, and their pending writes. Safe to repeat.

        A run's checkpoints are those with its id as `run_id` in their metadata. LangGraph puts it
        there if the run's config has it under "metadata" or "configurable", and does not for
        `config["run_id"]` alone.

        Looks at every thread, found by SCAN: one round trip for each 500 checkpoints of each, 2 s
        for 10,000 short threads on a local link. To know a run's threads beforehand, every `put`
        would have to write to a key in another slot of a cluster, at a round trip more. Values that
        no checkpoint refers to any more are freed by the next `prune`.

        Example:
            >>> saver.delete_for_runs(["run-1"])
        """
        self._sync.run(self._ops.forget(_texts("run_id", run_ids)))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Async twin of `delete_for_runs`."""
        await self._async.run(self._ops.forget(_texts("run_id", run_ids)))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy the checkpoints of a thread, and their pending writes, to another one.

        Two round trips for each 50 checkpoints or megabyte, and one more. Safe to repeat: what
        the other thread holds already stays.

        Example:
            >>> saver.copy_thread("docs", "docs-copy")
        """
        self._sync.run(self._ops.copy(*map(_thread_id, (source_thread_id, target_thread_id))))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Async twin of `copy_thread`."""
        await self._async.run(
            self._ops.copy(*map(_thread_id, (source_thread_id, target_thread_id)))
        )

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep the newest checkpoint of each namespace of some threads, or ("delete") nothing.

        One round trip a thread, at a cost that depends on what is kept alone. Ancestors that the
        newest checkpoint needs for its delta channels are kept too. Does not renew `ttl`.

        Example:
            >>> saver.prune(["docs"])
        """
        self._sync.run(self._ops.prune(_texts("thread_id", thread_ids), strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Async twin of `prune`."""
        await self._async.run(self._ops.prune(_texts("thread_id", thread_ids), strategy))

    @property
    def _ops(self) -> CheckpointOps:
        return CheckpointOps(self._key_prefix, self.serde, self._ttl_ms, self._refresh_on_read)


def _texts(name: str, values: Sequence[Any]) -> list[str]:
    return [text_of(name, value) for value in iterable_not_str(f"{name}s", values)]
