"""All I/O of the package: runners send operations and return their decoded answers.

Strategy: a runner needs the client's `execute_command` and `pipeline`, which redis-py and
valkey-py share, and knows nothing about what it sends. `NEVER_DECODE` asks either library for
bytes, whatever `decode_responses` is, so that a reply that is no text stays readable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from langchain_google_memorystore_redis._redis.fan_out import async_fan_out, fan_out
from langchain_google_memorystore_redis._redis.late import LATE, Errand
from langchain_google_memorystore_redis._redis.loops import HOMES, run_in
from langchain_google_memorystore_redis._redis.op import Call, FanOut, Flow, Op, Primaries, Step
from langchain_google_memorystore_redis._redis.pools import (
    aclose_idle_connections,
    close_idle_connections,
    is_interrupt,
    require_open,
)
from langchain_google_memorystore_redis._redis.replies import (
    ask_target,
    errors_in,
    node_options,
    non_retryable,
    pipeline_commands,
    primaries,
    retry_commands,
    translated_errors,
    without_asking,
    without_numbers,
)
from langchain_google_memorystore_redis.errors import AsyncClientError

T = TypeVar("T")

_MAX_CLOSED = 10
"""Times in a row that a closed connection of a cluster is replaced before that is an error."""

_MAX_REDIRECTIONS = 3
"""Times that a pipeline follows its key to another node of a cluster."""


class BlockingRunner(Protocol):
    """Interface of the runner that serves blocking methods."""

    def run(self, work: Op[T] | Flow[T]) -> T:
        """Send an operation, or run a flow to its end, and return the answer."""
        ...


class AwaitableRunner(Protocol):
    """Interface of the runner that serves async methods."""

    async def run(self, work: Op[T] | Flow[T]) -> T:
        """Send an operation, or run a flow to its end, and return the answer."""
        ...


class Runner:
    """Runner of a blocking client."""

    _errand: Errand | None = None

    def __init__(self, client: Any) -> None:
        self._client = client
        self._is_cluster = hasattr(client, "nodes_manager")
        self._late = LATE.of(client)

    def run(self, work: Op[T] | Flow[T]) -> T:
        """Send an operation, or run a flow to its end, and return the answer."""
        require_open(self._client)
        try:
            return self._run_op(work) if isinstance(work, Op) else self._run_flow(work)
        except BaseException as error:
            if is_interrupt(error):
                close_idle_connections(self._client)
            raise

    def _run_op(self, op: Op[T]) -> T:
        if self._late.by_key:
            self._late.wait(op.key, self._errand)
        with translated_errors(op.command):
            options = node_options(self._client, op.node)
            commands, tried = [op.command], non_retryable(self._is_cluster)
            while commands:
                try:
                    reply = self._client.execute_command(
                        *without_numbers(commands.pop(0)), **options
                    )
                except Exception as error:  # noqa: BLE001  (raised there)
                    commands = retry_commands(error, op, tried)
        return op.decode(reply)

    def _run_pipeline(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Send operations over one connection, to the node of the first one's key.

        Where a cluster has changed, the first operation alone is redirected, then all are sent
        again.
        """
        if self._late.by_key:
            self._late.wait(ops[0].key, self._errand)
        with translated_errors(ops[0].command):
            try:
                replies = self._send_pipeline(ops)
            except Exception as error:  # noqa: BLE001  (raised there)
                commands = retry_commands(error, ops[0], non_retryable(self._is_cluster))
                for command in commands[:-1]:
                    self._client.execute_command(*without_numbers(command), NEVER_DECODE=True)
                replies = self._send_pipeline(ops)
            for _ in range(_MAX_REDIRECTIONS):
                if not (errors_in(replies) and self._is_cluster):
                    break
                self._client.execute_command(
                    *without_numbers(ops[0].eval_command()), NEVER_DECODE=True
                )
                replies = self._send_pipeline(ops, ask_target(self._client, replies))
            for failure in errors_in(replies):
                raise failure
        return [op.decode(reply) for op, reply in zip(ops, replies, strict=True)]

    def _send_pipeline(self, ops: Sequence[Op[Any]], node: Any = None) -> list[Any]:
        """Send a pipeline; to `node`, if given, which holds keys of a slot on its way there."""
        client = self._client
        if self._is_cluster:
            # Not a cluster's pipeline: it sends what failed again one by one, on any connection.
            of_node = getattr(client, "get_redis_connection", None) or client.get_valkey_connection
            client = of_node(node or client.get_node_from_key(ops[0].key))
        with client.pipeline(transaction=False) as pipe:
            for command in pipeline_commands(ops):
                if node:
                    pipe.execute_command("ASKING")
                pipe.execute_command(*command, NEVER_DECODE=True)
            if not self._is_cluster:
                # An error must be raised in here for the client's own retries to see it.
                return list(pipe.execute())
            try:
                replies = list(pipe.execute(raise_on_error=False))
            except Exception as error:
                if is_interrupt(error):
                    raise
                return [error]  # the caller raises it, or tries elsewhere
        return without_asking(replies) if node else replies

    def _run_flow(self, flow: Flow[T]) -> T:
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
            except Exception as error:  # noqa: BLE001  (raised inside the flow)
                resume, answer = flow.throw, error

    def _take(self, step: Step) -> Any:
        if isinstance(step, Primaries):
            return primaries(self._client)
        if isinstance(step, Call):
            return step.function(*step.args)
        if isinstance(step, FanOut):
            return fan_out(self._client, self._run_pipeline, step.ops)
        return self._run_op(step) if isinstance(step, Op) else self._run_pipeline(step)


class AsyncRunner:
    """Runner of an asyncio client: the lines of `Runner` with `await`."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._is_cluster = hasattr(client, "nodes_manager")
        self._home = HOMES.of(client)

    async def run(self, work: Op[T] | Flow[T]) -> T:
        """Async twin of `Runner.run`; raises `EventLoopError` in another loop than the client's."""
        self._home.require(self._client)
        require_open(self._client)
        try:
            return await (self._run_op(work) if isinstance(work, Op) else self._run_flow(work))
        except (asyncio.CancelledError, GeneratorExit):
            raise  # the client itself has closed the connection
        except BaseException as error:
            if is_interrupt(error):
                await aclose_idle_connections(self._client)
            raise

    async def _run_op(self, op: Op[T]) -> T:
        with translated_errors(op.command):
            await self._initialize()
            options = node_options(self._client, op.node)
            commands, tried = [op.command], non_retryable(self._is_cluster)
            while commands:
                try:
                    reply = await self._send(commands.pop(0), options)
                except Exception as error:  # noqa: BLE001  (raised there)
                    commands = retry_commands(error, op, tried)
        return op.decode(reply)

    async def _initialize(self) -> None:
        if self._is_cluster:
            # QUIRK(redis-py<=8.1): tasks that use a cluster client at once, before it knows the
            # cluster, close each other's connections (AttributeError). This waits for the first
            # of them, and does nothing from then on. Remove when execute_command waits itself.
            await self._client.initialize()

    async def _send(self, command: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return await self._replace_closed(
            partial(self._client.execute_command, *without_numbers(command), **options)
        )

    async def _replace_closed(self, send: Callable[[], Awaitable[T]]) -> T:
        """Send, again if the client fails before it writes."""
        for _ in range(_MAX_CLOSED if self._is_cluster else 0):
            try:
                return await send()
            except AttributeError as error:
                # QUIRK(redis-py<=8.1): a cluster client closes idle connections that a task has
                # just taken, which then fail before they write. Remove when it leaves them open.
                if error.name != "writelines":
                    raise
        return await send()

    async def _run_pipeline(self, ops: Sequence[Op[Any]]) -> list[Any]:
        with translated_errors(ops[0].command):
            await self._initialize()
            try:
                replies = await self._send_pipeline(ops)
            except Exception as error:  # noqa: BLE001  (raised there)
                commands = retry_commands(error, ops[0], non_retryable(self._is_cluster))
                for command in commands[:-1]:
                    await self._send(command, {"NEVER_DECODE": True})
                replies = await self._send_pipeline(ops)
            for _ in range(_MAX_REDIRECTIONS):
                if not (errors_in(replies) and self._is_cluster):
                    break
                await self._send(ops[0].eval_command(), {"NEVER_DECODE": True})
                replies = await self._send_pipeline(ops, ask_target(self._client, replies))
            for failure in errors_in(replies):
                raise failure
        return [op.decode(reply) for op, reply in zip(ops, replies, strict=True)]

    async def _send_pipeline(self, ops: Sequence[Op[Any]], node: Any = None) -> list[Any]:
        return await self._replace_closed(partial(self._execute_pipeline, ops, node))

    async def _execute_pipeline(self, ops: Sequence[Op[Any]], node: Any) -> list[Any]:
        options: dict[str, Any] = {"NEVER_DECODE": True}
        how: dict[str, Any] = {}
        if self._is_cluster:
            options["target_nodes"] = node or self._client.get_node_from_key(ops[0].key)
            how = {"raise_on_error": False, "allow_redirections": False}
        async with self._client.pipeline(transaction=False) as pipe:
            for command in pipeline_commands(ops):
                if node:
                    pipe.execute_command("ASKING", **options)
                pipe.execute_command(*command, **options)
            replies = list(await pipe.execute(**how))
        return without_asking(replies) if node else replies

    async def _run_flow(self, flow: Flow[T]) -> T:
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
            except Exception as error:  # noqa: BLE001  (raised inside the flow)
                resume, answer = flow.throw, error

    async def _take(self, step: Step) -> Any:
        if isinstance(step, Primaries):
            await self._initialize()
            return primaries(self._client)
        if isinstance(step, Call):
            return await step.async_function(*step.args)
        if isinstance(step, FanOut):
            await self._initialize()
            return await async_fan_out(self._client, self._run_pipeline, step.ops)
        return await (self._run_op(step) if isinstance(step, Op) else self._run_pipeline(step))


class LoopRunner:
    """Runner of blocking methods where there is only an asyncio client.

    Each call is one hop to the client's event loop, which must run in another thread.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._async = AsyncRunner(client)
        self._home = HOMES.of(client)
        self._home.note()

    def run(self, work: Op[T] | Flow[T]) -> T:
        """Run `AsyncRunner.run` in the loop; raises `AsyncClientError` if there is none."""
        if loop := self._home.find():
            return run_in(loop, self._async.run(work))
        name = f"{type(self._client).__module__}.{type(self._client).__qualname__}"
        raise AsyncClientError(
            f"there is only an asyncio client here ({name}). A blocking method can use it from "
            "another thread while its event loop runs, but not from the thread of that loop, nor "
            "without a loop. Await the method of the same name with an 'a' in front (an agent: "
            "ainvoke(); of a history, messages: aget_messages(), len(): acount(), an index or "
            "slice: aget_messages(start, stop), for: async for), or give a blocking client and "
            "this one as async_client."
        )
