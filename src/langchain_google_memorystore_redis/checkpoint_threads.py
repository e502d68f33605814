"""What a saver is made of, and what it does to whole threads.

Strategy: the half of `MemorystoreSaver` that programs call themselves, to remove, copy and prune;
the half that LangGraph calls, checkpoint by checkpoint, is in `checkpoint.py`. Like it a thin
adapter, each method a line or two. The serializer is asked for at each call: `with_allowlist`
gives a shallow copy another one.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.base import SerializerProtocol

from langchain_google_memorystore_redis._engine.clients import runners_for
from langchain_google_memorystore_redis._engine.keys import thread_prefix
from langchain_google_memorystore_redis._ops.checkpoint import CheckpointOps
from langchain_google_memorystore_redis._ops.settings import several, time_to_live
from langchain_google_memorystore_redis.checkpoint_config import text_of

_thread_id = functools.partial(text_of, "thread_id")


class ThreadSaver(BaseCheckpointSaver[str]):
    """A client with settings, and the methods on whole threads; see `MemorystoreSaver`."""

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
        self._ttl_ms = time_to_live(ttl)
        self._refresh_on_read = refresh_on_read

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
        self._sync.drive(self._ops.forget(_texts("run_id", run_ids)))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Async twin of `delete_for_runs`."""
        await self._async.drive(self._ops.forget(_texts("run_id", run_ids)))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy the checkpoints of a thread, and their pending writes, to another one.

        Two round trips for each 50 checkpoints or megabyte, and one more. Safe to repeat: what
        the other thread holds already stays.

        Example:
            >>> saver.copy_thread("docs", "docs-copy")
        """
        self._sync.drive(self._ops.copy(*map(_thread_id, (source_thread_id, target_thread_id))))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Async twin of `copy_thread`."""
        await self._async.drive(
            self._ops.copy(*map(_thread_id, (source_thread_id, target_thread_id)))
        )

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep the newest checkpoint of each namespace of some threads, or ("delete") nothing.

        One round trip a thread, at a cost that depends on what is kept alone. Ancestors that the
        newest checkpoint needs for its delta channels are kept too. Does not renew `ttl`.

        Example:
            >>> saver.prune(["docs"])
        """
        self._sync.drive(self._ops.prune(_texts("thread_id", thread_ids), strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Async twin of `prune`."""
        await self._async.drive(self._ops.prune(_texts("thread_id", thread_ids), strategy))

    @property
    def _ops(self) -> CheckpointOps:
        return CheckpointOps(self._key_prefix, self.serde, self._ttl_ms, self._refresh_on_read)


def _texts(name: str, values: Sequence[Any]) -> list[str]:
    return [text_of(name, value) for value in several(f"{name}s", values)]
