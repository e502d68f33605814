"""A chain with a memory, and how long its memory takes.

Strategy: `RunnableWithMessageHistory` around a model that answers at once, without
`history_messages_key`: it reads the history before the call and again after it, then appends.
Most of such a turn is LangChain's own tracing, the same for all, so only the calls of the history
are counted, making the object included.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from time import perf_counter_ns
from typing import Any


def conversation(opener: Callable[[], Any]) -> Callable[[int], int]:
    """A function that takes a turn and returns the nanoseconds its history took."""
    messages = import_module("langchain_core.messages")
    runnables = import_module("langchain_core.runnables")
    history = import_module("langchain_core.runnables.history")
    base: Any = import_module("langchain_core.chat_history").BaseChatMessageHistory
    spent: list[int] = []

    def timed(call: Callable[[], Any]) -> Any:
        started = perf_counter_ns()
        try:
            return call()
        finally:
            spent.append(perf_counter_ns() - started)

    class Timed(base):  # type: ignore[misc]
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        @property
        def messages(self) -> Any:
            return timed(lambda: self._inner.messages)

        def add_messages(self, added: Any) -> None:
            timed(lambda: self._inner.add_messages(added))

        def clear(self) -> None:
            self._inner.clear()

    model = runnables.RunnableLambda(lambda _: messages.AIMessage("As you say."))
    chat = history.RunnableWithMessageHistory(model, lambda session_id: Timed(timed(opener)))
    config = {"configurable": {"session_id": "any"}}

    def take_turn(number: int) -> int:
        spent.clear()
        chat.invoke([messages.HumanMessage(f"This is number {number}.")], config)
        return sum(spent)

    return take_turn
