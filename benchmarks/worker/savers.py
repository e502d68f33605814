"""The contestants that keep an agent's state: LangGraph checkpointers, and what is asked of them.

Strategy: the same small agent for all, without tools, whose model repeats a transcript at once; so
a turn is LangGraph's own work, the same for all, and what the saver adds. LangGraph stores in
threads of its own beside that work; what the saver alone needs is therefore timed by repeating its
calls, one after the other, in a new thread. The verbs are those of `Operations`, so that the parent
takes turns between savers as it does between histories.
"""
# ruff: noqa: D102 - what a method of a contestant does is said in Adapter

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable
from copy import copy
from functools import cache, partial
from importlib import import_module
from time import perf_counter_ns
from typing import Any

from benchmarks.worker.adapters import TTL, Adapter

_Calls = list[tuple[str, Any, tuple[Any, ...]]]
"""Method, config and the other arguments of each call of a turn."""


class SaverAdapter(Adapter):
    """What the turns need of a contestant."""

    packages: tuple[str, ...] = ("langgraph", "langgraph-checkpoint", "langchain")

    def saver(self, url: str) -> Any:
        """Its checkpointer, with the time to live that every contestant has."""
        raise NotImplementedError


class OnValkey(SaverAdapter):
    """Those that take a client of valkey-py: on the same one, only the savers differ."""

    packages = ("valkey", "libvalkey", *SaverAdapter.packages)

    @cache  # noqa: B019 - an adapter lives as long as its process
    def client(self, url: str) -> Any:
        return import_module("valkey").Valkey.from_url(url + self.pool)


class OwnSaver(OnValkey):
    """This package's `MemorystoreSaver`."""

    packages = ("langchain-google-memorystore-redis", *OnValkey.packages)

    def saver(self, url: str) -> Any:
        package = import_module("langchain_google_memorystore_redis")
        return package.MemorystoreSaver(self.client(url), ttl=TTL)


class ValkeySaver(OnValkey):
    """langgraph-checkpoint-aws's `ValkeySaver`."""

    packages = ("langgraph-checkpoint-aws", *OnValkey.packages)

    def saver(self, url: str) -> Any:
        return import_module("langgraph_checkpoint_aws").ValkeySaver(self.client(url), ttl=TTL)


class RedisSaver(SaverAdapter):
    """langgraph-checkpoint-redis's `RedisSaver`: JSON documents, found by indices."""

    packages = ("langgraph-checkpoint-redis", "redis", "hiredis", *SaverAdapter.packages)

    @cache  # noqa: B019
    def saver(self, url: str) -> Any:
        cls = import_module("langgraph.checkpoint.redis").RedisSaver
        saver = cls(redis_client=self.client(url), ttl={"default_ttl": TTL // 60})
        saver.setup()
        return saver


class Turns:
    """The verbs of the protocol, for savers. Threads are named by the parent."""

    def __init__(self, adapter: SaverAdapter) -> None:
        self._adapter = adapter
        self._transcripts: dict[str, list[Any]] = {}
        self._numbers = itertools.count()

    async def load(self, name: str, rows: list[dict[str, Any]], **_: Any) -> None:
        """Take over a transcript: questions, each followed by its answer."""
        self._transcripts[name] = self._adapter.messages(rows)

    @cache  # noqa: B019
    def _agent(self, transcript: str, url: str) -> Any:
        return self._agent_with(self._adapter.saver(url), transcript)

    def _agent_with(self, saver: Any, transcript: str) -> Any:
        create_agent = import_module("langchain.agents").create_agent
        return create_agent(_repeating(self._transcripts[transcript]), tools=[], checkpointer=saver)

    def _take_turn(self, transcript: str, url: str, thread: str, number: int) -> None:
        question = self._transcripts[transcript][2 * number].content
        config = {"configurable": {"thread_id": thread}}
        self._agent(transcript, url).invoke({"messages": question}, config)

    async def prepare(self, session: str, transcript: str, length: int, url: str) -> None:
        """Make a thread in which `length` messages of a transcript were said, turn by turn."""
        await self.clean(session, url)
        for number in range(length // 2):
            self._take_turn(transcript, url, session, number)

    async def run(self, op: str, n: int, session: str, url: str, transcript: str) -> list[int]:
        """Nanoseconds of each of the first `n` turns of a new thread."""
        thread = f"{session}-{next(self._numbers)}"
        calls = self._calls(transcript, url, n, session) if op == "saver" else []
        turns: list[Callable[[], None]] = [
            partial(self._repeat, calls[number], url, thread)
            if calls
            else partial(self._take_turn, transcript, url, thread, number)
            for number in range(n)
        ]
        gc.collect()
        try:
            return [_time(turn) for turn in turns]
        finally:
            self._adapter.saver(url).delete_thread(thread)

    @cache  # noqa: B019
    def _calls(self, transcript: str, url: str, turns: int, session: str) -> list[_Calls]:
        """What LangGraph asks of the saver in each of the first turns of a thread."""
        saver = copy(self._adapter.saver(url))
        found: _Calls = []
        agent = self._agent_with(saver, transcript)
        for name in ("get_tuple", "put", "put_writes"):
            setattr(saver, name, partial(_record, found, name, getattr(saver, name)))
        each = []
        for number in range(turns):
            found.clear()
            question = self._transcripts[transcript][2 * number].content
            config = {"configurable": {"thread_id": f"{session}-recorded"}}
            agent.invoke({"messages": question}, config)
            each.append([*found])
        return each

    def _repeat(self, calls: _Calls, url: str, thread: str) -> None:
        saver = self._adapter.saver(url)
        for name, config, arguments in calls:
            place = {**config["configurable"], "thread_id": thread}
            getattr(saver, name)({**config, "configurable": place}, *arguments)

    async def is_equal(self, session: str, transcript: str, url: str) -> bool:
        """Whether the thread holds what was said."""
        config = {"configurable": {"thread_id": session}}
        messages = self._agent(transcript, url).get_state(config).values["messages"]
        said = self._transcripts[transcript][: len(messages)]
        return bool(
            len(messages) > 0
            and [message.content for message in messages] == [message.content for message in said]
            and messages[1::2] == said[1::2]
        )

    async def memory(self, session: str, url: str) -> int:
        """Bytes of all keys of a thread, as the server accounts for them."""
        client = self._adapter.client(url)
        keys = list(client.scan_iter(match=f"*{session}*", count=1_000))
        return sum(client.memory_usage(key, samples=0) for key in keys)

    async def clean(self, session: str, url: str) -> None:
        """Remove all threads whose names begin so."""
        client = self._adapter.client(url)
        for key in client.scan_iter(match=f"*{session}*", count=1_000):
            client.unlink(key)


def _record(found: _Calls, name: str, method: Callable[..., Any], *arguments: Any) -> Any:
    found.append((name, arguments[0], arguments[1:]))
    return method(*arguments)


def _time(turn: Callable[[], None]) -> int:
    started = perf_counter_ns()
    turn()
    return perf_counter_ns() - started


def _repeating(transcript: list[Any]) -> Any:
    """A chat model that says what the transcript has next, at once."""
    outputs: Any = import_module("langchain_core.outputs")
    base: Any = import_module("langchain_core.language_models").BaseChatModel

    class Repeating(base):  # type: ignore[misc]
        @property
        def _llm_type(self) -> str:
            return "repeating"

        def _generate(self, messages: list[Any], *_: Any, **__: Any) -> Any:
            answer = transcript[len(messages)].model_copy()
            return outputs.ChatResult(generations=[outputs.ChatGeneration(message=answer)])

    return Repeating()
