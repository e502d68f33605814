"""Blocking clients in worker threads, and in the children of a process.

Strategy: an async method of a blocking client is one hop to a worker thread. Neither a cancelled
call nor a fork stops such a thread, so both are looked after here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any, TypeVar

from langchain_google_memorystore_redis._redis.late import LATE, Errand
from langchain_google_memorystore_redis._redis.loops import Loop, require_loop, run_in
from langchain_google_memorystore_redis._redis.op import Call, Flow, Op, Step
from langchain_google_memorystore_redis._redis.pools import renew_locks
from langchain_google_memorystore_redis._redis.runners import Runner

T = TypeVar("T")


class _ErrandRunner(Runner):
    """Runner of one call, which the caller may abandon.

    Functions that the call needs are awaited in the loop of the caller: embeddings often have no
    other way in.
    """

    def __init__(self, client: Any, loop: Loop) -> None:
        super().__init__(client)
        self._loop = loop
        self._errand = self.errand = Errand(self._late)

    def _run_op(self, op: Op[T]) -> T:
        with self.errand.sending(op.key):
            return super()._run_op(op)

    def _run_pipeline(self, ops: Sequence[Op[Any]]) -> list[Any]:
        with self.errand.sending(ops[0].key):
            return super()._run_pipeline(ops)

    def _take(self, step: Step) -> Any:
        return run_in(self._loop, _await(step)) if isinstance(step, Call) else super()._take(step)


async def _await(call: Call) -> Any:
    return await call.async_function(*call.args)


class ThreadRunner:
    """Runner of async methods on a blocking client: each call is one hop to a worker thread."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def run(self, work: Op[T] | Flow[T]) -> T:
        """Run `Runner.run` in a thread, a flow as a whole, whose calls are awaited here.

        A call that is cancelled sends nothing more, and the client's later commands on the same key
        wait for the one that it has sent.
        """
        runner = _ErrandRunner(self._client, require_loop())
        try:
            return await asyncio.to_thread(runner.run, work)
        except BaseException:
            runner.errand.abandon()
            raise


def _renew_clients() -> None:
    """Make clients usable in a forked child, which has none of the threads of its parent."""
    for client, late in LATE.items():
        late.by_key.clear()
        renew_locks(client)


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_renew_clients)
