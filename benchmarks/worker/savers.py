"""Operations of savers, by a small agent.

Strategy: the agent has no tools and its model repeats a transcript at once, so a turn is
LangGraph's own work, the same for all, and the saver's. LangGraph stores in threads beside that
work; what the saver alone needs is therefore timed by recording its calls and repeating them one
after the other in a new thread.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache, partial
from importlib import import_module
from typing import Any, NamedTuple

from benchmarks.worker.adapters.base import SaverAdapter
from benchmarks.worker.operations import Operations, time_call


class _Call(NamedTuple):
    """A call that LangGraph made of a saver."""

    method: str
    config: dict[str, Any]
    arguments: tuple[Any, ...]


class SaverOperations(Operations[SaverAdapter]):
    """Requests about sessions that are threads of an agent."""

    def __init__(self, adapter: SaverAdapter) -> None:
        super().__init__(adapter)
        self._numbers = itertools.count()

    @cache  # noqa: B019 - lives as long as its process
    def _agent(self, transcript: str, url: str) -> Any:
        return _make_agent(self.adapter.saver(url), self._transcripts[transcript])

    def _invoke(self, agent: Any, transcript: str, thread: str, number: int) -> None:
        """Have an agent take the turn of this number."""
        question = self._transcripts[transcript][2 * number].content
        agent.invoke({"messages": question}, {"configurable": {"thread_id": thread}})

    async def _take_turn(self, transcript: str, url: str, thread: str, number: int) -> None:
        self._invoke(self._agent(transcript, url), transcript, thread, number)

    async def _store(self, session: str) -> None:
        """Make a thread of as many turns as the messages need."""
        transcript, length, url = self._stored[session]
        await self.clean(session, url)
        for number in range(length // 2):
            await self._take_turn(transcript, url, session, number)

    @contextmanager
    def _new_thread(self, session: str, url: str) -> Iterator[str]:
        thread = f"{session}-{next(self._numbers)}"
        try:
            yield thread
        finally:
            self.adapter.saver(url).delete_thread(thread)

    async def _time_agent_turn(self, calls: int, session: str, url: str) -> list[int]:
        """Take the first turns of a new thread."""
        transcript = self._stored[session].transcript
        with self._new_thread(session, url) as thread:
            return [
                await time_call(self._take_turn, transcript, url, thread, number)
                for number in range(calls)
            ]

    async def _time_saver_calls(self, calls: int, session: str, url: str) -> list[int]:
        """Make the saver's calls of the first turns of a new thread."""
        recorded = self._record(self._stored[session].transcript, url, calls, session)
        with self._new_thread(session, url) as thread:
            return [await time_call(self._repeat, turn, url, thread) for turn in recorded]

    @cache  # noqa: B019
    def _record(self, transcript: str, url: str, turns: int, session: str) -> list[list[_Call]]:
        """Return the calls that LangGraph makes of the saver in each of the first turns."""
        saver = copy(self.adapter.saver(url))
        calls: list[_Call] = []
        agent = _make_agent(saver, self._transcripts[transcript])
        for name in ("get_tuple", "put", "put_writes"):
            setattr(saver, name, partial(_recorded, calls, name, getattr(saver, name)))
        recorded = []
        for number in range(turns):
            calls.clear()
            self._invoke(agent, transcript, f"{session}-recorded", number)
            recorded.append([*calls])
        return recorded

    async def _repeat(self, calls: list[_Call], url: str, thread: str) -> None:
        saver = self.adapter.saver(url)
        for method, config, arguments in calls:
            configurable = {**config["configurable"], "thread_id": thread}
            getattr(saver, method)({**config, "configurable": configurable}, *arguments)

    async def is_equal(self, session: str) -> bool:
        """Return whether the thread holds the messages of its turns."""
        transcript, length, url = self._stored[session]
        config = {"configurable": {"thread_id": session}}
        messages = self._agent(transcript, url).get_state(config).values["messages"]
        expected = self._messages(transcript, length)
        return bool(
            [message.content for message in messages] == [message.content for message in expected]
            and messages[1::2] == expected[1::2]  # questions get ids of their own
        )


def _recorded(calls: list[_Call], name: str, method: Callable[..., Any], *arguments: Any) -> Any:
    """Call a method, and keep the call."""
    calls.append(_Call(name, arguments[0], arguments[1:]))
    return method(*arguments)


def _make_agent(saver: Any, transcript: list[Any]) -> Any:
    """Return an agent whose model answers at once, with the next message of a transcript."""
    outputs: Any = import_module("langchain_core.outputs")
    base: Any = import_module("langchain_core.language_models").BaseChatModel

    class RepeatingModel(base):  # type: ignore[misc]
        @property
        def _llm_type(self) -> str:
            return "repeating"

        def _generate(self, messages: list[Any], *_: Any, **__: Any) -> Any:
            answer = transcript[len(messages)].model_copy()
            return outputs.ChatResult(generations=[outputs.ChatGeneration(message=answer)])

    create_agent = import_module("langchain.agents").create_agent
    return create_agent(RepeatingModel(), tools=[], checkpointer=saver)
