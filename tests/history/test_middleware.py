"""A session as the memory of a real agent: read once, appended to once, never mixed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import redis
import redis.asyncio
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, SummarizationMiddleware
from langchain_core.chat_history import InMemoryChatMessageHistory
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    ChatHistoryMiddleware,
    InvalidArgumentError,
    InvalidMessageError,
    MemorystoreSaver,
)
from tests.checkpoint.agents import Scripted, agent_of, asked, expected, transcript
from tests.faults import CUT_BEFORE, CUT_DURING, DROP_REPLY, Proxy
from tests.plugins.agents import LOST, WAYS, Chat, opened
from tests.plugins.clients import Target
from tests.plugins.faults import ProxyBefore
from tests.plugins.servers import Servers


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "target",
    [
        Target("redis-5.0", protocol=2),
        Target("valkey-9.1", library="valkey", decode_responses=True),
        Target("redis-7.0", cluster=True),
    ],
    ids=str,
)
async def test_twenty_runs_of_one_agent_at_once_keep_their_sessions_apart(
    way: str, target: Target, servers: Servers, prefix: str
) -> None:
    async for chat in opened(way, target, target.port(servers), prefix):
        agent = chat.agent()
        for turn in range(2):
            runs = [_echo(chat, agent, number, turn) for number in range(20)]
            if chat.by_async:
                await asyncio.gather(*runs)
            else:
                with ThreadPoolExecutor(20) as pool:
                    list(pool.map(asyncio.run, runs))
        for number in range(20):
            stored = await chat.stored(f"session {number}")
            assert stored == expected(f"echo {number} 0", f"echo {number} 1")


async def _echo(chat: Chat, agent: Any, number: int, turn: int) -> None:
    said = await chat.run(agent, asked(f"echo {number} {turn}", turn), f"session {number}")
    assert transcript(said) == expected(*(f"echo {number} {each}" for each in range(turn + 1)))


async def test_a_turn_costs_one_read_and_one_append(impatient: Chat, agent_proxy: Proxy) -> None:
    agent = impatient.agent()
    await impatient.run(agent, asked("echo before", 0))
    with agent_proxy.counting() as count:
        await impatient.run(agent, asked("echo now", 1))
    assert count.commands == ["LRANGE", "EVALSHA"]
    assert await impatient.stored() == expected("echo before", "echo now")


@pytest.mark.parametrize("way", WAYS)
async def test_a_turn_costs_the_same_in_a_cluster(
    way: str, proxy_before: ProxyBefore, prefix: str
) -> None:
    target = Target("valkey-9.1", cluster=True)
    proxy = proxy_before(target)
    async for chat in opened(way, target, proxy.port, prefix, **proxy.client_options):
        await chat.run(chat.agent(), asked("echo before", 0))
        with proxy.counting() as count:
            await chat.run(chat.agent(), asked("echo now", 1))
        assert count.commands == ["LRANGE", "EVALSHA"]


# Which session


@dataclass
class Context:
    session_id: str


@pytest.mark.parametrize(
    ("context", "configurable"),
    [
        ({"session_id": "s"}, {"session_id": "other", "thread_id": "other"}),
        (Context("s"), {"session_id": "other"}),
        (None, {"session_id": "s", "thread_id": "other"}),
        ({"user": "u"}, {"thread_id": "s"}),
    ],
)
async def test_the_session_is_named_by_context_or_config(
    chat: Chat, context: Any, configurable: dict[str, str]
) -> None:
    agent, given = chat.agent(), asked("echo hi", 0)
    if chat.by_async:
        await agent.ainvoke(given, {"configurable": configurable}, context=context)
    else:
        agent.invoke(given, {"configurable": configurable}, context=context)
    assert await chat.stored() == expected("echo hi")


def test_a_run_without_a_session_says_how_to_name_one(prefix: str) -> None:
    chat = Chat(redis.Redis(port=1), by_async=False, prefix=prefix)
    with pytest.raises(InvalidArgumentError, match="session_id"):
        chat.agent().invoke(asked("echo hi", 0))
    history: Any = chat.open()
    with pytest.raises(ArgumentTypeError, match="not a MemorystoreChatMessageHistory"):
        ChatHistoryMiddleware(history)
    other: Any = lambda _: InMemoryChatMessageHistory()  # noqa: E731
    with pytest.raises(ArgumentTypeError, match="InMemoryChatMessageHistory"):
        agent_of(None, ChatHistoryMiddleware(other)).invoke(
            asked("echo hi", 0), {"configurable": {"session_id": "s"}}
        )


# What is new


class Before(AgentMiddleware[Any, Any, Any]):
    """Changes the state before each call of the model."""

    def __init__(self, change: Callable[[list[Any]], list[Any]]) -> None:
        self.change = change

    def before_model(self, state: Any, runtime: Any) -> Any:
        return {"messages": self.change(state["messages"])}


async def test_messages_without_ids_and_what_is_done_to_loaded_ones_are_not_stored_again(
    chat: Chat,
) -> None:
    history = chat.open()
    old = [HumanMessage("a"), AIMessage("b"), HumanMessage("c", id="c"), AIMessage("d", id="d")]
    if chat.by_async:
        await history.aadd_messages(old)
    else:
        history.add_messages(old)

    def change(messages: list[Any]) -> list[Any]:
        if len(messages) > 5:
            return []
        return [RemoveMessage(id="d"), HumanMessage("redacted", id="c")]

    said = await chat.run(chat.agent(None, Before(change)), asked("echo hi", 0))
    kept = [("human", "a"), ("ai", "b"), ("human", "redacted")]
    assert transcript(said) == kept + expected("echo hi")
    assert await chat.stored() == transcript(old) + expected("echo hi")


async def test_what_the_run_changes_or_removes_of_its_own_is_stored_so(chat: Chat) -> None:
    def change(messages: list[Any]) -> list[Any]:
        first, last = messages[0], messages[-1]
        if isinstance(last, ToolMessage):
            return [RemoveMessage(id=first.id), last.model_copy(update={"content": "a secret"})]
        return []

    await chat.run(chat.agent(None, Before(change)), asked("echo hi", 0))
    said = [("ai", ""), ("tool", "a secret"), ("ai", "It is so: a secret")]
    assert await chat.stored() == said


@pytest.mark.parametrize(("trigger", "has_summary"), [(9, False), (4, True)])
async def test_a_summary_is_stored_only_if_it_replaces_what_would_else_be_lost(
    chat: Chat, trigger: int, has_summary: bool
) -> None:
    for number in range(2):
        await chat.run(chat.agent(), asked(f"echo {number}", number))
    model = FakeListChatModel(responses=["in short"])
    summaries = SummarizationMiddleware(model, trigger=("messages", trigger), keep=("messages", 1))
    said = transcript(await chat.run(chat.agent(None, summaries), asked("echo 2", 2)))
    assert "in short" in said[0][1]
    stored = await chat.stored()
    assert stored[:8] == expected("echo 0", "echo 1")
    assert any("in short" in text for _, text in stored) == has_summary
    if not has_summary:
        assert stored == expected("echo 0", "echo 1", "echo 2")


async def test_loaded_messages_are_not_streamed_again(chat: Chat) -> None:
    agent, config = chat.agent(), {"configurable": {"session_id": "s"}}
    await chat.run(agent, asked("echo before", 0))
    given, mode = asked("echo now", 1), "messages"
    if chat.by_async:
        parts = [part async for part, _ in agent.astream(given, config, stream_mode=mode)]
    else:
        parts = [part for part, _ in agent.stream(given, config, stream_mode=mode)]
    assert transcript(parts) == expected("echo now")[1:]


# What goes wrong


@tool
def fail() -> str:
    """Fail."""
    raise RuntimeError("the tool failed")


@tool(response_format="content_and_artifact")
def photograph() -> tuple[str, object]:
    """Give what cannot be stored."""
    return "a picture", {1: "one key", "1": "in JSON"}


@pytest.mark.parametrize(
    ("name", "error"), [("fail", RuntimeError), ("photograph", InvalidMessageError)]
)
async def test_a_run_that_raises_stores_nothing(chat: Chat, name: str, error: Any) -> None:
    memory = ChatHistoryMiddleware(chat.open)
    agent = create_agent(Scripted(), tools=[fail, photograph], middleware=[memory])
    with pytest.raises(error):
        await chat.run(agent, asked(f"{name} now", 0))
    assert await chat.stored() == []


@pytest.mark.parametrize(("fault", "stored"), [(DROP_REPLY, True), (CUT_BEFORE, False)])
async def test_an_append_that_raised_is_stored_once_when_the_run_goes_on(
    impatient: Chat, agent_proxy: Proxy, fault: Any, stored: bool
) -> None:
    saver = InMemorySaver()
    await impatient.run(impatient.agent(saver), asked("echo before", 0))
    for given in (asked("echo now", 1), None):
        agent_proxy.inject(fault, on="EVALSHA")
        with pytest.raises(LOST):
            await impatient.run(impatient.agent(saver), given)
        now = ["echo now"] if stored else []
        assert await impatient.stored() == expected("echo before", *now)
    said = await impatient.run(impatient.agent(saver), None)
    assert transcript(said) == await impatient.stored() == expected("echo before", "echo now")


async def test_an_append_is_stored_once_however_much_others_wrote_before_the_run_goes_on(
    impatient: Chat, agent_proxy: Proxy
) -> None:
    saver = InMemorySaver()
    await impatient.run(impatient.agent(saver), asked("echo before", 0))
    agent_proxy.inject(DROP_REPLY, on="EVALSHA")
    with pytest.raises(LOST):
        await impatient.run(impatient.agent(saver), asked("echo now", 1))
    others = [AIMessage(str(number)) for number in range(200)]
    if impatient.by_async:
        await impatient.open().aadd_messages(others)
    else:
        impatient.open().add_messages(others)
    await impatient.stored()  # so that its client knows how long the session is
    await impatient.run(impatient.agent(saver), None)
    stored = expected("echo before", "echo now") + transcript(others)
    assert await impatient.stored() == stored


@pytest.mark.parametrize(("fault", "calls"), [(DROP_REPLY, 2), (CUT_BEFORE, 4)])
async def test_a_turn_that_was_stored_is_not_taken_again(
    impatient: Chat, agent_proxy: Proxy, fault: Any, calls: int
) -> None:
    called = []

    def count(messages: list[Any]) -> list[Any]:
        called.append(len(messages))
        return []

    agent, question = impatient.agent(None, Before(count)), {"messages": [HumanMessage("echo it")]}
    agent_proxy.inject(fault, on="EVALSHA")
    with pytest.raises(LOST):
        await impatient.run(agent, question)
    said = await impatient.run(agent, question)
    assert transcript(said) == await impatient.stored() == expected("echo it")
    assert len(called) == calls


async def test_no_turn_is_lost_or_doubled_by_a_faulty_network(
    impatient: Chat, agent_proxy: Proxy
) -> None:
    agent, raised = impatient.agent(), 0
    agent_proxy.chaos(0.2, 6, (CUT_BEFORE, CUT_DURING, DROP_REPLY))
    for turn in range(40):
        question = asked(f"echo {turn}", turn)
        while True:
            try:
                await impatient.run(agent, question)
                break
            except LOST:
                raised += 1
    agent_proxy.calm()
    assert raised > 5
    assert await impatient.stored() == expected(*(f"echo {turn}" for turn in range(40)))


# With a checkpointer


async def test_an_interrupted_run_ends_in_the_session_it_began_in(chat: Chat) -> None:
    saver = MemorystoreSaver(chat.client, key_prefix=f"{chat.prefix}checkpoint:")
    await chat.run(chat.agent(saver), asked("echo before", 0))
    await chat.run(chat.agent(saver), asked("confirm it", 1), context={"session_id": "s"})
    assert await chat.stored() == expected("echo before")
    said = await chat.run(chat.agent(saver), Command(resume="yes"), "another")
    whole = expected("echo before") + expected("confirm it", tool_says="a human said 'yes'")
    assert transcript(said) == await chat.stored() == whole
    assert await chat.stored("another") == []


async def test_an_interrupt_whose_thread_has_expired_is_refused_and_nothing_is_stored(
    chat: Chat,
) -> None:
    saver = InMemorySaver()
    with pytest.raises(InvalidArgumentError, match="messages is empty"):
        await chat.run(chat.agent(saver), Command(resume="yes"))
    await chat.run(chat.agent(saver), asked("echo before", 0))
    await chat.run(chat.agent(saver), asked("confirm it", 1))
    saver.delete_thread("t")
    with pytest.raises(InvalidArgumentError, match="its thread has expired"):
        await chat.run(chat.agent(saver), Command(resume="yes"))
    assert await chat.stored() == expected("echo before")


async def test_a_question_that_the_session_holds_is_answered(chat: Chat) -> None:
    question = HumanMessage("echo it", id="question")
    if chat.by_async:
        await chat.open().aadd_message(question)
    else:
        chat.open().add_message(question)
    said = await chat.run(chat.agent(), {"messages": [question]})
    assert transcript(said) == await chat.stored() == expected("echo it")


async def test_a_thread_grows_by_what_is_new_in_the_session(chat: Chat) -> None:
    text = "a message of the session " * 20
    old = [HumanMessage(text) for _ in range(200)]
    if chat.by_async:
        await chat.open().aadd_messages(old)
    else:
        chat.open().add_messages(old)
    saver = MemorystoreSaver(chat.client, key_prefix=f"{chat.prefix}checkpoint:")
    sizes = []
    for turn in range(3):
        await chat.run(chat.agent(saver), asked(f"echo {turn}", turn))
        key = f"{chat.prefix}checkpoint:{{t}}:data"
        size = chat.client.memory_usage(key, samples=0)
        sizes.append(await size if chat.by_async else size)
    assert sizes[0] > 200 * len(text)
    assert sizes[2] - sizes[1] < sizes[0] / 4  # names of messages, not their text
    assert await chat.stored() == transcript(old) + expected("echo 0", "echo 1", "echo 2")


async def test_the_session_decides_what_a_thread_remembers(chat: Chat) -> None:
    saver = InMemorySaver()
    for turn in range(2):
        await chat.run(chat.agent(saver), asked(f"echo {turn}", turn))
    if chat.by_async:
        await chat.open().aclear()
    else:
        chat.open().clear()
    said = await chat.run(chat.agent(saver), asked("echo afresh", 2))
    assert transcript(said) == await chat.stored() == expected("echo afresh")
    said = await chat.run(chat.agent(saver), asked("echo there", 3), "another")
    assert transcript(said) == await chat.stored("another") == expected("echo there")


async def test_a_run_that_began_without_the_middleware_is_stored_when_it_ends(chat: Chat) -> None:
    saver = InMemorySaver()
    await chat.run(agent_of(saver), asked("confirm it", 0))
    await chat.run(chat.agent(saver), Command(resume="yes"))
    assert await chat.stored() == expected("confirm it", tool_says="a human said 'yes'")
