"""LangChain chain with a memory, and the time its memory takes.

Strategy: `RunnableWithMessageHistory`, without `history_messages_key`, around a model that answers
at once: it reads the history before the call and after it, then appends. Most of such a turn is
LangChain's tracing, the same for all, so only the history's own calls are timed, its construction
included.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from time import perf_counter_ns
from typing import Any


def make_chain(open_history: Callable[[], Any]) -> Callable[[int], int]:
    """Return a function that takes a turn and returns the nanoseconds its history took."""
    messages = import_module("langchain_core.messages")
    runnables = import_module("langchain_core.runnables")
    history = import_module("langchain_core.runnables.history")
    base: Any = import_module("langchain_core.chat_history").BaseChatMessageHistory
    times: list[int] = []

    def timed(call: Callable[[], Any]) -> Any:
        started = perf_counter_ns()
        try:
            return call()
        finally:
            times.append(perf_counter_ns() - started)

    class TimedHistory(base):  # type: ignore[misc]
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        @property
        def messages(self) -> Any:
            return timed(lambda: self._inner.messages)

        def add_messages(self, added: Any) -> None:
            timed(lambda: self._inner.add_messages(added))

        def clear(self) -> None:
            self._inner.clear()

    model = runnables.RunnableLambda(lambda _: messages.AIMessage("An answer."))
    chain = history.RunnableWithMessageHistory(
        model, lambda session_id: TimedHistory(timed(open_history))
    )
    config = {"configurable": {"session_id": "any"}}

    def take_turn(number: int) -> int:
        times.clear()
        chain.invoke([messages.HumanMessage(f"This is number {number}.")], config)
        return sum(times)

    return take_turn
