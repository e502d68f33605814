"""All the I/O there is.

Strategy: a runner sends operations and returns their decoded answers. It knows the client's
`execute_command`, which redis-py and valkey-py share for one server and for clusters, and nothing
about what is sent. `NEVER_DECODE` asks either library for plain bytes,
whatever the client's `decode_responses` says, so a reply that is not text stays readable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from langchain_google_memorystore_redis._engine.op import Flow, Op, Step
from langchain_google_memorystore_redis.errors import AsyncClientError, translate

T = TypeVar("T")


class BlockingRunner(Protocol):
    """What a blocking method needs."""

    def run(self, op: Op[T]) -> T:
        """Send one operation: one round trip."""
        ...

    def drive(self, flow: Flow[T]) -> T:
        """Run a flow to its end: as many round trips as it asks for."""
        ...


class AwaitableRunner(Protocol):
    """What an async method needs."""

    async def run(self, op: Op[T]) -> T:
        """Send one operation: one round trip."""
        ...

    async def drive(self, flow: Flow[T]) -> T:
        """Run a flow to its end: as many round trips as it asks for."""
        ...


class _Translated:
    """Raises the client's errors under the name they have here."""

    def __init__(self, wire: tuple[Any, ...]) -> None:
        self._wire = wire

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Exception):
            named = translate(error, self._wire)
            if named is not error:
                raise named from error


def _script_unknown(error: Exception, op: Op[Any]) -> bool:
    """Whether the server only lacks the script (restarted, failed over, flushed)."""
    return op.source is not None and type(error).__name__ == "NoScriptError"


def _options(client: Any, key: bytes) -> dict[str, Any]:
    """For the commands of a pipeline; in a cluster they all go to the node that owns `key`."""
    if not hasattr(client, "get_node_from_key"):
        return {"NEVER_DECODE": True}
    return {"NEVER_DECODE": True, "target_nodes": client.get_node_from_key(key)}


class Runner:
    """Runs operations on a blocking client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, op: Op[T]) -> T:
        """Send one operation; twice when the server does not know its script yet."""
        with _Translated(op.wire):
            try:
                reply = self._client.execute_command(*op.wire, NEVER_DECODE=True)
            except Exception as error:
                if not _script_unknown(error, op):
                    raise
                reply = self._client.execute_command(*op.with_source, NEVER_DECODE=True)
        return op.decode(reply)

    def run_together(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Send operations over one connection, to the node of the first one's key.

        If that node changes meanwhile, the client sends some of them elsewhere: then again, all.
        """
        with _Translated(ops[0].wire):
            options = None
            while options != (options := _options(self._client, ops[0].key)):
                with self._client.pipeline(transaction=False) as pipe:
                    for op in ops:
                        pipe.execute_command(*op.with_source, **options)
                    replies = pipe.execute()
        return [op.decode(reply) for op, reply in zip(ops, replies, strict=True)]

    def drive(self, flow: Flow[T]) -> T:
        """Run a flow to its end."""
        answer: Any = None
        while True:
            try:
                step: Step = flow.send(answer)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            answer = self.run(step) if isinstance(step, Op) else self.run_together(step)


class AsyncRunner:
    """`Runner` for an asyncio client: the same lines with `await`."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._is_cluster = hasattr(client, "nodes_manager")

    async def run(self, op: Op[T]) -> T:
        """Async twin of `Runner.run`."""
        with _Translated(op.wire):
            if self._is_cluster:
                # A cluster client of redis-py 8.1 that many tasks use at once before it knows the
                # cluster closes connections under them (AttributeError). This waits its turn, and
                # is a no-op from then on. Remove when execute_command does the same.
                await self._client.initialize()
            try:
                reply = await self._client.execute_command(*op.wire, NEVER_DECODE=True)
            except Exception as error:
                if not _script_unknown(error, op):
                    raise
                reply = await self._client.execute_command(*op.with_source, NEVER_DECODE=True)
        return op.decode(reply)

    async def run_together(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Async twin of `Runner.run_together`."""
        with _Translated(ops[0].wire):
            if self._is_cluster:
                await self._client.initialize()
            options = None
            while options != (options := _options(self._client, ops[0].key)):
                async with self._client.pipeline(transaction=False) as pipe:
                    for op in ops:
                        pipe.execute_command(*op.with_source, **options)
                    replies = await pipe.execute()
        return [op.decode(reply) for op, reply in zip(ops, replies, strict=True)]

    async def drive(self, flow: Flow[T]) -> T:
        """Async twin of `Runner.drive`."""
        answer: Any = None
        while True:
            try:
                step: Step = flow.send(answer)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            answer = await (self.run(step) if isinstance(step, Op) else self.run_together(step))


class ThreadRunner:
    """Serves async methods from a blocking client: each call is one hop to a worker thread."""

    def __init__(self, runner: BlockingRunner) -> None:
        self._runner = runner

    async def run(self, op: Op[T]) -> T:
        """`Runner.run` in a thread."""
        return await asyncio.to_thread(self._runner.run, op)

    async def drive(self, flow: Flow[T]) -> T:
        """`Runner.drive` in a thread: the whole flow in one hop."""
        return await asyncio.to_thread(self._runner.drive, flow)


class NoRunner:
    """Stands where a blocking client would be, and says what to call instead."""

    def __init__(self, client: Any) -> None:
        self._client = f"{type(client).__module__}.{type(client).__qualname__}"

    def _refuse(self) -> AsyncClientError:
        return AsyncClientError(
            f"this history has only an asyncio client ({self._client}), which a blocking method "
            "cannot use. Await the method of the same name with an 'a' in front (messages: "
            "aget_messages(), add_messages: aadd_messages(), clear: aclear(), len(): acount(), "
            "an index or slice: aget_messages(start, stop), for: async for), or give the history "
            "a blocking client and this one as async_client."
        )

    def run(self, op: Op[T]) -> T:
        """Raise `AsyncClientError`."""
        raise self._refuse()

    def drive(self, flow: Flow[T]) -> T:
        """Raise `AsyncClientError`."""
        raise self._refuse()
