"""All the I/O there is.

Strategy: a runner sends operations and returns their decoded answers. It knows the client's
`execute_command`, which redis-py and valkey-py share for one server and for clusters, and nothing
about what is sent. `NEVER_DECODE` asks either library for plain bytes,
whatever the client's `decode_responses` says, so a reply that is not text stays readable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from langchain_google_memorystore_redis._redis.op import Flow, Op, Primaries, Step
from langchain_google_memorystore_redis._redis.replies import (
    Translated,
    asked,
    failed,
    hopeless,
    primaries,
    remedy,
    to_node,
    together,
)
from langchain_google_memorystore_redis.errors import AsyncClientError

T = TypeVar("T")

_MOST_CLOSED = 10
"""How often a connection is found closed before that is an error."""

_MOST_MOVES = 3
"""How often a key is followed to another node of a cluster."""


class BlockingRunner(Protocol):
    """What a blocking method needs."""

    def run(self, op: Op[T]) -> T:
        """Send one operation: one round trip."""
        ...

    def drive(self, flow: Flow[T] | Op[T]) -> T:
        """Run a flow to its end, as many round trips as it asks for; or one operation."""
        ...


class AwaitableRunner(Protocol):
    """What an async method needs."""

    async def run(self, op: Op[T]) -> T:
        """Send one operation: one round trip."""
        ...

    async def drive(self, flow: Flow[T] | Op[T]) -> T:
        """Run a flow to its end, as many round trips as it asks for; or one operation."""
        ...


class Runner:
    """Runs operations on a blocking client."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._is_cluster = hasattr(client, "nodes_manager")

    def run(self, op: Op[T]) -> T:
        """Send one operation; again when the server lacks its script or has no room for it."""
        with Translated(op.wire):
            options = to_node(self._client, op.node)
            wires, tried = [op.wire], hopeless(self._is_cluster)
            while wires:
                try:
                    reply = self._client.execute_command(*wires.pop(0), **options)
                except Exception as error:  # noqa: BLE001  (raised there)
                    wires = remedy(error, op, tried)
        return op.decode(reply)

    def run_together(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Send operations over one connection, to the node of the first one's key.

        In a cluster whose nodes have changed, the first alone finds its way; then again, all.
        """
        with Translated(ops[0].wire):
            try:
                replies = self._send_together(ops)
            except Exception as error:  # noqa: BLE001  (raised there)
                again = remedy(error, ops[0], hopeless(self._is_cluster))
                for wire in again[:-1]:
                    self._client.execute_command(*wire)
                replies = self._send_together(ops)
            for _ in range(_MOST_MOVES):
                if not (failed(replies) and self._is_cluster):
                    break
                self._client.execute_command(*ops[0].with_source)
                replies = self._send_together(ops, asked(self._client, replies))
            for failure in failed(replies):
                raise failure
        return [op.decode(reply) for op, reply in zip(ops, replies, strict=True)]

    def _send_together(self, ops: Sequence[Op[Any]], to: Any = None) -> list[Any]:
        client = self._client
        if self._is_cluster:
            # Not a cluster's pipeline: it sends what failed again one by one, on any connection.
            of_node = getattr(client, "get_redis_connection", None) or client.get_valkey_connection
            client = of_node(to or client.get_node_from_key(ops[0].key))
        with client.pipeline(transaction=False) as pipe:
            for wire in together(ops):
                if to:
                    pipe.execute_command("ASKING")
                pipe.execute_command(*wire, NEVER_DECODE=True)
            if not self._is_cluster:
                # An error must be raised in here for the client's own retries to see it.
                return list(pipe.execute())
            try:
                return list(pipe.execute(raise_on_error=False))[bool(to) :: 1 + bool(to)]
            except Exception as error:  # noqa: BLE001  (the caller raises it, or tries elsewhere)
                return [error]

    def drive(self, flow: Flow[T] | Op[T]) -> T:
        """Run a flow to its end; what a step raises is raised inside the flow."""
        if isinstance(flow, Op):
            return self.run(flow)  # type: ignore[no-any-return]
        answer: Any = None
        resume: Callable[[Any], Step] = flow.send
        while True:
            try:
                step = resume(answer)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            resume = flow.send
            try:
                answer = self._take(step)
            except Exception as error:  # noqa: BLE001
                resume, answer = flow.throw, error

    def _take(self, step: Step) -> Any:
        if isinstance(step, Primaries):
            return primaries(self._client)
        return self.run(step) if isinstance(step, Op) else self.run_together(step)


class AsyncRunner:
    """`Runner` for an asyncio client: the same lines with `await`."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._is_cluster = hasattr(client, "nodes_manager")

    async def run(self, op: Op[T]) -> T:
        """Async twin of `Runner.run`."""
        with Translated(op.wire):
            if self._is_cluster:
                # A cluster client of redis-py 8.1 that many tasks use at once before it knows the
                # cluster closes connections under them (AttributeError). This waits its turn, and
                # is a no-op from then on. Remove when execute_command does the same.
                await self._client.initialize()
            options = to_node(self._client, op.node)
            wires, tried = [op.wire], hopeless(self._is_cluster)
            while wires:
                try:
                    reply = await self._send(wires.pop(0), options)
                except Exception as error:  # noqa: BLE001  (raised there)
                    wires = remedy(error, op, tried)
        return op.decode(reply)

    async def _send(self, wire: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return await self._write(partial(self._client.execute_command, *wire, **options))

    async def _write(self, send: Callable[[], Awaitable[T]]) -> T:
        """What every send goes through."""
        for _ in range(_MOST_CLOSED if self._is_cluster else 0):
            try:
                return await send()
            except AttributeError as error:
                # redis-py 8.1 closes idle connections of a cluster that a task has just taken, and
                # then fails before it writes. Remove when it no longer does.
                if error.name != "writelines":
                    raise
        return await send()

    async def run_together(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Async twin of `Runner.run_together`."""
        with Translated(ops[0].wire):
            if self._is_cluster:
                await self._client.initialize()
            try:
                replies = await self._send_together(ops)
            except Exception as error:  # noqa: BLE001  (raised there)
                again = remedy(error, ops[0], hopeless(self._is_cluster))
                for wire in again[:-1]:
                    await self._send(wire, {})
                replies = await self._send_together(ops)
            for _ in range(_MOST_MOVES):
                if not (failed(replies) and self._is_cluster):
                    break
                await self._send(ops[0].with_source, {})
                replies = await self._send_together(ops, asked(self._client, replies))
            for failure in failed(replies):
                raise failure
        return [op.decode(reply) for op, reply in zip(ops, replies, strict=True)]

    async def _send_together(self, ops: Sequence[Op[Any]], to: Any = None) -> list[Any]:
        return await self._write(partial(self._pipe, ops, to))

    async def _pipe(self, ops: Sequence[Op[Any]], to: Any) -> list[Any]:
        options: dict[str, Any] = {"NEVER_DECODE": True}
        how: dict[str, Any] = {}
        if self._is_cluster:
            options["target_nodes"] = to or self._client.get_node_from_key(ops[0].key)
            how = {"raise_on_error": False, "allow_redirections": False}
        async with self._client.pipeline(transaction=False) as pipe:
            for wire in together(ops):
                if to:
                    pipe.execute_command("ASKING", **options)
                pipe.execute_command(*wire, **options)
            return list(await pipe.execute(**how))[bool(to) :: 1 + bool(to)]

    async def drive(self, flow: Flow[T] | Op[T]) -> T:
        """Async twin of `Runner.drive`."""
        if isinstance(flow, Op):
            return await self.run(flow)
        answer: Any = None
        resume: Callable[[Any], Step] = flow.send
        while True:
            try:
                step = resume(answer)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            resume = flow.send
            try:
                answer = await self._take(step)
            except Exception as error:  # noqa: BLE001
                resume, answer = flow.throw, error

    async def _take(self, step: Step) -> Any:
        if isinstance(step, Primaries):
            if self._is_cluster:
                await self._client.initialize()
            return primaries(self._client)
        return await (self.run(step) if isinstance(step, Op) else self.run_together(step))


class ThreadRunner:
    """Serves async methods from a blocking client: each call is one hop to a worker thread."""

    def __init__(self, runner: BlockingRunner) -> None:
        self._runner = runner

    async def run(self, op: Op[T]) -> T:
        """`Runner.run` in a thread."""
        return await asyncio.to_thread(self._runner.run, op)

    async def drive(self, flow: Flow[T] | Op[T]) -> T:
        """`Runner.drive` in a thread: the whole flow in one hop."""
        return await asyncio.to_thread(self._runner.drive, flow)


class NoRunner:
    """Stands where a blocking client would be, and says what to call instead."""

    def __init__(self, client: Any) -> None:
        self._client = f"{type(client).__module__}.{type(client).__qualname__}"

    def _refuse(self) -> AsyncClientError:
        return AsyncClientError(
            f"there is only an asyncio client here ({self._client}), which a blocking method "
            "cannot use. Await the method of the same name with an 'a' in front (an agent: "
            "ainvoke(); of a history, messages: aget_messages(), len(): acount(), an index or "
            "slice: aget_messages(start, stop), for: async for), or give "
            "a blocking client and this one as async_client."
        )

    def run(self, op: Op[T]) -> T:
        """Raise `AsyncClientError`."""
        raise self._refuse()

    def drive(self, flow: Flow[T] | Op[T]) -> T:
        """Raise `AsyncClientError`."""
        raise self._refuse()
