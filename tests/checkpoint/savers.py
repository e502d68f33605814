"""Ways into a saver for tests: its async methods, and its blocking ones under the async names.

Strategy: contracts are written for the async methods, as LangGraph's own suite is; `Awaited` lets
the same bodies hold the blocking methods to them, and awaits nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, CheckpointTuple
from langgraph.checkpoint.base.id import uuid6

from langchain_google_memorystore_redis import MemorystoreSaver
from tests.plugins.clients import TARGETS, Target, asyncio_client

Saver = BaseCheckpointSaver[str]
WAYS = ("async", "sync", "thread")


class Pair(NamedTuple):
    """A way into a saver on a target."""

    target: Target
    way: str

    def __str__(self) -> str:
        return f"{self.target}-{self.way}"


def _pairs() -> Iterator[Pair]:
    """Every target, by ways that take turns; and every way on one server and one cluster."""
    for target, way in zip(TARGETS, itertools.cycle(WAYS), strict=False):
        whole = target in (Target("valkey-9.1"), Target("valkey-9.1", cluster=True, protocol=2))
        yield from (Pair(target, each) for each in (WAYS if whole else (way,)))


PAIRS = tuple(_pairs())


class Awaited(BaseCheckpointSaver[str]):
    """A saver whose async methods are the blocking ones of another."""

    def __init__(self, saver: MemorystoreSaver) -> None:
        super().__init__(serde=saver.serde)
        self.saver = saver

    async def aget_tuple(self, config: Any) -> CheckpointTuple | None:
        return self.saver.get_tuple(config)

    async def alist(self, config: Any, **options: Any) -> AsyncIterator[CheckpointTuple]:
        for found in self.saver.list(config, **options):
            yield found

    async def aput(self, *args: Any) -> RunnableConfig:
        return self.saver.put(*args)

    async def aput_writes(self, *args: Any, **options: Any) -> None:
        self.saver.put_writes(*args, **options)

    async def adelete_thread(self, thread_id: str) -> None:
        self.saver.delete_thread(thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        self.saver.delete_for_runs(run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        self.saver.copy_thread(source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        self.saver.prune(thread_ids, strategy=strategy)

    async def aget_delta_channel_history(self, **options: Any) -> Mapping[str, Any]:
        return self.saver.get_delta_channel_history(**options)


@asynccontextmanager
async def opened(
    target: Target,
    port: int,
    way: str,
    client_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Saver]:
    """A saver to be used by its async methods, whichever of WAYS that takes."""
    if way == "async":
        async with asyncio_client(target, port, **(client_options or {})) as made:
            yield MemorystoreSaver(made, **options)
        return
    made = target.connect(port, **(client_options or {}))
    try:
        saver = MemorystoreSaver(made, **options)
        yield Awaited(saver) if way == "sync" else saver
    finally:
        made.close()


def config_of(thread_id: str, namespace: str = "", checkpoint_id: str | None = None) -> Any:
    """The config of a thread, or of a checkpoint."""
    found = {"thread_id": thread_id, "checkpoint_ns": namespace}
    if checkpoint_id is not None:
        found["checkpoint_id"] = checkpoint_id
    return {"configurable": found}


def checkpoint_of(versions: Mapping[str, Any] | None = None, **values: Any) -> Checkpoint:
    """A new checkpoint; channels without a version have version 1."""
    made: Any = {
        "v": 4,
        "id": str(uuid6(clock_seq=-1)),
        "ts": "2026-11-24T12:00:00+00:00",
        "channel_values": values,
        "channel_versions": {**dict.fromkeys(values, "1"), **(versions or {})},
        "versions_seen": {},
        "updated_channels": None,
    }
    checkpoint: Checkpoint = made
    return checkpoint


async def grow(
    saver: Saver, thread_id: str, count: int, namespace: str = ""
) -> list[RunnableConfig]:
    """A thread in which channel `step` changes with every checkpoint and `fixed` never does."""
    config: RunnableConfig = config_of(thread_id, namespace)
    configs = []
    for step in range(count):
        versions: dict[str, Any] = {"step": f"{step + 1}", "fixed": "1"}
        checkpoint = checkpoint_of(versions, step=step, fixed="fixed")
        new = versions if step == 0 else {"step": versions["step"]}
        metadata: Any = {"source": "loop", "step": step, "parity": step % 2}
        config = await saver.aput(config, checkpoint, metadata, new)
        configs.append(config)
    return configs


async def steps(saver: Saver, *args: Any, **options: Any) -> list[int]:
    """What a listing gives, by step."""
    return [found.metadata["step"] async for found in saver.alist(*args, **options)]


def keys_of(prefix: str, thread_id: str = "t") -> tuple[str, str]:
    """The keys of a thread: index and data."""
    return f"{prefix}{{{thread_id}}}:index", f"{prefix}{{{thread_id}}}:data"


def stored(raw: Any, prefix: str, thread_id: str = "t") -> tuple[Any, Any]:
    """Everything that is stored of a thread."""
    index, data = keys_of(prefix, thread_id)
    return raw.zrange(index, 0, -1, withscores=True), raw.hgetall(data)
