"""Tasks delivered more than once: an agent's turn with an idempotency key is stored once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    ChatHistoryMiddleware,
    InvalidArgumentError,
    MemorystoreChatMessageHistory,
    MemorystoreSaver,
    ReadCache,
)
from langchain_google_memorystore_redis._history.turn import Loaded, begin
from tests.checkpoint.agents import Scripted, confirm, echo, expected, transcript
from tests.faults import CUT_BEFORE, DROP_REPLY, Proxy
from tests.plugins.agents import LOST, WAYS, Chat, opened
from tests.plugins.clients import Target
from tests.plugins.servers import Servers

TARGETS = pytest.mark.parametrize(
    "target", [Target("redis-5.0", protocol=2), Target("valkey-9.1", cluster=True)], ids=str
)


class Refusing(Scripted):
    """Must not be asked."""

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Any:
        raise AssertionError("the model is asked again")


def agent_with(chat: Chat, model: Any = None, saver: Any = None, **options: Any) -> Any:
    """Make the agent of a process that handles a task."""

    def get_session_history(session_id: str) -> MemorystoreChatMessageHistory:
        return MemorystoreChatMessageHistory(
            chat.client, session_id, key_prefix=chat.prefix, **options
        )

    return create_agent(
        model or Scripted(),
        tools=[echo, confirm, flaky],
        middleware=[ChatHistoryMiddleware(get_session_history)],
        checkpointer=saver,
    )


failures = [0]


@tool
def flaky(question: str) -> str:
    """Fail at first."""
    failures[0] -= 1
    if failures[0] >= 0:
        raise RuntimeError("the worker was killed")
    return f"you asked {question!r}"


@TARGETS
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_cached", [False, True])
async def test_a_task_that_is_delivered_again_is_answered_by_the_stored_turn(
    way: str, is_cached: bool, target: Target, servers: Servers, prefix: str
) -> None:
    port = target.port(servers)
    text = {"messages": "echo it"}
    for model in (Scripted(), Refusing(), Refusing()):
        async for chat in opened(way, target, port, prefix):
            agent = agent_with(chat, model, cache=ReadCache() if is_cached else None)
            said = await chat.run(agent, text, key="task 1")
            assert transcript(said) == await chat.stored() == expected("echo it")
    async for chat in opened(way, target, port, prefix):
        await chat.run(agent_with(chat), text, key="task 2")
        await chat.run(agent_with(chat), text, "another", key="task 1")
        assert await chat.stored() == expected("echo it", "echo it")
        assert await chat.stored("another") == expected("echo it")


@dataclass
class Context:
    session_id: str
    idempotency_key: str


async def test_the_context_of_a_run_may_hold_its_key(chat: Chat) -> None:
    for model in (Scripted(), Refusing()):
        context = Context("s", "task 1")
        agent = agent_with(chat, model)
        await chat.run(agent, {"messages": "echo it"}, "other", key="other", context=context)
    assert await chat.stored() == expected("echo it")


@pytest.mark.parametrize(("key", "error"), [(1, ArgumentTypeError), ("", InvalidArgumentError)])
async def test_a_key_is_checked_before_the_model_is_asked(chat: Chat, key: Any, error: Any) -> None:
    with pytest.raises(error, match="idempotency_key"):
        await chat.run(agent_with(chat, Refusing()), {"messages": "echo it"}, key=key)


async def test_a_turn_with_a_key_costs_one_read_and_one_append(
    impatient: Chat, agent_proxy: Proxy
) -> None:
    agent = agent_with(impatient)
    await impatient.run(agent, {"messages": "echo before"}, key="task 1")
    with agent_proxy.counting() as count:
        await impatient.run(agent, {"messages": "echo now"}, key="task 2")
    assert count.commands == ["LRANGE", "EVALSHA"]


@pytest.mark.parametrize("saves", [False, True])
@pytest.mark.parametrize("fault", [DROP_REPLY, CUT_BEFORE])
async def test_an_append_that_raised_is_stored_once_by_another_process(
    impatient: Chat, agent_proxy: Proxy, servers: Servers, fault: Any, saves: bool
) -> None:
    saver, text = InMemorySaver() if saves else None, {"messages": "echo it"}
    agent_proxy.inject(fault, on="EVALSHA")
    with pytest.raises(LOST):
        await impatient.run(agent_with(impatient, saver=saver), text, key="task 1")
    target = Target("valkey-9.1")
    way = "async" if impatient.by_async else "sync"
    async for other in opened(way, target, target.port(servers), impatient.prefix):
        model = Refusing() if fault is DROP_REPLY else Scripted()
        said = await other.run(agent_with(other, model, saver), text, key="task 1")
        assert transcript(said) == await other.stored() == expected("echo it")


@pytest.mark.parametrize("message_id", [None, "task 1"])
async def test_what_a_killed_attempt_left_in_its_thread_is_replaced(
    chat: Chat, servers: Servers, message_id: str | None
) -> None:
    saver = MemorystoreSaver(chat.client, key_prefix=f"{chat.prefix}checkpoint:")
    await chat.run(agent_with(chat, saver=saver), {"messages": "echo before"})
    failures[0] = 2
    for _ in range(2):
        given = {"messages": [HumanMessage("flaky now", id=message_id)]}
        with pytest.raises(RuntimeError):
            await chat.run(agent_with(chat, saver=saver), given, key="task 1")
    target = Target("valkey-9.1")
    async for other in opened(
        "async" if chat.by_async else "sync", target, target.port(servers), chat.prefix
    ):
        saver = MemorystoreSaver(other.client, key_prefix=f"{chat.prefix}checkpoint:")
        for model in (Scripted(), Refusing()):
            given = {"messages": [HumanMessage("flaky now", id=message_id)]}
            said = await other.run(agent_with(other, model, saver), given, key="task 1")
            whole = expected("echo before", "flaky now")
            assert transcript(said) == await other.stored() == whole


async def test_an_interrupted_run_keeps_its_key(chat: Chat, servers: Servers) -> None:
    saver, given = InMemorySaver(), {"messages": "confirm it"}
    await chat.run(agent_with(chat, saver=saver), given, key="task 1")
    target = Target("valkey-9.1")
    async for other in opened(
        "async" if chat.by_async else "sync", target, target.port(servers), chat.prefix
    ):
        await other.run(agent_with(other, saver=saver), Command(resume="yes"))
        said = await other.run(agent_with(other, Refusing()), given, key="task 1")
        whole = expected("confirm it", tool_says="a human said 'yes'")
        assert transcript(said) == await other.stored() == whole


class Meanwhile(AgentMiddleware[Any, Any, Any]):
    """Another handler of the same task, which stores its answer first."""

    def __init__(self, history: MemorystoreChatMessageHistory) -> None:
        self.history = history

    def before_agent(self, state: Any, runtime: Any) -> None:
        self.history.add_messages([AIMessage("first")], idempotency_key="task 1")

    async def abefore_agent(self, state: Any, runtime: Any) -> None:
        await self.history.aadd_messages([AIMessage("first")], idempotency_key="task 1")


async def test_of_two_handlers_at_once_one_is_stored(chat: Chat) -> None:
    await chat.run(agent_with(chat), {"messages": "echo before"})
    agent = chat.agent(None, Meanwhile(chat.open()))
    await chat.run(agent, {"messages": "echo now"}, key="task 1")
    assert await chat.stored() == [*expected("echo before"), ("ai", "first")]


def human(name: str) -> HumanMessage:
    return HumanMessage(name, id=name)


q, again, ctx, a = human("q"), human("again"), human("ctx"), AIMessage("a", id="a")


@pytest.mark.parametrize(
    ("first", "left", "messages"),
    [
        ([q], [q, again], "again"),
        ([q], [q], "q"),
        ([q], [q, a], "q"),
        ([q], [q, a, again], "again"),
        ([ctx, q], [ctx, q, a], "ctx q"),
        ([ctx, q], [ctx, q, a, again], "again"),
        ([ctx, a, q], [ctx, a, q, again], "ctx a again"),
    ],
)
def test_only_the_last_attempt_is_kept(
    first: Sequence[Any], left: Sequence[Any], messages: str
) -> None:
    loaded = Loaded("s", [], "task 1")
    previous = begin(loaded, first, None, lambda _: None).run
    beginning = begin(loaded, left, previous, lambda _: None)
    assert " ".join(str(each.id) for each in beginning.messages) == messages
    other = begin(Loaded("s", [], "task 2"), [*left, human("new")], previous, lambda _: None)
    assert len(other.messages) == len(left) + 1
