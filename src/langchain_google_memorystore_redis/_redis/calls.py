"""Calls that flows make: of an embedding, or of the clock.

Strategy: a flow that runs in a thread, for an async method on a blocking client, has its calls
awaited in the event loop that it was called from: models often have no other way in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

from langchain_google_memorystore_redis._redis.op import Call, Flow, Step

T = TypeVar("T")


def pause(seconds: float) -> Call:
    """Return a step that waits."""
    return Call(time.sleep, asyncio.sleep, (seconds,))


def await_calls(flow: Flow[T], loop: asyncio.AbstractEventLoop) -> Flow[T]:
    """Return a flow for a thread, whose calls are awaited in a loop."""
    answer: Any = None
    resume: Callable[[Any], Step] = flow.send
    while True:
        try:
            step = resume(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        resume = flow.send
        try:
            answer = yield _await_in(loop, step) if isinstance(step, Call) else step
        except Exception as error:  # noqa: BLE001  (raised inside the flow)
            resume, answer = flow.throw, error


def _await_in(loop: asyncio.AbstractEventLoop, call: Call) -> Call:
    async def run() -> Any:
        return await call.async_function(*call.args)

    def wait() -> Any:
        return asyncio.run_coroutine_threadsafe(run(), loop).result()

    return Call(wait, run, ())
